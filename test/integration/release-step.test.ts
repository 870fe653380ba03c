import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { InspectStep, RegistryCredentials, ReleaseContent, ReleasePlan } from '../../pipelines/model.ts';
import { releaseStep } from '../../runner/steps/release.ts';
import { engineClient } from '../../runner/tools/engine.ts';
import { pushTag } from '../../runner/tools/push.ts';
import { buildPlan, type FakeContext, fakeContext } from '../fakes/step-context.ts';
import { builtImage, deploy, fixture, SCENES } from '../fixtures/compose/release.ts';
import { needs } from '../fixtures/real.ts';
import { type RegistryServer, startRegistry } from '../fixtures/registry-server.ts';

const ada: RegistryCredentials = { username: 'ada', password: 'correct horse' };
const engine = engineClient();
/** Known to this engine only, and without a digest. */
const OURS = `slipway-test-${process.pid}`;
const LOCAL = `${OURS}/tool:1`;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

let workspace: string;
let registry: RegistryServer;
let context: FakeContext;

const step: InspectStep = {
  name: 'release',
  kind: 'inspect',
  of: 'workspace',
  needs: [],
  timeout: null,
  retry: 0,
  allowFailure: false,
  skip: null,
};

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(workspace, path)), { recursive: true });
    writeFileSync(join(workspace, path), text);
  }
}

async function release(changes: Partial<ReleasePlan> = {}, env: Record<string, string> = {}): Promise<ReleaseContent> {
  const plan = buildPlan({
    project: 'shop',
    registry: { url: registry.host, insecure: true },
    env,
    release: { version: '1', stack: 's', compose: ['compose.yml'], overrides: {}, files: [], verify: [], ...changes },
  });
  context = fakeContext({ workspace, plan });
  context.images = [builtImage('shop/web'), builtImage('shop/backend', 'backend')];
  context.claim.credentials.registry = ada;
  const { result, output } = await releaseStep(step, context);
  expect(result).toBe('passed');
  if (!output?.release) throw new Error('no release');
  return output.release;
}

needs(
  'docker',
  'base-image',
  'registry',
  'htpasswd',
)('a release', () => {
  beforeAll(async () => {
    registry = await startRegistry({ htpasswd: { user: ada.username, password: ada.password } });
    const busybox = engine.getImage('busybox:1.36');
    await busybox.tag({ repo: LOCAL.slice(0, -2), tag: '1' });
    await busybox.tag({ repo: `${registry.host}/tools/box`, tag: '2' });
    await pushed(`${registry.host}/tools/box`, '2');
    await engine.getImage(`${registry.host}/tools/box:2`).remove();
  });
  afterAll(async () => {
    const images = await engine.listImages();
    const ours = images
      .flatMap(({ RepoTags }) => RepoTags ?? [])
      .filter((tag) => tag.startsWith(OURS) || tag.startsWith(registry.host));
    for (const tag of ours) await engine.getImage(tag).remove();
    await registry.stop();
  });
  beforeEach(() => {
    workspace = mkdtempSync(join(tmpdir(), 'slipway-release-'));
  });
  afterEach(() => rmSync(workspace, { recursive: true, force: true }));

  test('pins what was built, what its registry has, and what only this engine has', async () => {
    write({
      'compose.yml': `
services:
  backend: { build: . }
  web: { image: "example.com/shop/web:\${TAG:-1}" }
  box: { image: "${registry.host}/tools/box:2" }
  tool: { image: "${LOCAL}" }
  debug: { image: nowhere.invalid/none, profiles: [debug] }
`,
    });
    const { compose, images } = await release();
    const reference = Object.fromEntries(images.map((image) => [image.name, image.reference]));
    expect(compose).not.toMatch(/build|debug/);
    expect(reference['shop/web']).toBe(builtImage('shop/web').reference);
    expect(reference[`${registry.host}/tools/box:2`]).toMatch(/tools\/box@sha256:/);
    expect(reference[LOCAL]).toContain(`${registry.host}/shop/mirror/${LOCAL.slice(0, -2)}@sha256:`);
    for (const { digest, reference } of images) {
      expect(digest).toMatch(DIGEST);
      expect(compose).toContain(reference);
    }
    expect(context.effects).toEqual(['pushed']);
    expect(context.text()).toContain(`» ${LOCAL} exists only on this engine: copied to`);
    expect(context.text()).toContain('» pinned shop/web to sha256:');

    const again = await release();
    expect(again.images).toEqual(images);
    expect(context.effects).toEqual([]);
  });

  test('names of images have the values of the plan, then those of .env beside the file', async () => {
    write({
      'compose.yml': `
services:
  web: { image: "\${REG:-}shop/\${NAME:-none}:\${TAG:-1}", build: . }
  box: { image: "\${HOST}/tools/box:\${BOX}" }
`,
      '.env': 'NAME=web\nHOST=nowhere.invalid\nBOX=2\n',
    });
    const { images } = await release({}, { HOST: registry.host, REG: 'r.test/' });
    expect(images.map(({ name }) => name)).toEqual([`${registry.host}/tools/box:2`, 'shop/web']);
  });

  test('many images are looked up side by side, and logged in order of name', async () => {
    const names = ['e', 'b', 'a', 'd', 'c'].map((name) => `${OURS}/many-${name}:1`);
    for (const name of names) await engine.getImage('busybox:1.36').tag({ repo: name.slice(0, -2), tag: '1' });
    write({
      'compose.yml': JSON.stringify({ services: Object.fromEntries(names.map((image, at) => [`s${at}`, { image }])) }),
    });
    const { images } = await release();
    const sorted = [...names].sort();
    expect(images.map(({ name }) => name)).toEqual(sorted);
    const copied = [...context.text().matchAll(/^» (\S+) exists only on this engine/gm)].map(([, name]) => name);
    expect(copied).toEqual(sorted);
    expect(context.effects).toEqual(['pushed']);
  });

  test('bundles what the files refer to and what is asked for', async () => {
    write({
      'deploy/compose.yml': `
services:
  web: { image: shop/web, volumes: ["./conf:/c", "./data:/d", "\${DIR}/x.ini:/x"], env_file: web.env }
secrets: { pw: { file: ../pw.txt } }
`,
      'deploy/compose.pro.yml': 'services: {web: {volumes: ["./pro.ini:/pro"]}, backend: {build: .}}',
      'deploy/.env': 'DIR=./other\n',
      'deploy/web.env': 'A=1',
      'deploy/conf/a.conf': 'a',
      'deploy/conf/deep/b.conf': 'b',
      'deploy/other/x.ini': 'x',
      'deploy/pro.ini': 'p',
      'pw.txt': 'pw',
      'smoke.sh': 'exit 0',
      'tests/t.sh': 't',
      '.git/HEAD': 'x',
    });
    chmodSync(join(workspace, 'smoke.sh'), 0o755);
    symlinkSync('a.conf', join(workspace, 'deploy/conf/link.conf'));
    const { files, directory, overrides } = await release({
      compose: ['deploy/compose.yml'],
      overrides: { PRO: 'deploy/compose.pro.yml' },
      files: ['smoke.sh', 'tests/**'],
    });
    expect(directory).toBe('deploy');
    expect(overrides.PRO).toContain(builtImage('shop/backend').reference);
    expect(files.map(({ path }) => path)).toEqual([
      'deploy/.env',
      'deploy/conf/a.conf',
      'deploy/conf/deep/b.conf',
      'deploy/conf/link.conf',
      'deploy/other/x.ini',
      'deploy/pro.ini',
      'deploy/web.env',
      'pw.txt',
      'smoke.sh',
      'tests/t.sh',
    ]);
    const find = (path: string) => files.find((file) => file.path === path);
    expect(find('smoke.sh')?.mode).toBe(0o755);
    expect(find('deploy/conf/link.conf')?.sha256).toBe(find('deploy/conf/a.conf')?.sha256);
    expect(context.stored.get(find('deploy/conf/a.conf')?.sha256 ?? '')?.toString()).toBe('a');
    expect(context.text()).toContain('» deploy/data is not in the workspace');
  });

  test.each<[string, Partial<ReleasePlan>, string]>([
    [
      'services: {a: {image: nowhere.invalid/none:1}}',
      {},
      'cannot find image nowhere.invalid/none:1: neither the registry nor',
    ],
    ['services: {a: {image: nothing-has-this}}', {}, 'cannot find image nothing-has-this'],
    ['services: {a: {image: "--rm"}}', {}, 'is not the name of an image'],
    ['services: {a: {image: "x;y"}}', {}, 'is not the name of an image'],
    ['services: {a: {image: shop/web, volumes: ["./out:/x"]}}', {}, 'leads out of the workspace'],
    ['services: {a: {image: shop/web, env_file: none.env}}', {}, 'services.a.env_file: the workspace has no none.env'],
    ['services: {a: {image: shop/web}}', { files: ['../x'] }, 'release.files: ../x leads out'],
    ['services: {a: {image: shop/web}}', { files: ['none/**'] }, 'none/** matches no file'],
    ['services: {a: {image: shop/web}}', { files: ['pipe'] }, 'pipe is not a regular file'],
    ['services: {a: {image: shop/web}}', { compose: ['out/passwd'] }, 'leads out of the workspace'],
    ['services: {a: {image: shop/web}}', { compose: ['none.yml'] }, 'the workspace has no none.yml'],
  ])('%s with %j is refused', async (text, changes, message) => {
    write({ 'compose.yml': text });
    symlinkSync('/etc', join(workspace, 'out'));
    execFileSync('mkfifo', [join(workspace, 'pipe')]);
    await expect(release(changes)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(message),
    });
  });

  test('a bundle is bounded', async () => {
    write({ 'compose.yml': 'services: {a: {image: shop/web}}' });
    write(Object.fromEntries(Array.from({ length: 2001 }, (_, at) => [`many/${at}`, ''])));
    await expect(release({ files: ['many'] })).rejects.toMatchObject({ code: 'too_large' });
  });
});

needs('compose')('what is rendered', () => {
  test.each(Object.keys(SCENES))('%s is accepted by Compose, which fills in the secrets', (name) => {
    const { text, environment, volumes, secretVolumes } = deploy(fixture(name), SCENES[name]);
    const mountpoints = [...volumes, ...secretVolumes].map(({ variable }) => [
      variable,
      '/var/lib/docker/volumes/v/_data',
    ]);
    const env = { PATH: process.env.PATH, ...environment, ...Object.fromEntries(mountpoints) };
    const config = execFileSync('docker-compose', ['-f', '-', 'config'], {
      input: text,
      env,
      cwd: tmpdir(),
      stdio: 'pipe',
    });
    for (const secret of Object.values(environment))
      expect(config.toString()).toContain(secret.replaceAll('$', '$$$$'));
  });
});

async function pushed(repository: string, tag: string): Promise<void> {
  const access = { registry: { url: registry.host, insecure: true }, credentials: ada };
  await pushTag(engine, access, repository, tag, () => {}, new AbortController().signal);
}
