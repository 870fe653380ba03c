import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { BuildPlan, ImageBuild, ImageStep, RegistryCredentials } from '../../pipelines/model.ts';
import { imageStep } from '../../runner/steps/image.ts';
import type { StepContext } from '../../runner/steps/step.ts';
import { type Builder, BuildFailure, buildImage } from '../../runner/tools/build.ts';
import { type BuildContext, buildContext } from '../../runner/tools/build-context.ts';
import { engineClient } from '../../runner/tools/engine.ts';
import { pushTag } from '../../runner/tools/push.ts';
import { endChild } from '../fixtures/git-server.ts';

const ada: RegistryCredentials = { username: 'ada', password: 'correct horse' };
const engine = engineClient();
/** Keeps what an earlier run of these tests left in the build cache out of this one. */
const fresh = `echo ${randomUUID()} > /dev/null`;

let folder: string;
let open: Registry;
let locked: Registry;
let workspace: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'slipway-image-'));
  open = await startRegistry(path.join(folder, 'open'));
  locked = await startRegistry(path.join(folder, 'locked'), ada);
});
afterAll(async () => {
  for (const { host, server } of [open, locked]) {
    await endChild(server);
    await removeImagesOf(host);
  }
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  workspace = mkdtempSync(path.join(folder, 'workspace-'));
});
afterEach(() => rmSync(workspace, { recursive: true, force: true }));

describe('one image', () => {
  it('is built, pushed and read back, with args, target and .dockerignore as asked', async () => {
    write({
      'web/docker/Dockerfile': `
FROM busybox:1.36 AS base
ARG VERSION=none
RUN ${fresh}; echo "version $VERSION" | tee /version
FROM base AS wanted
COPY . /app
FROM base AS unwanted
RUN exit 1`,
      'web/.dockerignore': '*.log\n!keep.log',
      'web/a.log': '',
      'web/keep.log': '',
    });
    const run = start(
      image({
        context: 'web',
        dockerfile: 'web/docker/Dockerfile',
        target: 'wanted',
        args: { VERSION: '1.2' },
        tags: ['feature/x'],
      }),
    );
    const { result, output } = await run.outcome;
    expect(result, run.text()).toBe('passed');
    const [built] = output?.images ?? [];
    expect(built).toEqual({
      name: 'shop/web',
      reference: `${open.host}/team/shop/web@${built?.digest}`,
      digest: await open.digest('team/shop/web', 'main-7.2'),
      tags: ['main-7.2', 'feature-x'],
      size: expect.any(Number),
    });
    expect(await open.digest('team/shop/web', 'feature-x')).toBe(built?.digest);
    expect(run.effects).toEqual(['pushed']);
    expect(run.text()).toMatch(/#\d+ \[base 2\/2\] RUN .*echo "version .*"/);
    expect(run.text()).toMatch(/#\d+ version 1\.2\n/);
    expect(filesOf(`${open.host}/team/shop/web:main-7.2`)).toEqual(['.dockerignore', 'docker/Dockerfile', 'keep.log']);
    const { Config } = await engine.getImage(built?.reference ?? '').inspect();
    expect(Config.Labels ?? {}).toEqual({});
  });

  it('fails with the instruction and its exit code, its output in the log', async () => {
    write({ Dockerfile: 'FROM busybox:1.36\nRUN echo about to fail >&2 && exit 2' });
    const run = start(image());
    expect(await run.outcome).toEqual({
      result: 'failed',
      reason: 'RUN echo about to fail >&2 && exit 2: exit code 2',
      exitCode: 2,
    });
    expect(run.text()).toMatch(/#\d+ about to fail\n/);
    expect(run.effects).toEqual([]);
  });

  it.each([
    ['FROM busybox:1.36\nNONSENSE', /unknown instruction: NONSENSE/],
    ['FROM busybox:1.36\nCOPY gone /', /gone.*not found/],
  ])('fails clearly on %j', async (dockerfile, reason) => {
    write({ Dockerfile: dockerfile });
    expect(await start(image()).outcome).toMatchObject({ result: 'failed', reason: expect.stringMatching(reason) });
  });

  it('is refused where there is no registry, no Dockerfile, or a link out of the workspace', async () => {
    expect(await start(image(), { registry: null }).outcome).toMatchObject({
      result: 'failed',
      reason: expect.stringContaining('no registry'),
    });
    await expect(start(image()).outcome).rejects.toMatchObject({
      code: 'invalid',
      message: 'there is no Dockerfile Dockerfile in the workspace',
    });
    symlinkSync('/etc', path.join(workspace, 'etc'));
    await expect(start(image({ context: 'etc' })).outcome).rejects.toMatchObject({ code: 'invalid' });
  });

  it('starts from an image that only the credentials of the project can pull', async () => {
    write({ Dockerfile: 'FROM busybox:1.36\nRUN echo base > /base' });
    const access = { registry: { host: locked.host }, credentials: ada };
    expect((await start(image({ image: 'base', tags: ['1'] }), access).outcome).result).toBe('passed');
    await removeImagesOf(locked.host);
    write({ Dockerfile: `ARG TAG\nFROM ${locked.host}/team/base:$TAG\nRUN cat /base` });
    const run = start(image({ args: { TAG: '1' } }), access);
    expect(await run.outcome, run.text()).toMatchObject({ result: 'passed' });
  });
});

describe('a compose file', () => {
  it('has its images built side by side, shared ones once', async () => {
    write({
      'compose.yaml': `
services:
  web: { build: web }
  api: { build: { context: ., dockerfile: api.Dockerfile, args: ["NAME=\${WHO:-api}"] }, image: "r.test/team-a/API:1" }
  worker: { build: { context: ., dockerfile: api.Dockerfile, args: { NAME: api } } }
  inline: { build: { context: web, dockerfile_inline: "FROM busybox:1.36\\nRUN echo from inline" } }
  db: { image: "busybox:1.36" }`,
      'web/Dockerfile': `FROM busybox:1.36\nRUN ${fresh}; echo from web`,
      'api.Dockerfile': `FROM busybox:1.36\nARG NAME\nRUN ${fresh}; echo from $NAME`,
    });
    const run = start({ ...image(), build: { compose: 'compose.yaml' } });
    const { result, output } = await run.outcome;
    expect(result, run.text()).toBe('passed');
    const images = output?.images ?? [];
    expect(images.map(({ name, service }) => [service, name])).toEqual([
      ['web', 'shop/web'],
      ['api', 'team-a/api'],
      ['worker', 'shop/worker'],
      ['inline', 'shop/inline'],
    ]);
    expect(images[1]?.digest).toBe(images[2]?.digest);
    for (const { name, digest } of images) expect(await open.digest(`team/${name}`, 'main-7.2')).toBe(digest);
    expect(run.text()).toMatch(/^web \| #\d+ from web$/m);
    expect(run.text().match(/^api,worker \| #\d+ from api$/gm)).toHaveLength(1);
    expect(run.effects).toEqual(['pushed']);
  });

  it('has the builds of files it extends and includes, each from its own folder, with the values of .env', async () => {
    write({
      'deploy/compose.yaml': `
include: [../back/compose.yml]
services:
  web: { image: "\${REG:-}\${TEAM}/web:\${TAG:-1}", extends: { file: ../base/common.yml, service: app } }
  debug: { build: nowhere, profiles: [debug] }`,
      'deploy/.env': 'TEAM=team-b\nGREETING=file\n',
      'base/common.yml': 'services: {app: {build: {context: app, args: [GREETING]}}}',
      'base/app/Dockerfile': `FROM busybox:1.36\nARG GREETING\nCOPY here /here\nRUN ${fresh}; echo $GREETING $(cat /here)`,
      'base/app/here': 'base',
      'back/compose.yml': 'services: {api: {build: {context: src, dockerfile: ../api.Dockerfile}}}',
      'back/api.Dockerfile': `FROM busybox:1.36\nCOPY here /here\nRUN ${fresh}; echo own $(cat /here)`,
      'back/src/here': 'back',
    });
    const run = start({ ...image(), build: { compose: 'deploy/compose.yaml' } });
    const { result, output } = await run.outcome;
    expect(result, run.text()).toBe('passed');
    const names = Object.fromEntries((output?.images ?? []).map(({ name, service }) => [service, name]));
    expect(names).toEqual({ api: 'shop/api', web: 'team-b/web' });
    expect(run.text()).toMatch(/^web \| #\d+ file base$/m);
    expect(run.text()).toMatch(/^api \| #\d+ own back$/m);
  });

  it('pushes nothing when one image cannot be built, and says which', async () => {
    write({
      'compose.yaml': 'services: {good: {build: good}, bad: {build: bad}}',
      'good/Dockerfile': 'FROM busybox:1.36\nRUN sleep 0',
      'bad/Dockerfile': 'FROM busybox:1.36\nRUN exit 4',
    });
    const run = start({ ...image(), build: { compose: 'compose.yaml' } });
    expect(await run.outcome).toEqual({ result: 'failed', reason: 'bad: RUN exit 4: exit code 4', exitCode: 4 });
    expect(run.effects).toEqual([]);
  });
});

describe('the registry', () => {
  beforeEach(() => write({ Dockerfile: 'FROM busybox:1.36\nRUN echo registry > /x' }));

  it.each([
    ['a wrong password', { ...ada, password: 'wrong battery' }],
    ['no password', null],
  ])('refuses %s at once', async (_, credentials) => {
    const run = start(image(), { registry: { host: locked.host }, credentials });
    await expect(run.outcome).rejects.toMatchObject({ party: 'registry', fault: 'auth' });
    expect(run.text()).not.toContain('trying again');
    expect(run.text()).not.toContain('wrong battery');
  });

  it('is tried five times more when it does not answer', async () => {
    const host = `127.0.0.1:${await freePort()}`;
    const run = start(image(), { registry: { host } });
    await expect(run.outcome).rejects.toMatchObject({ party: 'registry', fault: 'unreachable' });
    expect(run.text().match(/trying again/g)).toHaveLength(5);
    await removeImagesOf(host);
  });

  it('takes what it refused at first', async () => {
    const flaky = await startRegistry(path.join(folder, 'flaky'));
    await endChild(flaky.server);
    const reference = `${flaky.host}/x`;
    await engine.getImage('busybox:1.36').tag({ repo: reference, tag: '1' });
    let again: Promise<Registry> | undefined;
    const access = { registry: { url: flaky.host, insecure: true }, credentials: null };
    const restart = (line: string) => {
      if (line.includes('trying again')) again ??= startRegistry(path.join(folder, 'flaky'), null, flaky.port);
    };
    const digest = await pushTag(engine, access, reference, '1', restart, AbortSignal.timeout(60_000));
    const registry = await again;
    expect(await registry?.digest('x', '1')).toBe(digest);
    if (registry) await endChild(registry.server);
    await removeImagesOf(flaky.host);
  });
});

describe.each<Builder>(['buildkit', 'classic'])('the %s builder', (builder) => {
  let log: string;
  const output = {
    write: (lines: Buffer) => {
      log += lines.toString();
    },
    drained: async () => {},
  };
  beforeEach(() => {
    log = '';
  });
  const reference = () => `${open.host}/by/${builder}:1`;
  const buildFrom = (context: BuildContext, signal = AbortSignal.timeout(60_000)) =>
    buildImage(engine, { context, reference: reference(), target: null, args: {} }, output, signal, builder);
  const build = async (dockerfile: string, signal?: AbortSignal) => {
    write({ Dockerfile: dockerfile });
    return buildFrom(await buildContext(workspace, { context: '.', dockerfile: null, inline: null }), signal);
  };

  it('names the image', async () => {
    const id = await build(`FROM busybox:1.36\nRUN ${fresh}; echo ${builder} says hello`);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect((await engine.getImage(reference()).inspect()).Id).toBe(id);
    expect(log).toMatch(new RegExp(`^(#\\d+ )?${builder} says hello$`, 'm'));
  });

  it('tells what is wrong with the Dockerfile, or the exit code', async () => {
    await expect(build('FROM busybox:1.36\nNONSENSE')).rejects.toThrow(/unknown instruction: NONSENSE/);
    await expect(build('FROM busybox:1.36\nNONSENSE')).rejects.toBeInstanceOf(BuildFailure);
    const failure = new BuildFailure('RUN exit 3: exit code 3', 3);
    await expect(build('FROM busybox:1.36\nRUN exit 3')).rejects.toEqual(failure);
  });

  it('ends when the context cannot be read to its end', async () => {
    async function* breaking() {
      yield Buffer.alloc(512);
      throw new Error('the disk is gone');
    }
    const context = { dockerfile: 'Dockerfile', text: '', open: () => Readable.from(breaking()) };
    await expect(buildFrom(context)).rejects.toThrow('the disk is gone');
  });

  it('ends a build that is aborted, and what it runs', async () => {
    const abort = new AbortController();
    const command = `sleep ${60 + Math.random()}`; // nothing else on this machine sleeps for so long
    const building = build(`FROM busybox:1.36\nRUN ${command}`, abort.signal);
    await eventually(() => isRunning(command));
    abort.abort(new Error('cancelled'));
    await expect(building).rejects.toThrow('cancelled');
    await eventually(() => !isRunning(command));
    await eventually(async () => !(await containers()).some((each) => each.includes(command)));
  });
});

// ---- helpers ---------------------------------------------------------------------------------------------------------

function write(files: Record<string, string>) {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(workspace, name)), { recursive: true });
    writeFileSync(path.join(workspace, name), text);
  }
}

function image(build: Partial<ImageBuild> = {}): ImageStep {
  return {
    kind: 'image',
    name: 'image',
    needs: [],
    timeout: null,
    retry: 0,
    allowFailure: false,
    skip: null,
    secrets: [],
    build: { image: 'shop/web', context: '.', dockerfile: null, target: null, args: {}, tags: [], ...build },
  };
}

interface Access {
  registry?: { host: string } | null;
  credentials?: RegistryCredentials | null;
}

function start(step: ImageStep, { registry = open, credentials = null }: Access = {}) {
  const log: Uint8Array[] = [];
  const effects: string[] = [];
  const plan = {
    kind: 'build',
    project: 'shop',
    pipeline: 'main',
    number: 7,
    env: {},
    registry: registry && { url: `${registry.host}/team`, insecure: true },
  } as unknown as BuildPlan;
  const context = {
    claim: { plan, credentials: { source: null, registry: credentials }, attempt: 1 },
    workspace,
    attempt: 2,
    labels: {},
    settings: { caFile: null },
    log: {
      write: (bytes: Uint8Array) => log.push(bytes),
      notice: (text: string) => log.push(Buffer.from(`» ${text}\n`)),
      drained: async () => {},
    },
    effect: async (effect: string) => {
      effects.push(effect);
    },
    signal: AbortSignal.timeout(110_000),
  } as unknown as StepContext;
  return { outcome: imageStep(step, context), effects, text: () => Buffer.concat(log).toString() };
}

interface Registry {
  host: string;
  port: number;
  server: ChildProcess;
  digest(name: string, reference: string): Promise<string | null>;
}

async function startRegistry(at: string, user: RegistryCredentials | null = null, onPort?: number): Promise<Registry> {
  const port = onPort ?? (await freePort());
  mkdirSync(at, { recursive: true });
  let auth = '';
  if (user) {
    const line = execFileSync('htpasswd', ['-inB', user.username], { input: user.password });
    writeFileSync(path.join(at, 'htpasswd'), line);
    auth = `auth: {htpasswd: {realm: test, path: ${at}/htpasswd}}\n`;
  }
  const storage = `storage: {filesystem: {rootdirectory: ${at}/data}}\n`;
  writeFileSync(
    path.join(at, 'config.yml'),
    `version: 0.1\nlog: {level: error}\n${storage}http: {addr: 127.0.0.1:${port}}\n${auth}`,
  );
  const server = spawn('docker-registry', ['serve', path.join(at, 'config.yml')], { stdio: 'ignore' });
  const url = `http://127.0.0.1:${port}/v2/`;
  await eventually(() =>
    fetch(url).then(
      () => true,
      () => false,
    ),
  );
  const accept = 'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json';
  const digest = async (name: string, reference: string) =>
    (await fetch(`${url}${name}/manifests/${reference}`, { method: 'HEAD', headers: { accept } })).headers.get(
      'docker-content-digest',
    );
  return { host: `127.0.0.1:${port}`, port, server, digest };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function eventually(holds: () => boolean | Promise<boolean>) {
  while (!(await holds())) await delay(25);
}

/** What `COPY . /app` brought along. */
const filesOf = (reference: string) =>
  execFileSync('docker', ['run', '--rm', reference, 'sh', '-c', 'cd /app && find . -type f'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((file) => file.slice(2))
    .sort();

/** The commands of all containers, ended ones too. */
const containers = async () => (await engine.listContainers({ all: true })).map(({ Command }) => Command);

/** Builds run on this machine's kernel, so that their processes can be seen from here. */
const isRunning = (command: string) =>
  readdirSync('/proc').some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim() === command;
    } catch {
      return false; // it has just ended
    }
  });

async function removeImagesOf(host: string) {
  for (const { RepoTags, RepoDigests } of await engine.listImages()) {
    const names = [...(RepoTags ?? []), ...(RepoDigests ?? [])].filter((name) => name.startsWith(`${host}/`));
    for (const name of names)
      await engine
        .getImage(name)
        .remove()
        .catch((error) => {
          if (error.statusCode !== 404) throw error; // a digest goes with its last tag
        });
  }
}
