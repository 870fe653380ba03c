import { describe, expect, test } from 'vitest';
import { type ComposeDocument, EMPTY, parseCompose, stringifyCompose } from '../../pipelines/compose/document.ts';
import { loadCompose } from '../../pipelines/compose/load.ts';
import { mergeCompose } from '../../pipelines/compose/merge.ts';
import { references } from '../../pipelines/compose/references.ts';
import { invalid } from '../../pipelines/errors.ts';

const none = () => undefined;

function workspace(files: Record<string, string>) {
  return async (path: string): Promise<string> => {
    const text = files[path];
    if (text === undefined) throw invalid(`the workspace has no ${path}`);
    return text;
  };
}

async function load(files: Record<string, string>, ...names: string[]): Promise<ComposeDocument> {
  return mergeCompose(EMPTY, await loadCompose(names.length > 0 ? names : ['compose.yml'], workspace(files)));
}

async function web(base: string, override: string) {
  const indent = (text: string) => text.replaceAll(/^/gm, '    ');
  const file = (text: string) => `services:\n  web:\n${indent(text)}\n`;
  const doc = await load({ 'compose.yml': file(base), 'over.yml': file(override) }, 'compose.yml', 'over.yml');
  return doc.services.web;
}

describe('reading', () => {
  test('version, name and extensions are dropped, anchors filled in, unknown keys kept', () => {
    const doc = parseCompose(
      `version: "3.8"
name: shop
x-common: &common { restart: always, x-note: gone }
services:
  web: { <<: *common, image: nginx, novel: {a: 1} }
volumes: { data: }
`,
      'compose.yml',
    );
    expect(doc.services).toEqual({ web: { restart: 'always', image: 'nginx', novel: { a: 1 } } });
    expect(doc.volumes).toEqual({ data: {} });
  });

  test.each([
    ['[]', 'compose.yml: a compose file is a map'],
    ['services: [web]', 'compose.yml: services must be a map'],
    ['services: {web: nginx}', 'compose.yml: services.web must be a map'],
    ['services: {web: {volumes: ./a:/a}}', 'compose.yml: services.web.volumes must be a list'],
    ['services: {"..": {image: a}}', 'compose.yml: services...: a name consists of'],
    ['services: {web: {image: "a\\0b"}}', 'NUL'],
    ['services:\n  web: {image: [}', 'compose.yml:2:'],
  ])('%s is refused', (text, message) => expect(() => parseCompose(text, 'compose.yml')).toThrow(message));
});

describe('merging', () => {
  test('maps are merged, whether written as lists or maps', async () => {
    expect(
      await web('environment: [A=1, B=x=y, C]\nlabels: {a: 1}', 'environment: {B: 2, D: }\nlabels: [b=2]'),
    ).toEqual({
      environment: { A: '1', B: 2, C: null, D: null },
      labels: { a: 1, b: '2' },
    });
  });

  test('commands are replaced, ports added once', async () => {
    expect(
      await web(
        'command: [a, b]\nports: ["80:80"]\nhealthcheck: {test: [CMD, a], retries: 3}\ndns: 1.1.1.1',
        'command: c\nports: ["80:80", "81:81"]\nhealthcheck: {test: [CMD, b]}\ndns: [8.8.8.8]',
      ),
    ).toEqual({
      command: 'c',
      ports: ['80:80', '81:81'],
      healthcheck: { test: ['CMD', 'b'], retries: 3 },
      dns: ['1.1.1.1', '8.8.8.8'],
    });
  });

  test('volumes, devices and secrets are matched by target', async () => {
    expect(
      await web(
        'volumes: ["${DATA:-./data}:/data/", "./a:/a"]\nsecrets: [pw]\ndevices: ["/dev/a:/dev/x"]',
        'volumes: [{type: volume, source: v, target: /data}]\nsecrets: [{source: other, target: pw}]\ndevices: ["/dev/b:/dev/x"]',
      ),
    ).toEqual({
      volumes: [{ type: 'volume', source: 'v', target: '/data' }, './a:/a'],
      secrets: [{ source: 'other', target: 'pw' }],
      devices: ['/dev/b:/dev/x'],
    });
  });

  test('depends_on lists and maps are one', async () => {
    expect(
      await web('depends_on: [db]', 'depends_on: {db: {condition: service_healthy}, q: {condition: service_started}}'),
    ).toEqual({
      depends_on: { db: { condition: 'service_healthy' }, q: { condition: 'service_started' } },
    });
  });

  test('!reset and !override are honoured, also when the text was stored in between', async () => {
    const base = parseCompose(
      'services: {web: {image: a, ports: ["80:80"], environment: {A: 1, B: 2}}, adminer: {image: b}}',
      'a',
    );
    const text = 'services: {web: {ports: !override ["81:80"], environment: {A: !reset null}}, adminer: !reset null}';
    const stored = stringifyCompose(parseCompose(text, 'b'));
    expect(stored).toContain('!override');
    const merged = mergeCompose(base, parseCompose(stored, 'b'));
    expect(merged.services).toEqual({ web: { image: 'a', ports: ['81:80'], environment: { B: 2 } } });
  });
});

describe('extends and include', () => {
  test('a chain over files is resolved, and its paths start from the first file', async () => {
    const doc = await load(
      {
        'deploy/compose.yml':
          'services: {web: {extends: {file: ../common/base.yml, service: app}, environment: {A: 2}}}',
        'common/base.yml':
          'services: {root: {image: a, env_file: x.env, environment: {A: 1, B: 1}}, app: {extends: root, volumes: ["./conf:/conf", data:/d]}}',
      },
      'deploy/compose.yml',
    );
    expect(doc.services.web).toEqual({
      image: 'a',
      env_file: ['../common/x.env'],
      environment: { A: 2, B: 1 },
      volumes: ['../common/conf:/conf', 'data:/d'],
    });
    expect(references(doc, 'deploy', none).map(({ path }) => path)).toEqual(['common/conf', 'common/x.env']);
  });

  test('included files bring their services and secrets along', async () => {
    const doc = await load({
      'compose.yml': 'include: [db/compose.yml, {path: q.yml}]\nservices: {web: {image: a}}',
      'db/compose.yml':
        'services: {db: {image: b, volumes: [{type: bind, source: init, target: /i}]}}\nsecrets: {pw: {file: pw.txt}}',
      'q.yml': 'services: {q: {image: c}}',
    });
    expect(Object.keys(doc.services).sort()).toEqual(['db', 'q', 'web']);
    expect(doc.secrets.pw).toEqual({ file: './db/pw.txt' });
    expect(doc.services.db?.volumes).toEqual([{ type: 'bind', source: './db/init', target: '/i' }]);
  });

  test.each([
    [{ 'compose.yml': 'services: {a: {extends: b}, b: {extends: a}}' }, 'goes in a circle'],
    [{ 'compose.yml': 'include: [compose.yml]' }, 'include goes in a circle'],
    [{ 'compose.yml': 'services: {a: {extends: {service: b, file: ../other.yml}}}' }, 'is outside the workspace'],
    [{ 'compose.yml': 'services: {a: {extends: {service: b, file: /etc/other.yml}}}' }, 'is outside the workspace'],
    [{ 'compose.yml': 'include: ["https://github.com/x/y.git"]' }, 'is remote'],
    [{ 'compose.yml': 'include: ["oci://x/y"]' }, 'is remote'],
    [{ 'compose.yml': 'include: ["git@example.com:x/y"]' }, 'is remote'],
    [{ 'compose.yml': 'services: {a: {extends: nobody}}' }, 'does not have'],
    [
      { 'compose.yml': 'include: [b.yml]\nservices: {a: {image: x}}', 'b.yml': 'services: {a: {image: y}}' },
      'services.a conflicts',
    ],
  ])('%j is refused', async (files, message) => {
    await expect(load(files as unknown as Record<string, string>)).rejects.toThrow(message);
  });
});

describe('references', () => {
  const of = (text: string, directory = 'deploy') =>
    references(parseCompose(text, 'c'), directory, (name) => ({ CONF: './conf' })[name]);

  test('all that the files say', () => {
    const found = of(`
services:
  web:
    volumes: ["./nginx.conf:/n:ro", "\${CONF}/x:/x", "named:/v", "/abs:/y", {type: bind, source: plain, target: /p}]
    env_file: [a.env, {path: b.env, required: false}]
secrets: {pw: {file: ../pw.txt}}
configs: {c: {file: ./c.ini}}
`);
    expect(found.map(({ path, kind, required }) => `${kind} ${path} ${required}`)).toEqual([
      'mount deploy/nginx.conf false',
      'mount deploy/conf/x false',
      'mount deploy/plain false',
      'env deploy/a.env true',
      'env deploy/b.env false',
      'secret pw.txt true',
      'config deploy/c.ini true',
    ]);
  });

  test.each([
    ['services: {web: {volumes: ["../../etc:/x"]}}', 'services.web.volumes'],
    ['services: {web: {env_file: /etc/passwd}}', 'services.web.env_file'],
    ['services: {web: {env_file: ../../x}}', 'services.web.env_file'],
    ['secrets: {s: {file: ~/.ssh/id_rsa}}', 'secrets.s.file'],
    ['configs: {c: {file: a/../../../x}}', 'configs.c.file'],
  ])('%s leaves the workspace', (text, where) => {
    expect(() => of(text)).toThrow(expect.objectContaining({ code: 'invalid', field: where }));
  });
});
