import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { RenderedStack, StackRef } from '../../pipelines/ports.ts';
import { ComposeEngine } from '../../runner/tools/compose.ts';
import { stackEngineContract } from '../contract/stack-engine.ts';
import {
  containersOf,
  defineStack,
  docker,
  type Image,
  type ImageStore,
  removeEverything,
  renderServices,
  sleeper,
  soon,
  startImageStore,
  web,
} from '../fixtures/stacks.ts';

const instance = randomUUID();
const engine = new ComposeEngine(null);
let store: ImageStore;
let first: Image;
let second: Image;

beforeAll(async () => {
  store = await startImageStore();
  first = await store.push('engine/web', 'one');
  second = await store.push('engine/web', 'two');
});
afterEach(() => removeEverything(instance));
afterAll(() => store.close());

function recorder() {
  const lines: string[] = [];
  return {
    lines,
    notice: (line: string) => void lines.push(line),
    write: (bytes: Uint8Array) => void lines.push(`${bytes}`),
  };
}

async function put(stack: StackRef, rendered: RenderedStack, log = recorder(), signal = soon()) {
  await engine.pull(stack, rendered, null, log.notice, signal);
  await engine.apply(stack, rendered, log.write, signal);
  return engine.settle(stack, rendered, log.notice, signal);
}

const stateOf = async (stack: StackRef) => (await containersOf(stack.composeProject)).map(({ Id }) => Id).sort();

describe('the contract', () => {
  stackEngineContract(() => ({
    engine,
    stack: () => defineStack(instance),
    render: (stack, version) => renderServices(stack, { web: web(version === 1 ? first : second) }),
    signal: soon,
  }));
});

describe('deploying', () => {
  test('pulls what is missing, by digest', async () => {
    const stack = defineStack(instance);
    const fresh = await store.push('engine/fresh', 'fresh');
    await store.forget(fresh);
    const log = recorder();
    const [service] = await put(stack, renderServices(stack, { web: web(fresh) }), log);
    expect(service?.digest).toBe(fresh.digest);
    expect(log.lines).toContain(`pulling ${fresh.reference}`);
  });

  test('two services; the same again leaves their containers alone', async () => {
    const stack = defineStack(instance);
    const rendered = renderServices(stack, {
      web: web(first),
      worker: { ...sleeper(second), deploy: { replicas: 2 } },
    });
    const services = await put(stack, rendered);
    expect(services).toEqual([
      { name: 'web', replicas: 1, healthy: 1, digest: first.digest },
      { name: 'worker', replicas: 2, healthy: 2, digest: second.digest },
    ]);
    const before = await stateOf(stack);
    await put(stack, rendered);
    expect(await stateOf(stack)).toEqual(before);
  });

  test('a one-shot that exits 0 is healthy', async () => {
    const stack = defineStack(instance);
    const services = await put(stack, renderServices(stack, { migrate: { image: first, command: ['true'] } }));
    expect(services).toEqual([{ name: 'migrate', replicas: 1, healthy: 1, digest: first.digest }]);
  });

  test('a service that needs a few restarts until its database answers', async () => {
    const stack = defineStack(instance);
    const command = ['sh', '-c', 'echo x >>/tries; [ $$(wc -l </tries) -gt 2 ] || exit 1; exec sleep 600'];
    const services = await put(stack, renderServices(stack, { api: { image: first, command, restart: 'always' } }));
    expect(services).toMatchObject([{ name: 'api', healthy: 1 }]);
  });

  test('two stacks side by side on one engine', async () => {
    const [dev, pro] = [defineStack(instance), defineStack(instance)];
    await Promise.all([
      put(dev, renderServices(dev, { web: web(first) })),
      put(pro, renderServices(pro, { web: web(second) })),
    ]);
    await engine.remove(dev, () => {}, soon());
    expect(await engine.observe(pro, soon())).toMatchObject([{ name: 'web', healthy: 1, digest: second.digest }]);
  });

  test('values of the environment are in no container command, only where the text wants them', async () => {
    const stack = defineStack(instance);
    const rendered = renderServices(stack, { web: { ...sleeper(first), environment: ['TOKEN'] } });
    await put(stack, { ...rendered, environment: { TOKEN: 'tell-nobody' } });
    const [container] = await containersOf(stack.composeProject);
    const { Config } = await docker.getContainer(container?.Id ?? '').inspect();
    expect(Config.Env).toContain('TOKEN=tell-nobody');
  });
});

describe('a stack that does not come up', () => {
  test('a container that exits at once fails, with its last words', async () => {
    const stack = defineStack(instance);
    const log = recorder();
    const broken = { image: first, command: ['sh', '-c', 'echo no database; exit 3'] };
    await expect(put(stack, renderServices(stack, { api: broken }), log)).rejects.toThrow(
      /api: 0 of 1 healthy.*exit code 3/,
    );
    expect(log.lines.join('\n')).toMatch(/\| no database/);
  });

  test('a container that keeps restarting is given up', async () => {
    const stack = defineStack(instance);
    const broken = { image: first, command: ['sh', '-c', 'exit 4'], restart: 'always' };
    await expect(put(stack, renderServices(stack, { api: broken }))).rejects.toThrow(/api.*keeps restarting/);
  });

  test('an unhealthy one fails, with the last word of its health check', async () => {
    const stack = defineStack(instance);
    const log = recorder();
    const healthcheck = { test: ['CMD-SHELL', 'echo not today; false'], interval: '1s', retries: 1 };
    const rendered = renderServices(stack, { api: { ...sleeper(first), healthcheck } });
    await expect(put(stack, rendered, log)).rejects.toMatchObject({ code: 'conflict' });
    expect(log.lines.join('\n')).toContain('not today');
  });

  test('a deadline names who was late', async () => {
    const stack = defineStack(instance);
    const healthcheck = { test: ['CMD', 'false'], interval: '60s' };
    const rendered = renderServices(stack, { api: { ...sleeper(first), healthcheck } });
    await engine.apply(stack, rendered, () => {}, soon());
    // Long enough for a busy engine to be asked once.
    const settling = engine.settle(stack, rendered, () => {}, AbortSignal.timeout(8_000));
    await expect(settling).rejects.toThrow(/did not become healthy: api: 0 of 1 healthy/);
  });

  test('a cancel ends the wait', async () => {
    const stack = defineStack(instance);
    const rendered = renderServices(stack, {
      api: { ...sleeper(first), healthcheck: { test: ['CMD', 'false'], interval: '60s' } },
    });
    await engine.apply(stack, rendered, () => {}, soon());
    const cancel = new AbortController();
    const settling = engine.settle(stack, rendered, () => {}, cancel.signal);
    cancel.abort(new Error('cancelled by ann'));
    await expect(settling).rejects.toThrow('cancelled by ann');
  });

  test('containers of another image than the release names are found out', async () => {
    const stack = defineStack(instance);
    const rendered = renderServices(stack, { web: web(first) });
    const images = { web: { ...first, digest: second.digest } };
    await expect(put(stack, { ...rendered, images })).rejects.toThrow(new RegExp(`${first.digest}.*${second.digest}`));
  });

  test('what Compose refuses is told', async () => {
    const stack = defineStack(instance);
    const rendered = renderServices(stack, { web: { ...sleeper(first), ports: ['nonsense'] } });
    await expect(put(stack, rendered)).rejects.toThrow(/Compose could not put the stack in place/);
  });
});

describe('what is not ours', () => {
  test('a project of the same name is neither changed nor removed', async () => {
    const theirs = defineStack(instance);
    await put(theirs, renderServices(theirs, { web: sleeper(first) }));
    const ours = defineStack(randomUUID(), theirs.composeProject);
    await expect(put(ours, renderServices(ours, { web: sleeper(second) }))).rejects.toThrow(/did not make/);
    await expect(engine.remove(ours, () => {}, soon())).rejects.toThrow(/did not make/);
    expect(await engine.observe(theirs, soon())).toMatchObject([{ digest: first.digest }]);
  });
});

describe('an engine that is away', () => {
  let silent: Server;
  beforeAll(async () => {
    silent = createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });
  afterAll(() => void silent.close());

  test.each([
    ['no socket', () => 'unix:///nonexistent/docker.sock'],
    ['nobody listens', () => 'tcp://127.0.0.1:1'],
    ['nobody answers', () => `tcp://127.0.0.1:${(silent.address() as { port: number }).port}`],
  ])('%s', async (_, host) => {
    const stack: StackRef = { ...defineStack(instance), engine: { kind: 'compose', host: host() } };
    const fault = { code: 'remote', party: 'engine', fault: 'unreachable' };
    await expect(engine.observe(stack, soon())).rejects.toMatchObject(fault);
  });
});
