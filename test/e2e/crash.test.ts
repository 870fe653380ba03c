/** `kill -9` of the server in the middle of things, a full disk, and another installation on the same engine. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commit, defineRepo, type Repo, removeFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { type RegistryServer, startRegistry } from '../fixtures/registry-server.ts';
import {
  clearEngine,
  containersWith,
  defineShop,
  eventually,
  imagesWith,
  instanceOf,
  leftovers,
  type Slipway,
  startSlipway,
} from '../fixtures/slipway.ts';

const BUILDS = '/projects/shop/pipelines/web/builds';
const DEV = '/projects/shop/environments/DEV';
const HEALTHY = 'FROM busybox:1.36\nCMD ["httpd","-f","-p","80"]\nHEALTHCHECK --interval=1s CMD true\n';
const NEVER_HEALTHY = HEALTHY.replace('CMD true', 'CMD false').replace('--interval=1s', '--interval=1s --retries=900');
/** A name that nothing else on this machine has, not even these tests where they run twice. */
const STACK = `crash-${process.pid}`;
const RELEASING = `steps: { images: { build: { compose: compose.yml } } }\nrelease: { version: "1.\${number}", stack: ${STACK}, compose: compose.yml }\n`;
const script = (...run: string[]) => `steps: { slow: { image: "busybox:1.36", run: ${JSON.stringify(run)} } }\n`;
/** Does not end at its first attempt, however long that is left alone; passes at the next. */
const secondTime = (name: string) =>
  `steps: { slow: { image: "busybox:1.36", cache: [/kept], run: ["[ -e /kept/${name} ] || { touch /kept/${name}; echo begun; sleep 600; }", "echo survived"] } }\n`;

needs(
  'docker',
  'base-image',
  'registry',
  'compose',
  'git',
)('a server that is killed', () => {
  let registry: RegistryServer;
  let slipway: Slipway;
  let repo: Repo;
  let builds = 0;

  beforeAll(async () => {
    registry = await startRegistry();
    repo = defineRepo({
      'slipway.yml': RELEASING,
      Dockerfile: HEALTHY,
      'compose.yml': 'services: { web: { build: ., stop_grace_period: 1s } }\n',
    });
    slipway = await startSlipway();
    await defineShop(slipway, registry, repo.url);
  });
  afterAll(async () => {
    const instance = instanceOf(slipway);
    await slipway.stop();
    await clearEngine(instance);
    await registry.stop();
    removeFolder(repo.dir);
  });

  const start = async (files: Record<string, string>) => {
    commit(repo, files);
    builds += 1;
    return `${BUILDS}/${builds}`;
  };
  const logged = (at: string, line: RegExp) =>
    eventually(`${line} in the log of ${at}`, async () => line.test(await slipway.text(`${at}/steps/slow/log`)));
  const runningStep = (at: string, name: string) =>
    eventually(`${name} of ${at} to run`, async () => {
      const { status, body } = await slipway.ask('GET', at);
      return (
        status === 200 &&
        body.steps.find((step: { name: string; status: string }) => step.name === name && step.status === 'running')
      );
    });

  test('in a build, before its first push: it is queued again, starts anew, and nothing of the first attempt is left', async () => {
    const at = await start({ 'slipway.yml': secondTime('killed') });
    await logged(at, /^begun$/m);
    const abandoned = leftovers(instanceOf(slipway));
    expect(abandoned).not.toEqual([]);
    await slipway.kill();
    await slipway.restart();
    const build = await slipway.finished(at);
    expect(build).toMatchObject({ result: 'passed', steps: [{ attempt: 2, result: 'passed' }] });
    const log = await slipway.text(`${at}/steps/slow/log`);
    expect(log).toMatch(/^survived$/m);
    expect(log).not.toMatch(/^begun$/m);
    await eventually('nothing left', () => leftovers(instanceOf(slipway)).length === 0);
  });

  test('by SIGTERM, as at a rolling restart: no build fails for it', async () => {
    const at = await start({ 'slipway.yml': secondTime('terminated') });
    await logged(at, /^begun$/m);
    await slipway.terminate();
    await slipway.restart();
    expect(await slipway.finished(at)).toMatchObject({ result: 'passed' });
    await eventually('nothing left', () => leftovers(instanceOf(slipway)).length === 0);
  });

  test('in a build, after its first push: errored, and retry is a click', async () => {
    const pushing = `steps:\n  images: { build: { compose: compose.yml } }\n  slow: { image: "busybox:1.36", run: [sleep 600] }\n`;
    const at = await start({ 'slipway.yml': pushing });
    await runningStep(at, 'slow');
    await slipway.kill();
    await slipway.restart();
    expect(await slipway.finished(at)).toMatchObject({
      result: 'errored',
      reason: expect.stringContaining('after its first push'),
    });
    await eventually('nothing left', () => leftovers(instanceOf(slipway)).length === 0);
  });

  test('in a deploy: errored, the environment is looked at again, the lock is free, and the next deployment goes', async () => {
    const { release } = await slipway.finished(await start({ 'slipway.yml': RELEASING }));
    expect(await slipway.finished(`${DEV}/deployments/1`)).toMatchObject({ result: 'passed', release });
    const { images } = await slipway.finished(await start({ Dockerfile: NEVER_HEALTHY }));
    await runningStep(`${DEV}/deployments/2`, 'deploy');
    await eventually('the new container', () =>
      imagesWith(`com.docker.compose.project=shop-dev-${STACK}`).some((image) => image.includes(images[0].digest)),
    );
    await slipway.kill();
    await slipway.restart();
    expect(await slipway.finished(`${DEV}/deployments/2`)).toMatchObject({
      result: 'errored',
      reason: expect.stringContaining('runner lost during deploy'),
    });
    const stack = await eventually('somebody to look', async () => {
      const [found] = (await slipway.api('GET', DEV)).stacks;
      return found.lock === null && found.observed ? found : null;
    });
    expect(stack).toMatchObject({ current: { release }, hold: null });
    await slipway.finished(await start({ Dockerfile: HEALTHY }));
    expect(await slipway.finished(`${DEV}/deployments/3`)).toMatchObject({ result: 'passed' });
  });

  test('leaves what another installation has on the same engine alone', async () => {
    const another = `slipway.instance=another-${process.pid}`;
    const foreign = [
      'run',
      '-d',
      '--label',
      another,
      '--label',
      'slipway.role=step',
      '--label',
      'slipway.run=1',
      'busybox:1.36',
      'sleep',
      '600',
    ];
    const id = execFileSync('docker', foreign, { encoding: 'utf8' }).trim();
    try {
      await slipway.kill();
      await slipway.restart();
      const at = await start({ 'slipway.yml': script('true') });
      await slipway.finished(at);
      expect(containersWith(another)).toEqual([id]);
    } finally {
      execFileSync('docker', ['rm', '-f', id]);
    }
  });

  test('nothing is "running" for ever: every run that was begun has ended', async () => {
    expect((await slipway.api('GET', '/queue')).items).toEqual([]);
  });
});

needs(
  'docker',
  'base-image',
  'git',
)('a disk that is nearly full', () => {
  test('refuses new builds and says so, misses no commit, and goes on by itself when there is room', async () => {
    const data = mkdtempSync(path.join(tmpdir(), 'slipway-full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1200m', 'tmpfs', data]);
    const repo = defineRepo({ 'slipway.yml': script('true') });
    const slipway = await startSlipway({}, data);
    const ballast = path.join(data, 'ballast');
    try {
      await defineShop(slipway, null, repo.url, []);
      execFileSync('fallocate', ['-l', '400MiB', ballast]);
      await eventually('not ready', async () => (await slipway.ask('GET', '/readyz')).status === 503);
      expect(await slipway.ask('POST', BUILDS, {})).toMatchObject({
        status: 503,
        body: { detail: expect.stringContaining('disk') },
      });
      commit(repo, { 'a.txt': '1' });
      rmSync(ballast);
      expect(await slipway.finished(`${BUILDS}/1`)).toMatchObject({ result: 'passed', trigger: 'poll' });
    } finally {
      const instance = instanceOf(slipway);
      // Not killed: its Git, or a step that is being cleared away, would still use what is unmounted.
      await slipway.terminate();
      execFileSync('umount', [data]);
      rmSync(data, { recursive: true, force: true });
      await clearEngine(instance);
      removeFolder(repo.dir);
    }
  });
});
