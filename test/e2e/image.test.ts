/** Slipway's own image and compose file, as a newcomer starts them: the engine is outside the server's container. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { baseImage } from '../fixtures/base-images.ts';
import {
  commit,
  defineRepo,
  freePort,
  type GitServer,
  type Repo,
  removeFolder,
  serveHttp,
  tempFolder,
} from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { eventually, type Json } from '../fixtures/slipway.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
const TOKEN = 'image-test-token-0123456789';
/** Of its own, as the name of the image: nothing else on this machine is of this project. */
const PROJECT = `image-test-${process.pid}`;
const NAME = `slipway-image-test-${process.pid}`;
const SOCKET = '/var/run/docker.sock';
/** Making base images, and compiling the native module where it cannot be fetched. */
const BUILD_LIMIT = 20 * 60_000;

const FILES = {
  Dockerfile: 'FROM busybox:1.36\nCOPY page /www/index.html\nCMD ["httpd","-f","-p","80","-h","/www"]\n',
  page: 'hello\n',
  'compose.yml': 'services:\n  web:\n    build: .\n    stop_grace_period: 1s\n',
  'slipway.yml': `steps:
  unit: { image: "busybox:1.36", run: ["grep hello page"] }
  images: { build: { compose: compose.yml } }
release:
  version: "1.\${number}"
  compose: compose.yml
  verify:
    smoke: { image: "busybox:1.36", run: ["wget -qO- http://web/"] }
notify: { mail: { to: [team@example.com], on: [deployed] } }
`,
};

const docker = (...args: string[]): string =>
  execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

needs(
  'docker',
  'base-image',
  'compose',
  'git',
  'registry',
)('the image and docker-compose.yml', () => {
  let data: string;
  let repo: Repo;
  let git: GitServer;
  let ports: { server: number; registry: number; smtp: number; mail: number };

  beforeAll(async () => {
    for (const name of ['node:20-trixie-slim', 'registry:2', 'axllent/mailpit:v1.21'] as const) baseImage(name);
    data = mkdtempSync(path.join(tmpdir(), 'slipway-image-'));
    const folder = tempFolder();
    repo = defineRepo(FILES, folder);
    git = await serveHttp(folder);
    // All at once, so that none is given twice.
    const [server, registry, smtp, mail] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    ports = { server, registry, smtp, mail };
    compose('build');
    compose('up', '-d');
    await eventually('the server', () => answers(ports.server));
  }, BUILD_LIMIT);

  afterAll(async () => {
    // The server first, then what it made: nothing may appear behind the clearing.
    compose('down', '-v');
    for (const kind of ['container', 'network', 'volume'] as const) {
      const mine = docker(
        kind,
        'ls',
        '-q',
        ...(kind === 'container' ? ['-a'] : []),
        '--filter',
        `label=slipway.project=${PROJECT}`,
      );
      for (const id of mine.split('\n').filter(Boolean)) docker(kind, 'rm', '-f', id);
    }
    const images = docker('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}');
    const ours = (name: string) => name.startsWith(`${NAME}:`) || name.startsWith(`localhost:${ports.registry}/`);
    for (const image of images.split('\n').filter(ours)) docker('image', 'rm', '-f', image);
    await git.stop();
    removeFolder(path.dirname(repo.dir));
    rmSync(data, { recursive: true, force: true });
  }, BUILD_LIMIT);

  function compose(...args: string[]): void {
    const [program, ...first] = hasComposeV2() ? ['docker', 'compose'] : ['docker-compose'];
    const env = {
      ...process.env,
      SLIPWAY_IMAGE: NAME,
      SLIPWAY_DATA: data,
      SLIPWAY_HOST: '127.0.0.1',
      SLIPWAY_PORT: String(ports.server),
      SLIPWAY_ADMIN_TOKEN: TOKEN,
      SLIPWAY_SMTP_URL: `smtp://127.0.0.1:${ports.smtp}`,
      REGISTRY_PORT: String(ports.registry),
      SMTP_PORT: String(ports.smtp),
      MAIL_PORT: String(ports.mail),
    };
    execFileSync(program as string, [...first, '-p', NAME, ...args], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  async function api(method: string, at: string, body?: unknown, port = ports.server): Promise<Json> {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1${at}`, {
      method,
      // Closed: what blocks this process keeps it from hearing that an idle connection was.
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', connection: 'close' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  const finished = (at: string, port?: number) =>
    eventually(`${at} to finish`, async () => {
      const run = await api('GET', at, undefined, port).catch(() => null);
      return run?.status === 'finished' && run;
    });

  async function defineProject(port?: number): Promise<void> {
    await api('PUT', `/projects/${PROJECT}`, { name: 'Image test' }, port);
    await api('PUT', `/projects/${PROJECT}/registry`, { url: `localhost:${ports.registry}`, insecure: true }, port);
    const source = { kind: 'git', url: git.urlOf(repo), branches: ['main'] };
    await api('PUT', `/projects/${PROJECT}/pipelines/web`, { source }, port);
  }

  test('a commit goes to DEV, with the engine outside the container, and mail of it arrives', async () => {
    await defineProject();
    const engine = { kind: 'compose', host: `unix://${SOCKET}` };
    await api('PUT', `/projects/${PROJECT}/environments/DEV`, { order: 1, engine, promote: 'auto' });
    commit(repo, { page: 'hello from a container\n' });
    await api('POST', `/projects/${PROJECT}/pipelines/web/builds`, {});
    expect(await finished(`/projects/${PROJECT}/pipelines/web/builds/1`)).toMatchObject({
      result: 'passed',
      images: [{ reference: expect.stringMatching(`^localhost:${ports.registry}/${PROJECT}/web@sha256:`) }],
    });
    expect(await finished(`/projects/${PROJECT}/environments/DEV/deployments/1`)).toMatchObject({ result: 'passed' });
    await eventually('the mail', async () => {
      const answer = await fetch(`http://127.0.0.1:${ports.mail}/api/v1/messages`);
      const { messages } = (await answer.json()) as { messages: unknown[] };
      return messages.length > 0;
    });
  });

  test('a data folder with another path outside: the first step says what is wrong and how to mend it', async () => {
    const port = await freePort();
    const other = mkdtempSync(path.join(tmpdir(), 'slipway-image-'));
    const settings = {
      SLIPWAY_DATA: '/inside',
      SLIPWAY_HOST: '127.0.0.1',
      SLIPWAY_PORT: String(port),
      SLIPWAY_ADMIN_TOKEN: TOKEN,
    };
    const id = docker(
      ...['run', '-d', '--network', 'host', '-v', `${SOCKET}:${SOCKET}`, '-v', `${other}:/inside`],
      ...Object.entries(settings).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
      NAME,
    );
    try {
      await eventually('the server', () => answers(port));
      await defineProject(port);
      await api('POST', `/projects/${PROJECT}/pipelines/web/builds`, {}, port);
      const build = await finished(`/projects/${PROJECT}/pipelines/web/builds/1`, port);
      expect(build).toMatchObject({ result: 'errored' });
      expect(build.reason).toMatch(/engine does not see the workspaces.*\/inside.*same path on the host/s);
    } finally {
      docker('rm', '-f', '-v', id);
      rmSync(other, { recursive: true, force: true });
    }
  });
});

const answers = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );

function hasComposeV2(): boolean {
  try {
    docker('compose', 'version');
    return true;
  } catch {
    return false;
  }
}
