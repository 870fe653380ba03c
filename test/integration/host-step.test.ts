import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runStep } from '../../runner/steps/run.ts';
import { findByCookie } from '../../runner/tools/processes.ts';
import { type FakeContextOptions, fakeContext, runStepOf } from '../fakes/step-context.ts';

const instance = randomUUID();
let workspace: string;

beforeEach(async () => {
  workspace = await mkdtemp(join(tmpdir(), 'slipway-host-'));
});
afterEach(async () => {
  await rm(workspace, { recursive: true });
  expect(findByCookie(instance)).toEqual([]);
});

const onHost = (run: string[], changes = {}) => runStepOf(run, { image: null, ...changes });
const context = (options: Partial<FakeContextOptions> = {}) =>
  fakeContext({ workspace, settings: { instance, allowHostSteps: true }, ...options });

describe('a host step', () => {
  it('is refused where the runner does not allow it', async () => {
    const here = context({ settings: { instance, allowHostSteps: false } });
    const { result, reason } = await runStep(onHost(['touch made']), here);
    expect(result).toBe('errored');
    expect(reason).toContain('SLIPWAY_ALLOW_HOST_STEPS');
  });

  it('runs in the workspace with its own environment only', async () => {
    process.env.SLIPWAY_TEST_OF_SERVER = 'secret of the server';
    const here = context({ secrets: { NAMED: 'named-secret', OTHER: 'not-named' } });
    const { result, exitCode } = await runStep(
      onHost(['pwd; env'], { secrets: ['NAMED'], env: { LEVEL: 'step' } }),
      here,
    );
    delete process.env.SLIPWAY_TEST_OF_SERVER;
    expect({ result, exitCode }).toEqual({ result: 'passed', exitCode: 0 });
    for (const line of [workspace, `SLIPWAY_WORKSPACE=${workspace}`, 'NAMED=named-secret', 'LEVEL=step'])
      expect(here.text()).toContain(`${line}\n`);
    expect(here.text()).not.toMatch(/not-named|secret of the server/);
  });

  it('keeps the exit code and the order of output', async () => {
    const here = context();
    const { result, exitCode, reason } = await runStep(onHost(['echo 1; echo 2 >&2; echo 3', 'exit 5']), here);
    expect({ result, exitCode, reason }).toEqual({ result: 'failed', exitCode: 5, reason: 'exit code 5' });
    expect(here.text()).toContain('1\n2\n3\n» exit 5\n');
  });

  it('collects artifacts', async () => {
    const { output } = await runStep(onHost(['echo a > a.txt'], { artifacts: ['*.txt'] }), context());
    expect(output?.artifacts).toMatchObject([{ path: 'a.txt', size: 2 }]);
  });

  it('leaves no daemon behind', async () => {
    const { result } = await runStep(
      onHost([`setsid sh -c 'trap "" TERM; sleep 600' > /dev/null 2>&1 &`, 'echo started']),
      context(),
    );
    expect(result).toBe('passed');
  });

  it('ends with all its children when it is aborted', async () => {
    const controller = new AbortController();
    const here = context({ signal: controller.signal });
    const write = here.log.write;
    here.log.write = (bytes) => {
      write(bytes);
      if (/^ready$/m.test(here.text())) controller.abort(new Error('cancelled'));
    };
    const script = `trap '' TERM; setsid sleep 600 & echo ready; while true; do sleep 1; done`;
    await expect(runStep(onHost([script]), here)).rejects.toThrow('cancelled');
  });
});
