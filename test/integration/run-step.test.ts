import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RemoteError } from '../../pipelines/errors.ts';
import type { RunStep } from '../../pipelines/model.ts';
import { LABEL } from '../../runner/labels.ts';
import { createStepLog } from '../../runner/step-log.ts';
import { runStep } from '../../runner/steps/run.ts';
import { emptyWithContainer, removeWorkspace } from '../../runner/steps/workspace.ts';
import { pack, readFromContainer } from '../../runner/tools/archive.ts';
import { pendingRemovals, removeContainer, runContainer } from '../../runner/tools/containers.ts';
import { engineClient } from '../../runner/tools/engine.ts';
import { buildPlan, type FakeContextOptions, fakeContext, runStepOf } from '../fakes/step-context.ts';

const docker = engineClient(null);
const instance = randomUUID();
const ofInstance = { label: [`${LABEL.instance}=${instance}`] };
let workspace: string;

beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'slipway-run-'));
});
afterEach(async () => {
  await pendingRemovals();
  await removeWorkspace(workspace);
  expect(await leftOver()).toEqual({ containers: 0, networks: 0 });
});
afterAll(async () => {
  const { Volumes } = await docker.listVolumes({ filters: JSON.stringify(ofInstance) });
  for (const { Name } of Volumes) await docker.getVolume(Name).remove();
});

async function leftOver() {
  const containers = await docker.listContainers({ all: true, filters: ofInstance });
  const networks = await docker.listNetworks({ filters: ofInstance });
  return { containers: containers.length, networks: networks.length };
}

const context = (options: Partial<FakeContextOptions> = {}) =>
  fakeContext({ workspace, settings: { instance }, ...options });

async function run(commands: string[], changes: Partial<RunStep> = {}, options: Partial<FakeContextOptions> = {}) {
  const here = context(options);
  const outcome = await runStep(runStepOf(commands, changes), here);
  return { ...outcome, text: here.text(), stored: here.stored };
}

/** An image of these Dockerfile lines, for as long as `use` takes. */
async function withImage<T>(lines: string, use: (tag: string) => Promise<T>): Promise<T> {
  const tag = `slipway-test-${randomUUID().slice(0, 8)}`;
  const stream = await docker.buildImage(pack([{ path: 'Dockerfile', content: Buffer.from(`${lines}\n`) }]), {
    t: tag,
  });
  for await (const _ of stream as AsyncIterable<Buffer>);
  try {
    return await use(tag);
  } finally {
    await pendingRemovals();
    await docker.getImage(tag).remove({ force: true });
  }
}

describe('a run step', () => {
  it('logs commands and output in order and passes', async () => {
    const { result, exitCode, text } = await run(['echo one; echo two >&2; echo three', 'printf "\\001\\377 no end"']);
    expect({ result, exitCode }).toEqual({ result: 'passed', exitCode: 0 });
    expect(text).toContain('» echo one; echo two >&2; echo three\none\ntwo\nthree\n» printf');
  });

  it('logs bytes as they are written', async () => {
    const here = context();
    await runStep(runStepOf(["printf '\\001\\377\\000x'"]), here);
    expect(here.bytes().subarray(-4)).toEqual(Buffer.from([1, 255, 0, 'x'.charCodeAt(0)]));
  });

  it('keeps the exit code of what failed', async () => {
    expect(await run(['exit 7'])).toMatchObject({ result: 'failed', reason: 'exit code 7', exitCode: 7 });
  });

  it('gives the script its environment and only the secrets it names', async () => {
    const plan = buildPlan({ env: { CI: 'true', LEVEL: 'plan' } });
    const secrets = { NPM_TOKEN: 'named-secret', OTHER: 'not-named' };
    const { text } = await run(['env; pwd'], { env: { LEVEL: 'step' }, secrets: ['NPM_TOKEN'] }, { plan, secrets });
    for (const line of ['CI=true', 'LEVEL=step', 'NPM_TOKEN=named-secret', 'SLIPWAY_WORKSPACE=/workspace'])
      expect(text).toContain(`${line}\n`);
    expect(text).toMatch(/^\/workspace$/m);
    expect(text).not.toContain('not-named');
  });

  it('works on the workspace', async () => {
    await writeFile(join(workspace, 'in'), 'hello');
    await run(['cat in > out']);
    expect(await readFile(join(workspace, 'out'), 'utf8')).toBe('hello');
  });

  it.each([
    ['a number', 'USER 1234'],
    ['a name', "RUN echo 'builder:x:1234:1234::/:/bin/sh' >> /etc/passwd\nUSER builder"],
  ])('lets an image whose user is %s write to the workspace and the cache', async (_what, lines) => {
    await mkdir(join(workspace, 'sub'));
    await withImage(`FROM busybox:1.36\n${lines}`, async (image) => {
      const { result, text } = await run(['id -u', 'touch sub/made /deps/made'], { image, cache: ['/deps'] });
      expect(text).toContain('\n1234\n');
      expect(result).toBe('passed');
    });
    expect((await stat(join(workspace, 'sub/made'))).uid).toBe(1234);
  });

  it('keeps a cache between builds of a pipeline, and from other pipelines', async () => {
    const remember = ['echo kept >> /cache/file; wc -l < /cache/file'];
    await run(remember, { cache: ['/cache'] });
    const { text } = await run(remember, { cache: ['/cache'] });
    expect(text).toMatch(/^2$/m);
    const other = await run(remember, { cache: ['/cache'] }, { plan: buildPlan({ pipeline: 'other' }) });
    expect(other.text).toMatch(/^1$/m);
  });

  it('tells when memory ran out', async () => {
    const memory = 16 * 1024 ** 2;
    const { result, reason, exitCode } = await run(['x=a; while true; do x=$x$x; done'], { memory });
    expect({ result, reason, exitCode }).toEqual({
      result: 'failed',
      reason: 'out of memory (limit 16 MiB)',
      exitCode: 137,
    });
  });

  it('is bounded in its processes', async () => {
    const { text } = await run([
      'ulimit -a > /dev/null; cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null || true',
    ]);
    expect(text).toContain('4096');
  });

  it('says which image cannot be had', async () => {
    const failing = run(['true'], { image: '127.0.0.1:1/none:1' });
    await expect(failing).rejects.toThrow(RemoteError);
    await expect(failing).rejects.toMatchObject({ party: 'registry', fault: 'unreachable' });
    await expect(failing).rejects.toThrow('127.0.0.1:1/none:1');
  });

  it('says that what is named is no image', async () => {
    await expect(run(['true'], { image: '../containers/json?all=1' })).rejects.toMatchObject({
      code: 'invalid',
      field: 'image',
    });
  });

  it('fails where the image has no shell, and says so in the log', async () => {
    await withImage('FROM scratch\nCOPY Dockerfile /', async (image) => {
      const { result, text } = await run(['true'], { image });
      expect(result).toBe('failed');
      expect(text).toContain('exec sh failed: No such file');
    });
  });

  it('loses nothing of 20 MB of output', async () => {
    const here = context();
    await runStep(runStepOf(['yes 0123456789abcdef | head -c 20000000']), here);
    const output = here.bytes();
    expect(output.length).toBe(20_000_000);
    expect(output.equals(Buffer.alloc(20_000_000, '0123456789abcdef\n'))).toBe(true);
  });

  it('goes on past the limit of its log, and keeps its exit code', async () => {
    const here = context();
    const parts: Uint8Array[] = [];
    const api = {
      log: async (_ref: unknown, _token: string, offset: number, chunk: Uint8Array) => {
        parts.push(Uint8Array.from(chunk));
        return offset + chunk.length;
      },
      closeLog: async () => {},
    };
    const masker = { push: (bytes: Uint8Array) => bytes, end: () => new Uint8Array() };
    const log = createStepLog({
      api,
      ref: { runId: 1, step: 'step', attempt: 1 },
      token: 't',
      masker,
      limit: 1024 ** 2,
      now: Date.now,
    });
    const { exitCode } = await runStep(runStepOf(['yes | head -c 5000000', 'exit 3']), { ...here, log });
    await log.close();
    expect(exitCode).toBe(3);
    expect(
      Buffer.concat(parts)
        .subarray(1024 ** 2)
        .toString(),
    ).toContain('» log limit of 1 MiB reached: the rest is not kept\n');
  });
});

describe('what a run step leaves', () => {
  it('stores artifacts, but no links, and none from outside the workspace', async () => {
    await symlink('/etc/passwd', join(workspace, 'link.txt'));
    await symlink('/etc', join(workspace, 'etc'));
    const commands = [
      'mkdir -p out/deep; echo a > out/a.txt; echo b > out/deep/b.txt; mkfifo out/fifo.txt; echo c > c.log',
    ];
    const { output, stored, result } = await run(commands, { artifacts: ['out', '*.txt', 'etc/**'] });
    expect(result).toBe('passed');
    expect(output?.artifacts?.map(({ path }) => path)).toEqual(['out/a.txt', 'out/deep/b.txt']);
    expect([...stored.values()].map(String)).toEqual(['a\n', 'b\n']);
    await expect(run(['true'], { artifacts: ['../*'] })).rejects.toMatchObject({ code: 'invalid' });
  });

  it('says when there are too many', async () => {
    const { result, reason, text } = await run(['for i in $(seq 1001); do : > f$i.txt; done'], {
      artifacts: ['*.txt', 'none/*'],
    });
    expect({ result, reason }).toMatchObject({
      result: 'failed',
      reason: expect.stringContaining('more than 1000 files'),
    });
    expect(text).not.toContain('no file matches');
  });

  const report =
    '<testsuite name="s"><testcase name="ok"/><testcase name="bad"><failure message="no"/></testcase></testsuite>';

  it('reads test reports, and fails when tests have', async () => {
    await writeFile(join(workspace, 'report.xml'), report);
    const { result, reason, output } = await run(['true'], { junit: ['*.xml'] });
    expect({ result, reason }).toEqual({ result: 'failed', reason: '1 of 2 tests failed' });
    expect(output?.tests?.map((test) => test.result)).toEqual(['passed', 'failed']);
  });

  it('reads test reports of a step that failed', async () => {
    await writeFile(join(workspace, 'report.xml'), report);
    const { reason, output } = await run(['exit 2'], { junit: ['*.xml'] });
    expect(reason).toBe('exit code 2');
    expect(output?.tests).toHaveLength(2);
  });

  it('takes notice of a pattern that matches nothing, and of a report that is none', async () => {
    await writeFile(join(workspace, 'broken.xml'), '<testsuite');
    const { result, text } = await run(['true'], { junit: ['none/*.xml', 'broken.xml'], artifacts: ['none'] });
    expect(result).toBe('passed');
    expect(text).toContain('» artifacts none: no file matches');
    expect(text).toContain('» broken.xml');
  });
});

describe('services', () => {
  const web = {
    name: 'web',
    image: 'busybox:1.36',
    env: { PAGE: 'it works' },
    command: ['sh', '-c', 'mkdir /w; echo "$PAGE" > /w/index.html; exec httpd -f -p 80 -h /w'],
  };

  it('are reached by name', async () => {
    const { result, text } = await run(['until wget -qO- http://web/; do sleep 0.2; done'], { services: [web] });
    expect(text).toContain('it works');
    expect(result).toBe('passed');
  });

  const checked = (retries: number) =>
    `FROM busybox:1.36\nHEALTHCHECK --interval=1s --retries=${retries} CMD test -e /ready`;

  it('are waited for until they are healthy', async () => {
    await withImage(checked(100), async (image) => {
      const slow = {
        ...web,
        image,
        command: ['sh', '-c', 'mkdir /w; echo ready > /w/index.html; httpd -p 80 -h /w; touch /ready; sleep 600'],
      };
      const { result, text } = await run(['wget -qO- http://web/'], { services: [slow] });
      expect(text).toBe('ready\n');
      expect(result).toBe('passed');
    });
  });

  it('that are unhealthy are told, with their last words', async () => {
    await withImage(checked(1), async (image) => {
      const here = context();
      const sick = { ...web, image, command: ['sh', '-c', 'echo no licence >&2; sleep 600'] };
      const waiting = runStep(runStepOf(['true'], { services: [sick] }), here);
      await expect(waiting).rejects.toMatchObject({ code: 'invalid', message: 'service web is unhealthy' });
      expect(here.text()).toContain('no licence');
    });
  });
});

describe('an abort', () => {
  const scripts: [string, string][] = [
    ['a sleeping script', 'echo ready; sleep 600'],
    ['one that ignores TERM', "trap '' TERM; echo ready; while true; do sleep 1; done"],
    ['one with children in the background', '(trap "" TERM; sleep 600) & echo ready; wait'],
  ];
  const web = { name: 'web', image: 'busybox:1.36', env: {}, command: ['sleep', '600'] };

  it.each(scripts)('ends %s and leaves nothing', async (_what, script) => {
    const controller = new AbortController();
    const here = context({ signal: controller.signal });
    here.log.drained = async () => {
      if (!/^ready$/m.test(here.text())) return;
      // That of the workspace's probe, which goes on behind the step: what is left then is the step's own.
      await pendingRemovals();
      controller.abort(new Error('cancelled'));
    };
    await expect(runStep(runStepOf([script], { services: [web] }), here)).rejects.toThrow('cancelled');
    expect(await leftOver()).toEqual({ containers: 0, networks: 0 });
  });

  it('before the start starts nothing', async () => {
    const signal = AbortSignal.abort(new Error('cancelled'));
    await expect(runStep(runStepOf(['true']), context({ signal }))).rejects.toThrow('cancelled');
  });

  it('is not held up by a log that takes no more', async () => {
    const controller = new AbortController();
    const here = context({ signal: controller.signal });
    here.log.drained = () => {
      controller.abort(new Error('cancelled'));
      return new Promise(() => {});
    };
    await expect(runStep(runStepOf(['yes']), here)).rejects.toThrow('cancelled');
  });
});

describe('runContainer', () => {
  it('puts files in before the start, and gives out what the script left', async () => {
    const spec = {
      image: 'busybox:1.36',
      script: 'cp in/file out.txt; mkdir d; echo x > d/x; ln -s x d/link',
      env: {},
      mounts: [],
      workdir: '/work',
      labels: { [LABEL.instance]: instance },
      networks: [],
      limits: { memory: null, cpus: 0.5 },
      files: pack([{ path: 'work/in/file', content: Buffer.from('given') }]),
      keep: true,
    };
    const { id, exitCode } = await runContainer(docker, spec, { onOutput: () => {} }, new AbortController().signal);
    expect(exitCode).toBe(0);
    const read = async (path: string) => {
      const found: Record<string, string> = {};
      for await (const file of readFromContainer(docker.getContainer(id), path, 10_000))
        found[file.path] = String(file.content);
      return found;
    };
    expect(await read('/work')).toEqual({ 'in/file': 'given', 'out.txt': 'given', 'd/x': 'x\n' });
    expect(await read('/work/out.txt')).toEqual({ 'out.txt': 'given' });
    expect(await read('/none')).toEqual({});
    await removeContainer(docker, id);
  });

  it('empties a folder that only a container may empty', async () => {
    await writeFile(join(workspace, '.hidden'), '');
    await mkdir(join(workspace, 'sub'));
    await emptyWithContainer(docker, workspace);
    expect(await readdir(workspace)).toEqual([]);
  });
});
