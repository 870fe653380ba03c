// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of pipeline files
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parsePipeline } from '../../pipelines/parse.ts';

const EXAMPLES = new URL('../../pipelines/examples/', import.meta.url);
const example = (name: string) => readFileSync(new URL(name, EXAMPLES), 'utf8');

function faults(text: string) {
  const result = parsePipeline(text);
  return result.ok ? [] : result.errors;
}
const fault = (text: string) => faults(text)[0] ?? { message: 'no fault', line: 0, column: 0, path: '' };
/** One step that is right but for what is added. */
const step = (extra: string) => `steps:\n  a: { image: x, run: [y], ${extra} }\n`;
const top = (extra: string) => `${extra}\nsteps:\n  a: { image: x, run: [y] }\n`;

describe('files that are right', () => {
  test.each(readdirSync(EXAMPLES))('example %s', (name) => {
    expect(faults(example(`${name}/slipway.yml`))).toEqual([]);
  });

  test('lists, durations and sizes are made uniform', () => {
    const result = parsePipeline(step('memory: 512m, cpus: 1.50, timeout: 1h30m, junit: out.xml, needs: []'));
    expect(result).toMatchObject({
      file: { steps: { a: { memory: 536_870_912, cpus: 1.5, timeout: 5_400_000, junit: ['out.xml'], needs: [] } } },
    });
  });

  test('numbers and booleans are the text that was written', () => {
    const text =
      'env: {A: 3.10, B: true, C: 010, D: 1e3}\nsteps:\n  a: {matrix: {v: [3.10, 17]}, image: "x:${matrix.v}", run: y}\n';
    expect(parsePipeline(text)).toMatchObject({
      file: {
        env: { A: '3.10', B: 'true', C: '010', D: '1e3' },
        steps: { a: { matrix: { v: ['3.10', '17'] }, run: ['y'] } },
      },
    });
  });

  test('anchors, aliases and merge keys', () => {
    const text = 'steps:\n  a: &a { image: x, run: [y] }\n  b: { <<: *a, run: [z] }\n  c: *a\n';
    expect(parsePipeline(text)).toMatchObject({
      file: { steps: { b: { image: 'x', run: ['z'] }, c: { run: ['y'] } } },
    });
  });
});

describe('bad input', () => {
  test.each([
    ['not YAML', 'steps: [\n a: }', /flow/],
    ['an HTML page', '<html><body>hello</body></html>', /expected keys and values such as "steps:"/],
    ['empty', '', /empty/],
    ['only a comment', '# nothing\n', /empty/],
    ['a list at the top', '- a\n- b\n', /expected keys and values/],
    ['5 KB of nested brackets', '['.repeat(5000), /nested deeper/],
    [
      'an alias bomb',
      `a: &a [${'x,'.repeat(400)}]\nb: &b [${'*a,'.repeat(400)}]\nc: [${'*b,'.repeat(400)}]`,
      /too large/,
    ],
    ['no steps', 'timeout: 5m\n', /"steps" is missing/],
    ['steps that are empty', 'steps: {}\n', /at least one step/],
    ['steps that are a list', 'steps: [a]\n', /expected a map of steps/],
    ['__proto__', 'steps: {a: {image: x, run: y}}\n__proto__: {on: 1}\n', /cannot be a key/],
  ])('%s', (_name, text, message) => {
    expect(fault(text).message).toMatch(message);
    expect(fault(text).line).toBeGreaterThanOrEqual(1);
  });

  test('unknown keys, with the nearest right ones, where they are', () => {
    expect(faults('setps: {}\nsteps:\n  a: { imge: x, rnu: [y], zzzzzz: 1 }\n')).toEqual([
      { message: 'unknown key "setps": did you mean "steps"?', line: 1, column: 1, path: 'setps' },
      { message: 'unknown key "imge": did you mean "image"?', line: 3, column: 8, path: 'steps.a.imge' },
      { message: 'unknown key "rnu": did you mean "run"?', line: 3, column: 17, path: 'steps.a.rnu' },
      { message: 'unknown key "zzzzzz"', line: 3, column: 27, path: 'steps.a.zzzzzz' },
    ]);
  });

  test('duplicate keys', () => {
    expect(fault('steps:\n  a: {image: x, run: y}\n  a: {image: x, run: z}\n')).toMatchObject({
      message: 'duplicate key "a": it is on line 2 already',
      line: 3,
      column: 3,
    });
  });

  test('a cycle names its steps', () => {
    const text =
      'steps:\n  a: {image: x, run: y, needs: []}\n  b: {image: x, run: y, needs: d}\n  c: {image: x, run: y, needs: [a, b]}\n  d: {image: x, run: y, needs: c}\n';
    expect(fault(text)).toMatchObject({
      message: 'these steps need each other in a circle: b → d → c → b',
      line: 3,
      path: 'steps.b.needs',
    });
    expect(fault(step('needs: a')).message).toContain('a → a');
  });

  test('an unknown step in needs', () => {
    const text = 'steps:\n  compile: {image: x, run: y}\n  unit:\n    needs: [complie]\n    image: x\n    run: y\n';
    expect(fault(text)).toEqual({
      message: 'there is no step "complie": did you mean "compile"?',
      line: 4,
      column: 13,
      path: 'steps.unit.needs.0',
    });
  });

  test.each([
    ['run', step('junit: {a: b}'), 'expected a list of paths'],
    ['commands', 'steps: {a: {image: x, run: {b: c}}}', 'expected a list of commands'],
    ['an item', 'steps: {a: {image: x, run: [[b]]}}', 'expected a command'],
    ['a step', 'steps: {a: hello}', 'expected a map of keys and values'],
    ['boolean', step('allow_failure: maybe'), 'expected true or false'],
    ['retry', step('retry: 1.5'), 'expected a whole number'],
    ['build', 'steps: {a: {build: web}}', 'expected {image: NAME, …} or {compose: FILE}'],
    ['nothing in build', 'steps: {a: {build: {}}}', 'expected {image: NAME, …} or {compose: FILE}'],
    ['trigger', step('when: {trigger: [pol]}'), /expected one of poll/],
    ['env', step('env: [A]'), 'expected a map of names and values'],
  ])('wrong type: %s', (_name, text, message) => {
    expect(fault(text).message).toMatch(message);
  });

  test('a misspelt key inside build', () => {
    expect(fault('steps:\n  a:\n    build: { image: x, contxt: web }\n')).toMatchObject({
      message: 'unknown key "contxt": did you mean "context"?',
      line: 3,
      column: 24,
    });
  });

  test.each([
    ['imag', 'image'],
    ['compse', 'compose'],
  ])('a misspelt only key of build: %s', (key, right) => {
    const { message } = faults(`steps: {a: {build: {${key}: x}}}`).find((each) => each.path.endsWith(key)) ?? fault('');
    expect(message).toBe(`unknown key "${key}": did you mean "${right}"?`);
  });

  test('more steps than anybody needs', () => {
    const steps = Array.from({ length: 6000 }, (_, index) => `  s${index}: {host: true, run: y}`).join('\n');
    expect(fault(`steps:\n${steps}`).message).toBe('6000 steps are too many: at most 200');
  });
});

describe('what a step must have', () => {
  test.each([
    ['steps: {a: {image: x}}', /either "run"/],
    ['steps: {a: {run: y}}', /"image" is missing/],
    ['steps: {a: {run: [], image: x}}', /at least one command/],
    [step('host: true'), /either "image" or "host: true"/],
    ['steps: {a: {run: y, host: true, cache: /x}}', /neither "services" nor "cache"/],
    ['steps: {a: {build: {image: x}, run: y}}', /cannot have "run" too/],
    ['steps: {A: {image: x, run: y}}', /"A" cannot be used here/],
    ['steps: {a: {image: x, run: y, matrix: {v: [1]}}, a-1: {image: x, run: y}}', /two steps named "a-1"/],
    [step('matrix: {v: []}'), /1 to 50 combinations/],
    ['steps: {a: {build: {image: x, args: {TOKEN: y}}, secrets: TOKEN}}', /"TOKEN" is a secret/],
  ])('%s', (text, message) => {
    expect(fault(text).message).toMatch(message);
  });
  test('a step on the host needs no image', () => expect(faults('steps: {a: {run: y, host: true}}')).toEqual([]));
});

describe('values', () => {
  test.each(['LD_PRELOAD', 'LD_LIBRARY_PATH', 'BASH_ENV', 'ENV', 'GIT_SSH_COMMAND', 'SLIPWAY_URL', 'A-B', '"A\\nB"'])(
    'env %s is refused',
    (name) => {
      expect(fault(step(`env: { ${name}: x }`)).message).toMatch(/cannot be used here/);
      expect(fault(top(`env: { ${name}: x }`)).message).toMatch(/cannot be used here/);
    },
  );
  test.each(['PATH', 'NODE_OPTIONS', 'DOCKER_HOST', 'lower'])('env %s is fine', (name) => {
    expect(faults(step(`env: { ${name}: x }`))).toEqual([]);
  });
  test.each(['path', 'Home', 'git_dir', 'slipway_url'])('parameter %s is refused', (name) => {
    expect(fault(top(`parameters: { ${name}: {default: x} }`)).message).toMatch(/cannot be used here/);
  });

  test.each(['-1', '.nan', '1e99', '30', '"0s"', '25h', '1d', '99999999h'])('timeout %s', (value) => {
    expect(fault(top(`timeout: ${value}`))).toMatchObject({
      message: expect.stringMatching(/expected a duration/),
      line: 1,
      path: 'timeout',
    });
  });
  test.each(['99 * * * *', '0 0 31 2 *', '* *', 'hello', '* * * * * * 2020', '"\\n* * * * *x"'])('cron %s', (value) => {
    expect(fault(top(`on: { poll: ${value.startsWith('"') ? value : `"${value}"`} }`)).path).toBe('on.poll');
  });
  test.each(['0 2 * * MON-FRI', '*/2 * * * * *', '0 0 29 2 *'])('cron %s is fine', (value) => {
    expect(faults(top(`on: { poll: "${value}", schedule: { cron: "${value}", timezone: Europe/Berlin } }`))).toEqual(
      [],
    );
  });
  test('a time zone that is none', () => {
    expect(fault(top('on: { schedule: { cron: "* * * * *", timezone: Mars/Base } }')).path).toBe(
      'on.schedule.timezone',
    );
  });

  test.each(['--rm', 'x;y', 'x/UPPER', 'a b', 'x:', '$(id)', 'x@sha256:12', 'a//b'])('image %s', (value) => {
    expect(fault(`steps: {a: {image: "${value}", run: y}}`).message).toMatch(/image reference/);
    expect(fault(step(`services: {db: {image: "${value}"}}`)).message).toMatch(/image reference/);
  });
  test('the name of a built image has no tag', () => {
    expect(fault('steps: {a: {build: {image: "shop/web:1"}}}').message).toMatch(/without a tag/);
  });

  test.each(['../x', '/etc/passwd', 'a/../../b', '"a\\0b"', 'C:/x', 'a\\b', '""', '-x'])('path %s', (value) => {
    const quoted = value.startsWith('"') ? value : `'${value}'`;
    expect(fault(`steps: {a: {build: {image: x, context: ${quoted}}}}`).path).toBe('steps.a.build.context');
    expect(fault(`steps: {a: {build: {image: x, dockerfile: ${quoted}}}}`).path).toBe('steps.a.build.dockerfile');
    expect(fault(`steps: {a: {build: {compose: ${quoted}}}}`).path).toBe('steps.a.build.compose');
    expect(fault(`${top('')}release: {compose: ${quoted}}`).path).toMatch(/^release.compose/);
    for (const key of ['artifacts', 'junit']) expect(fault(step(`${key}: [${quoted}]`)).path).toBe(`steps.a.${key}.0`);
  });
  test.each(['cache', '/', '/root/../etc', '/proc', '/usr/bin', '/a:b'])('cache %s', (value) => {
    expect(fault(step(`cache: ["${value}"]`)).path).toBe('steps.a.cache.0');
  });

  test.each(['"a@b\\r\\nBcc: evil@x"', 'hello', 'a@b@c', '"a b@c"', '"<a@b>"'])('mail %s', (value) => {
    expect(fault(`${top('')}notify: {mail: {to: [${value}]}}`)).toMatchObject({
      message: expect.stringMatching(/mail address/),
    });
  });
  test.each(['npm_token', '1A', 'LD_PRELOAD'])('secret %s', (value) => {
    expect(fault(step(`secrets: [${value}]`)).message).toMatch(/name of a secret/);
  });
  test.each([
    '(a+)+$',
    '(a|a)*b',
    '(a*)*',
    'a*a*a*b',
    '(',
    '(?=x)',
    '(a)\\1',
    `${'a?'.repeat(60)}`,
    '(a|b)'.repeat(40),
  ])('message %s', (value) => {
    expect(fault(top(`on: { message: '${value}' }`)).path).toBe('on.message');
  });
  test.each(['!\\[skip ci\\]', '^(feat|fix): .+', 'JIRA-\\d+', '.*release.*'])('message %s is fine', (value) => {
    expect(faults(top(`on: { message: '${value}' }`))).toEqual([]);
  });
  test.each([
    'https://user:pass@host/x',
    'https://token@host/x',
    'ext::sh -c x',
    '--upload-pack=x',
    'ssh://-oProxyCommand=x/y',
    'git@-oX:y',
    '-oX@host:y',
    'git@host:-y',
    '/srv/x',
    'gopher://host/x',
  ])('source %s', (value) => {
    expect(fault(top(`sources: { conf: { kind: git, url: "${value}" } }`)).path).toBe('sources.conf.url');
  });
  test.each(['https://host/x', 'git://host/x', 'git@host:team/x.git', 'deploy@[::1]:x', 'svn+ssh://host/x'])(
    'source %s is fine',
    (value) => {
      expect(faults(top(`sources: { conf: { kind: git, url: "${value}" } }`))).toEqual([]);
    },
  );

  test('an unknown variable, with the nearest right one', () => {
    expect(fault('steps:\n  a:\n    build: {image: x, tags: ["${brnch}"]}\n')).toMatchObject({
      message: expect.stringContaining('unknown variable "${brnch}": did you mean "branch"?'),
      line: 3,
      column: 30,
    });
    expect(fault(step('env: {A: "${matrix.java}"}')).message).toMatch(/matrix.java/);
    expect(fault(`${top('')}release: {compose: c.yml, version: "\${version}"}`).message).toMatch(/version/);
    expect(faults(step('env: {A: "$${HOME}"}'))).toEqual([]);
  });

  test('a parameter whose default is none of its options', () => {
    expect(fault(top('parameters: { level: { type: choice, options: [a, b], default: c } }'))).toMatchObject({
      message: 'expected one of a, b',
    });
    expect(fault(top('parameters: { level: { type: choice } }')).message).toMatch(/options/);
  });
});
