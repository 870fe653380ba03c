// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Jenkinsfiles and of pipeline files
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../pipelines/errors.ts';
import { parsePipeline } from '../../pipelines/parse.ts';
import type { PipelineFile } from '../../pipelines/schema.ts';
import { importJenkinsfile, importJob } from '../../server/import/index.ts';

const FIXTURES = new URL('../fixtures/import/', import.meta.url);
const fixture = (name: string) => readFileSync(new URL(name, FIXTURES), 'utf8');

function imported(text: string): { file: PipelineFile; yaml: string; whys: string[] } {
  const { yaml, notes } = importJenkinsfile(text);
  const result = parsePipeline(yaml);
  if (!result.ok) throw new Error(`${JSON.stringify(result.errors)}\n${yaml}`);
  return { file: result.file, yaml, whys: notes.map(({ why }) => why) };
}
const stage = (body: string) => imported(`pipeline { agent any; stages { stage('Build') { ${body} } } }`);
const commands = (steps: string) => stage(`steps {\n${steps}\n}`).file.steps.build?.run;

test.each(readdirSync(FIXTURES))('%s becomes a file without faults', (name) => {
  const { yaml } = importJob(fixture(name));
  expect(parsePipeline(yaml)).toMatchObject({ ok: true });
});

describe('a declarative pipeline', () => {
  const { file, yaml } = imported(fixture('declarative.Jenkinsfile'));

  test('stages are steps, parallel ones have the same needs', () => {
    expect(Object.keys(file.steps)).toEqual([
      'build-package',
      'lint',
      'verify',
      'image',
      'publish',
      'deploy',
      'after-success',
    ]);
    expect(file.steps.lint?.needs).toBeUndefined();
    expect(file.steps.verify?.needs).toEqual(['build-package']);
    expect(file.steps.image?.needs).toEqual(['lint', 'verify']);
  });

  test('images come from the agent, the tools and the matrix', () => {
    expect(file.steps['build-package']?.image).toBe('maven:3.9-eclipse-temurin-21');
    expect(file.steps.lint).toMatchObject({ image: 'node:22-alpine', cache: ['/root/.npm'] });
    expect(file.steps.verify).toMatchObject({
      image: 'maven:3.9-eclipse-temurin-${matrix.jdk}',
      matrix: { jdk: ['11', '17'] },
    });
  });

  test('commands keep what they are, and Groovy leaves it to the shell to fill in', () => {
    expect(file.steps['build-package']).toMatchObject({
      run: [
        'export GIT_COMMIT="$SLIPWAY_REVISION"',
        "trap 'docker-compose down' EXIT",
        'echo "Building ${BRANCH_NAME} as ${IMAGE}"',
        'mvn ${MAVEN_FLAGS} package -Dlevel=${LEVEL} -Drev=${GIT_COMMIT}',
        '(\ncd web\nnpm ci && npm test\n)\n',
      ],
      artifacts: ['target/*.jar', 'web/dist/**'],
      junit: ['target/surefire-reports/*.xml'],
      retry: 2,
      timeout: 600_000,
    });
  });

  test('docker build is an image step', () => {
    expect(file.steps.image).toMatchObject({
      build: { image: 'shop/web', context: 'web', dockerfile: 'web/Dockerfile', args: { REV: '${revision}' } },
      when: { branch: ['main', 'release/*'] },
    });
  });

  test('triggers, options, parameters, environment and mail', () => {
    expect(file.on).toMatchObject({ schedule: { timezone: 'Europe/Berlin' } });
    expect(file.on?.schedule?.cron).toMatch(/^\d+ 2 \* \* \*$/);
    expect(file).toMatchObject({
      timeout: 2_700_000,
      supersede: true,
      env: { IMAGE: 'registry.example.com/shop:${number}', BRANCH_NAME: '${branch}', MAVEN_FLAGS: '-B -ntp' },
      parameters: { level: { default: 'quick' }, PUBLISH: { type: 'boolean' }, TARGET: { options: ['dev', 'test'] } },
      notify: { mail: { to: ['team@example.com', 'lead@example.com'], on: ['failed'] } },
    });
  });

  test('secrets go to the steps that name them, and no value of one is written down', () => {
    expect(file.steps.publish?.secrets).toEqual(['PIN', 'NEXUS_USR', 'NEXUS_PSW']);
    expect(file.steps.deploy?.secrets).toEqual(['KUBE_TOKEN']);
    expect(file.steps.lint?.secrets).toBeUndefined();
    expect(yaml).not.toContain('hunter2');
  });

  test('conditions of the shell where the file has none; a lost condition waits for a person', () => {
    expect(file.steps.publish?.run?.[0]).toBe('[ "${PUBLISH:-}" = true ] || exit 0 # Jenkinsfile:72: when');
    expect(file.steps.publish?.run?.[2]).toBe(
      'if [ "${TARGET:-}" = dev ]; then\n  ./notify.sh dev\nelse\n  ./notify.sh test\nfi\n',
    );
    expect(file.steps.deploy?.when).toEqual({ trigger: ['manual'] });
  });

  test('the rest is a comment at its place', () => {
    for (const line of [
      "# from Jenkinsfile:1: @Library('team-steps') _ - ",
      "# from Jenkinsfile:11: upstream(upstreamProjects: 'base') - ",
      "# from Jenkinsfile:29: STAMP = sh(script: 'date', returnStdout: true) - ",
      "      # from Jenkinsfile:83: input message: 'Deploy?' - approvals belong to an environment",
      '      # from Jenkinsfile:86: def version = readMavenPom().version - ',
      '      # from Jenkinsfile:87: sh "./tag.sh ${version}" - ',
      "# from Jenkinsfile:94: slackSend channel: '#builds' - ",
    ])
      expect(yaml).toContain(line);
  });
});

test('of a scripted pipeline, the stages with their commands', () => {
  const { file, yaml } = imported(fixture('scripted.Jenkinsfile'));
  expect(yaml).toMatch(/^# It was a scripted pipeline/);
  expect(file.steps).toMatchObject({
    'build-site': { image: 'node:20', timeout: 3_600_000 },
    unit: { run: ['npm test'] },
    'end-to-end': { needs: ['build-site'] },
    publish: { needs: ['unit', 'end-to-end'], when: { branch: ['main'] }, junit: ['reports/*.xml'] },
  });
  expect(file.steps['build-site']?.run?.[0]).toMatch(/^bash -e <<'SCRIPT'\nnpm ci\n[\s\S]*\nSCRIPT\n$/);
  expect(yaml).toContain("# from Jenkinsfile:29: for (t in ['a', 'b'])");
});

describe('commands', () => {
  test('each sh is a shell of its own', () => {
    expect(commands("sh 'cd web'\nsh 'export A=1; make'\nsh 'cd last && make'")).toEqual([
      '(cd web)',
      '(\nexport A=1; make\n)\n',
      'cd last && make',
    ]);
  });

  test('withEnv, dir and containers around them', () => {
    const pod =
      "yaml '''\nspec:\n  containers:\n  - {name: go, image: golang:1.22}\n  - {name: npm, image: node:20}\n'''";
    const { file } = imported(
      `pipeline { agent { kubernetes { ${pod} } }
         stages { stage('A') { steps {
           container('go') { withEnv(['CGO_ENABLED=0', "V=\${BUILD_NUMBER}"]) { sh 'go build' } }
           container('npm') { sh 'npm ci' } } } } }`,
    );
    expect(file.steps).toMatchObject({
      a: { image: 'golang:1.22', run: ['(\nexport CGO_ENABLED=0\nexport V="${BUILD_NUMBER}"\ngo build\n)\n'] },
      'a-2': { image: 'node:20', run: ['npm ci'] },
    });
    expect(file.env).toEqual({ BUILD_NUMBER: '${number}' });
  });

  test('values inside single quotes of the shell are still filled in', () => {
    expect(commands(`sh "curl -d '{\\"v\\": \\"\${env.BUILD_NUMBER}\\"}' x"`)).toEqual([
      `curl -d '{"v": "'"\${BUILD_NUMBER}"'"}' x`,
    ]);
  });

  test('isUnix() has one answer, and Windows commands that are the same everywhere stay', () => {
    expect(commands("script { if (isUnix()) { sh 'make' } else { bat 'make.bat' } }\nbat 'npm ci'")).toEqual([
      'make',
      'npm ci',
    ]);
    expect(stage("steps { sh 'make'; bat 'del /Q x' }").whys).toEqual([
      'steps run in Linux containers: write it for sh',
    ]);
  });

  test('a file with nothing to run does not pass for one that has passed', () => {
    expect(stage('steps { foo() }').file.steps.todo?.run?.[0]).toContain('exit 1');
  });
});

describe('when', () => {
  const when = (condition: string) => stage(`when { ${condition} }\nsteps { sh 'make' }`).file.steps.build?.when;
  test.each([
    ["branch 'main'", { branch: ['main'] }],
    ["not { branch 'main' }", { branch: ['!main'] }],
    ["anyOf { changeset 'a/**'; changeset 'b/**' }", { paths: ['a/**', 'b/**'] }],
    ["branch 'main'\ntriggeredBy 'TimerTrigger'", { branch: ['main'], trigger: ['schedule'] }],
    ["expression { env.BRANCH_NAME == 'a' || env.BRANCH_NAME == 'b' }", { branch: ['a', 'b'] }],
    ['buildingTag()', { branch: ['refs/tags/**'] }],
    ["beforeAgent true\nallOf { branch 'x'; expression { isRelease() } }", { branch: ['x'], trigger: ['manual'] }],
    ["branch pattern: 'v.*', comparator: 'REGEXP'", { trigger: ['manual'] }],
  ])('%s', (condition, expected) => {
    expect(when(condition)).toEqual(expected);
  });

  test('what only the shell can ask', () => {
    const first = (condition: string) =>
      stage(`when { ${condition} }\nsteps { sh 'make' }`).file.steps.build?.run?.[0]?.replace(/ \|\| exit 0.*/, '');
    expect(first("environment name: 'MODE', value: 'a b'")).toBe(`[ "\${MODE:-}" = 'a b' ]`);
    expect(first("expression { env.A != 'x' && (env.B || !env.C) }")).toBe(
      '{ [ "${A:-}" != x ] && { [ -n "${B:-}" ] || ! [ -n "${C:-}" ]; }; }',
    );
    expect(first("anyOf { branch 'main'; environment name: 'M', value: '1' }")).toBe(
      '{ [ "$SLIPWAY_BRANCH" = main ] || [ "${M:-}" = 1 ]; }',
    );
  });
});

describe('whatever is in the file', () => {
  test.each([
    ['nothing', ' \n// a comment\n', 'there is nothing in this file'],
    ['blocks that are too deep', `pipeline ${'{ a '.repeat(60)}`, 'nested deeper than 50 levels'],
    ['lists that are too deep', `a(${'['.repeat(5000)}`, 'nested deeper than 50 levels'],
    ['more than anybody writes', `//${'x'.repeat(300_000)}`, 'longer than 256 KiB'],
  ])('%s is refused', (_name, text, message) => {
    expect(() => importJenkinsfile(text)).toThrow(message);
  });

  test('what is written to be slow to read is read in no time', () => {
    const hostile = [
      "sh '''",
      '(',
      '"${',
      'a.',
      'if (a) ',
      '/*',
      '\\',
      'A="b" ',
      ';',
      'x/',
      'pipeline {}}',
      '\n',
      "sh 'a'\n",
      'else\n',
      '"${A}" + ',
    ];
    for (const piece of hostile) {
      const text = `pipeline { stages { stage('a') { steps { sh 'x'; ${piece.repeat(40_000 / piece.length)}`;
      // Time of the processor: others may be using it, too.
      const start = process.cpuUsage();
      try {
        importJenkinsfile(text);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
      }
      expect(process.cpuUsage(start).user / 1000, piece).toBeLessThan(3000);
    }
  });

  test('the names of members that every object has are names like any other', () => {
    const { yaml } = stage(`when { valueOf() }
      steps { toString(); constructor { sh 'x' }; sh "\${toString}"; step([$class: 'valueOf']) }
      post { constructor { sh 'y' } }`);
    expect(yaml).toContain('# from Jenkinsfile:2: toString() - there is no such step');
  });

  test('a damaged file is a file without faults, or is refused', () => {
    const whole = [fixture('declarative.Jenkinsfile'), fixture('scripted.Jenkinsfile')];
    const damage = fc.record({
      text: fc.constantFrom(...whole),
      from: fc.nat(4000),
      length: fc.nat(300),
      put: fc.constantFrom('', '{', '}', "'", '"', '(', '${', '\n', '#', ': ', '\u0007', '🚀', '\t'),
    });
    fc.assert(
      fc.property(damage, ({ text, from, length, put }) => {
        const at = from % text.length;
        try {
          imported(text.slice(0, at) + put + text.slice(at + length));
        } catch (error) {
          if (!(error instanceof AppError)) throw error;
        }
      }),
      { numRuns: 100 },
    );
  });

  test('a script arrives as it was written', () => {
    const script = fc.string({
      unit: fc.constantFrom('a', ' ', '\n', ':', '#', '-', '"', '{', '\t', '🚀', '|', '%', '&', ','),
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(script, (text) => {
        const whole = `true ${text} x`;
        const run = commands(`sh '''${whole}'''`);
        const lines = (each: string) =>
          each
            .trimEnd()
            .split('\n')
            .map((line) => line.trim())
            .filter(Boolean);
        expect(lines(run?.[0] ?? '')).toEqual(lines(whole));
      }),
    );
  });

  test('names of steps are legal and different', () => {
    const titles = ['Größe', '1. Build', 'build', 'Build', '🚀', 'CamelCase Name', 'x'.repeat(200), '--'];
    const stages = titles.map((title) => `stage('${title}') { steps { sh 'make' } }`).join('\n');
    expect(Object.keys(imported(`pipeline { stages { ${stages} } }`).file.steps)).toEqual([
      'gro-e',
      'step-1-build',
      'build',
      'build-2',
      'step',
      'camel-case-name',
      'x'.repeat(40),
      'step-2',
    ]);
  });
});
