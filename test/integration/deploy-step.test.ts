import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { DeploymentPlan, Target } from '../../pipelines/model.ts';
import { deployStep } from '../../runner/steps/deploy.ts';
import { inspectStep } from '../../runner/steps/inspect.ts';
import type { StepContext } from '../../runner/steps/step.ts';
import { ensureFileVolume } from '../../runner/tools/files-volume.ts';
import {
  bundle,
  containersOf,
  definePlan,
  defineRelease,
  docker,
  type Image,
  type ImageStore,
  planned,
  removeEverything,
  sleeper,
  soon,
  startImageStore,
  stepContext,
  web,
} from '../fixtures/stacks.ts';

const instance = randomUUID();
let store: ImageStore;
let first: Image;
let second: Image;

beforeAll(async () => {
  store = await startImageStore();
  first = await store.push('deploy/web', 'one');
  second = await store.push('deploy/web', 'two');
});
afterEach(() => removeEverything(instance));
afterAll(() => store.close());

const apply = (context: StepContext) =>
  deployStep({ ...planned, name: 'deploy', kind: 'deploy', what: 'apply' }, context);
const restore = (context: StepContext) =>
  deployStep({ ...planned, name: 'restore', kind: 'deploy', what: 'restore' }, context);
const inspect = (context: StepContext) =>
  inspectStep({ ...planned, name: 'inspect', kind: 'inspect', of: 'engine' }, context);

const neverHealthy = (image: Image) => ({
  ...sleeper(image),
  command: ['sh', '-c', 'echo cannot reach the ledger; exec sleep 600'],
  healthcheck: { test: ['CMD', 'false'], interval: '1s', retries: 2 },
});

async function inside(plan: DeploymentPlan, service: string, ...command: string[]): Promise<string> {
  const all = await containersOf(plan.composeProject);
  const container = all.find(({ Labels }) => Labels['com.docker.compose.service'] === service);
  const { stdout } = await promisify(execFile)('docker', ['exec', container?.Id ?? '', ...command]);
  return stdout;
}

test('a release goes live, and inspecting shows what runs', async () => {
  const plan = definePlan(defineRelease('1.0', { web: web(first) }));
  const context = stepContext(instance, plan);
  const observed = [{ name: 'web', replicas: 1, healthy: 1, digest: first.digest }];
  expect(await apply(context)).toMatchObject({ result: 'passed', output: { observed } });
  expect(context.effects).toEqual(['deploying']);
  expect(await inspect(stepContext(instance, plan))).toMatchObject({ result: 'passed', output: { observed } });
  const [container] = await containersOf(plan.composeProject);
  expect(container?.Labels).toMatchObject({
    'slipway.instance': instance,
    'slipway.role': 'stack',
    'slipway.project': 'shop',
    'slipway.environment': 'DEV',
    'slipway.stack': 'shop',
  });
});

test('a release that never becomes healthy fails with its log, and the previous one is put back', async () => {
  const good = defineRelease('1.0', { web: web(first) });
  const bad = defineRelease('1.1', { web: neverHealthy(second) });
  const before = definePlan(good);
  await apply(stepContext(instance, before));
  const plan = definePlan(bad, { composeProject: before.composeProject });

  const context = stepContext(instance, plan, { previous: good });
  const outcome = await apply(context);
  expect(outcome).toMatchObject({ result: 'failed', reason: expect.stringMatching(/web: 0 of 1 healthy/) });
  expect(context.text()).toContain('cannot reach the ledger');

  const restored = await restore(stepContext(instance, plan, { previous: good }));
  const observed = [{ name: 'web', replicas: 1, healthy: 1, digest: first.digest }];
  expect(restored).toMatchObject({ result: 'passed', output: { restored: true, observed } });
});

test('a first deployment that fails is removed; its volumes stay', async () => {
  const services = { web: { ...neverHealthy(first), volumes: ['data:/data'] } };
  const plan = definePlan(defineRelease('1.0', services, { rest: { volumes: { data: {} } } }));
  expect(await apply(stepContext(instance, plan))).toMatchObject({ result: 'failed' });
  const outcome = await restore(stepContext(instance, plan));
  expect(outcome).toMatchObject({ result: 'passed', output: { restored: true, observed: [] } });
  expect(await containersOf(plan.composeProject)).toEqual([]);
  const { Volumes } = await docker.listVolumes({ filters: { name: [`${plan.composeProject}_data`] } });
  expect(Volumes).toHaveLength(1);
});

test('where restoring fails too, it says what is wanted, what runs, and what helps', async () => {
  const bad = defineRelease('1.0', { web: { image: first, command: ['false'] } });
  const plan = definePlan(bad);
  const context = stepContext(instance, plan, { previous: bad });
  expect(await restore(context)).toMatchObject({ result: 'errored', output: { restored: false } });
  expect(context.text()).toMatch(/» ATTENTION: DEV needs a person/);
  expect(context.text()).toContain(`» wanted web: 1 of ${first.digest}`);
  expect(context.text()).toContain('» actual web: 0 of 0 healthy');
  expect(context.text()).toContain(`docker -H unix:///var/run/docker.sock ps -a`);
});

test('what the policy forbids is refused before anything is touched', async () => {
  const plan = definePlan(defineRelease('1.0', { web: { ...sleeper(first), privileged: true } }));
  const context = stepContext(instance, plan);
  await expect(apply(context)).rejects.toMatchObject({ code: 'invalid' });
  expect(context.effects).toEqual([]);
  expect(await containersOf(plan.composeProject)).toEqual([]);
});

test('an image that cannot be had leaves the engine untouched', async () => {
  const gone: Image = { reference: first.reference.replace(/.{8}$/, '00000000'), digest: first.digest };
  const plan = definePlan(defineRelease('1.0', { web: sleeper(gone) }));
  const context = stepContext(instance, plan);
  await expect(apply(context)).rejects.toMatchObject({ party: 'registry' });
  expect(context.effects).toEqual([]);
});

test('bundled files arrive: a folder, a single file, and an env file', async () => {
  const files = bundle({
    'conf/site/a.txt': 'from a folder',
    'conf/one.txt': 'a single file',
    'conf/run.sh': '#!/bin/sh\necho ran',
    'app.env': 'GREETING=hello\n',
  });
  const services = {
    web: {
      ...sleeper(first),
      env_file: 'app.env',
      volumes: ['./conf/site:/site:ro', './conf/one.txt:/etc/one.txt:ro', './conf/run.sh:/run.sh:ro'],
    },
  };
  const plan = definePlan(defineRelease('1.0', services, { files: files.files }));
  const outcome = await apply(stepContext(instance, plan, { bundles: [files] }));
  expect(outcome.result).toBe('passed');
  expect(await inside(plan, 'web', 'cat', '/site/a.txt')).toBe('from a folder');
  expect(await inside(plan, 'web', 'cat', '/etc/one.txt')).toBe('a single file');
  expect(await inside(plan, 'web', '/run.sh')).toBe('ran\n');
  expect(await inside(plan, 'web', 'sh', '-c', 'echo $GREETING')).toBe('hello\n');

  const before = await containersOf(plan.composeProject);
  await apply(stepContext(instance, plan, { bundles: [files] }));
  expect((await containersOf(plan.composeProject)).map(({ Id }) => Id)).toEqual(before.map(({ Id }) => Id));
});

test('runs that fill a volume at once do not disturb each other, and later ones use what is there', async () => {
  const { files, contents } = bundle({ 'deep/er/one.txt': 'one' });
  const name = `slipway-files-${randomUUID()}`;
  const fill = () =>
    ensureFileVolume(
      { name, variable: 'SLIPWAY_FILES_0', files, directories: ['empty/inside'] },
      {
        docker,
        image: first.reference,
        labels: { 'slipway.instance': instance },
        getBlob: async (sha256) => Readable.from([contents.get(sha256)]),
        signal: soon(),
      },
    );
  const filled = await Promise.all([fill(), fill(), fill()]);
  expect(filled).toContainEqual(await fill());
  for (const { mountpoint } of filled) {
    expect(await readFile(join(mountpoint, 'deep/er/one.txt'), 'utf8')).toBe('one');
    expect((await stat(join(mountpoint, 'empty/inside'))).isDirectory()).toBe(true);
  }
  const helpers = { label: [`slipway.instance=${instance}`, 'slipway.role=files'] };
  expect(await docker.listContainers({ all: true, filters: helpers })).toEqual([]);
});

test('a bundled file that is not what the release says is refused', async () => {
  const files = bundle({ 'one.txt': 'right' });
  const sha256 = files.files[0]?.sha256 ?? '';
  files.contents.set(sha256, Buffer.from('wrong'));
  const services = { web: { ...sleeper(first), volumes: ['./one.txt:/one.txt:ro'] } };
  const plan = definePlan(defineRelease('1.0', services, { files: files.files }));
  await expect(apply(stepContext(instance, plan, { bundles: [files] }))).rejects.toThrow(/one\.txt.*sha256/);
});

test('secrets reach the containers as variables and files; never an argv, a file of this machine, or the log', async () => {
  const release = (environment: string): Target =>
    defineRelease(
      environment,
      {
        web: { ...sleeper(first), user: '65534', environment: { TOKEN: interpolated('TOKEN') }, secrets: ['TOKEN'] },
      },
      { rest: { secrets: { TOKEN: { environment: 'TOKEN' } } } },
    );
  const plan = definePlan(release('1.0'));
  const deploy = (token: string) => stepContext(instance, plan, { secrets: { TOKEN: token } });
  const context = deploy('open-sesame-1');
  const watch = watchMachine('open-sesame-1');
  expect(await apply(context)).toMatchObject({ result: 'passed' });
  expect(await watch.stop()).toEqual([]);
  expect(context.text()).not.toContain('open-sesame');
  expect(await inside(plan, 'web', 'sh', '-c', 'echo $TOKEN')).toBe('open-sesame-1\n');
  expect(await inside(plan, 'web', 'cat', '/run/secrets/TOKEN')).toBe('open-sesame-1');

  await apply(deploy('open-sesame-2'));
  expect(await inside(plan, 'web', 'cat', '/run/secrets/TOKEN')).toBe('open-sesame-2');
});

const interpolated = (name: string): string => `\${${name}}`;

test('a secret that the engine repeats is not in the reason', async () => {
  const plan = definePlan(defineRelease('1.0', { web: { image: first, command: [interpolated('TOKEN')] } }));
  const outcome = await apply(stepContext(instance, plan, { secrets: { TOKEN: 'open-sesame-1' } }));
  expect(outcome.result).toBe('failed');
  expect(outcome.reason).not.toContain('open-sesame');
});

/** Looks for `secret` in every command line and in Slipway's temporary folders until stopped. */
function watchMachine(secret: string) {
  const seen = new Set<string>();
  const done = new AbortController();
  const look = async (path: string): Promise<void> => {
    // Processes and folders come and go while we look.
    const content = await readFile(path, 'utf8').catch(() => '');
    if (content.includes(secret)) seen.add(path);
  };
  const watching = (async () => {
    while (!done.signal.aborted) {
      const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
      await Promise.all(processes.map((pid) => look(`/proc/${pid}/cmdline`)));
      for (const folder of (await readdir(tmpdir())).filter((name) => name.startsWith('slipway-compose-'))) {
        const files = await readdir(join(tmpdir(), folder), { recursive: true }).catch(() => []);
        await Promise.all(files.map((file) => look(join(tmpdir(), folder, file))));
      }
      await delay(20);
    }
  })();
  return {
    async stop() {
      done.abort();
      await watching;
      return [...seen];
    },
  };
}

test('two environments share an engine', async () => {
  const plans = [first, second].map((image, index) =>
    definePlan(defineRelease('1.0', { web: { ...web(image), container_name: 'web' } }), {
      environment: index ? 'TEST' : 'DEV',
    }),
  );
  const contexts = plans.map((plan) => stepContext(instance, plan));
  const outcomes = await Promise.all(contexts.map(apply));
  expect(outcomes.map(({ output }) => output?.observed?.[0]?.digest)).toEqual([first.digest, second.digest]);
});

test('a cancel ends the step, and the restore after it works', async () => {
  const good = defineRelease('1.0', { web: web(first) });
  const { composeProject } = definePlan(good);
  await apply(stepContext(instance, definePlan(good, { composeProject })));
  const slow = { ...sleeper(second), healthcheck: { test: ['CMD', 'false'], interval: '60s' } };
  const plan = definePlan(defineRelease('1.1', { web: slow }), { composeProject });
  const cancel = new AbortController();
  const context = stepContext(instance, plan, { previous: good, signal: cancel.signal });
  context.effect = async () => cancel.abort(new Error('cancelled by ann'));
  await expect(apply(context)).rejects.toThrow('cancelled by ann');
  const outcome = await restore(stepContext(instance, plan, { previous: good }));
  expect(outcome).toMatchObject({ output: { restored: true, observed: [{ digest: first.digest }] } });
});

test('a step that is not healthy in its time fails and says who was late', async () => {
  const slow = { ...sleeper(first), healthcheck: { test: ['CMD', 'false'], interval: '60s' } };
  // Two thirds of it are for putting it in place, which takes Compose its time on a busy machine.
  const plan = definePlan(defineRelease('1.0', { web: slow }), { timeout: 60_000 });
  const outcome = await apply(stepContext(instance, plan));
  expect(outcome).toMatchObject({ result: 'failed', reason: expect.stringMatching(/did not become healthy: web/) });
});
