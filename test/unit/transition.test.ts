import { describe, expect, test } from 'vitest';
import type { RunEvent, RunEventType } from '../../pipelines/events.ts';
import type { BuildRun, DeploymentRun, Gate, Run, Status, Step, StepResult } from '../../pipelines/model.ts';
import { apply, IllegalMove, MAX_LOSSES, readySteps } from '../../pipelines/transition.ts';

const NOW = 1000;

const step = (name: string, needs: string[] = [], over: Partial<Step> = {}): Step => ({
  name,
  kind: 'run',
  needs,
  allowFailure: false,
  role: 'work',
  status: 'waiting',
  result: null,
  reason: null,
  skippedBy: null,
  attempt: 0,
  exitCode: null,
  startedAt: null,
  finishedAt: null,
  ...over,
});

const base = {
  id: 1,
  projectId: 1,
  number: 1,
  trigger: 'poll',
  requestedBy: null,
  pool: 'default',
  result: null,
  reason: null,
  attempt: 0,
  losses: 0,
  effect: 'none',
  stop: null,
  runner: null,
  token: null,
  queuedAt: 0,
  startedAt: null,
  finishedAt: null,
} as const;

const build = (...steps: Step[]): BuildRun => ({
  ...base,
  kind: 'build',
  status: 'queued',
  steps,
  pipelineId: 1,
  branch: 'main',
  revision: 'abc',
  parameters: {},
  changes: [],
  moreChanges: false,
  images: [],
  version: '1.1',
  release: null,
});

const deployment = (status: Status = 'queued'): DeploymentRun => ({
  ...base,
  kind: 'deployment',
  trigger: 'promote',
  status,
  environmentId: 1,
  stack: 'web',
  releaseId: 1,
  release: '1.1',
  note: null,
  override: null,
  at: null,
  gates: [],
  approvals: [],
  baseline: null,
  before: null,
  after: null,
  restored: null,
  steps: [
    step('inspect', [], { kind: 'inspect' }),
    step('deploy', ['inspect'], { kind: 'deploy' }),
    step('smoke', ['deploy'], { kind: 'verify' }),
    step('restore', ['deploy'], { kind: 'deploy', role: 'restore' }),
  ],
});

const claimed: RunEvent = { type: 'claimed', runner: 'r1', token: 't1' };
const started = (name: string): RunEvent => ({ type: 'step.started', step: name });
const finished = (name: string, result: StepResult = 'passed', output?: object): RunEvent => ({
  type: 'step.finished',
  step: name,
  result,
  reason: result === 'passed' ? null : 'exit code 1',
  exitCode: result === 'passed' ? 0 : 1,
  ...(output && { output }),
});
const ran = (name: string, result?: StepResult, output?: object): RunEvent[] => [
  started(name),
  finished(name, result, output),
];
const deploying: RunEvent = { type: 'effect', effect: 'deploying' };
const pushed: RunEvent = { type: 'effect', effect: 'pushed' };
const cancel: RunEvent = { type: 'stop', kind: 'cancel', by: 'ann', reason: 'cancelled by ann' };
const timeout: RunEvent = { type: 'stop', kind: 'timeout', by: null, reason: 'took longer than 60m' };
const lost: RunEvent = { type: 'lost', reason: 'no heartbeat', counts: true };

const play = <R extends Run>(run: R, ...events: (RunEvent | RunEvent[])[]): R =>
  events.flat().reduce((state, event) => apply(state, event, NOW), run);
const stepsOf = (run: Run) => Object.fromEntries(run.steps.map((each) => [each.name, each.result ?? each.status]));
const ready = (run: Run) => readySteps(run).map((each) => each.name);

describe('every status and every event', () => {
  const gate: Gate = { gate: 'lock', open: false, waits: true, message: 'locked' };
  const events: Record<RunEventType, RunEvent> = {
    queued: { type: 'queued' },
    held: { type: 'held', gates: [gate] },
    claimed,
    'step.started': started('deploy'),
    'step.retried': { type: 'step.retried', step: 'inspect', attempt: 2, reason: 'again' },
    effect: deploying,
    'step.finished': finished('inspect'),
    stop: cancel,
    abandoned: { type: 'abandoned' },
    errored: { type: 'errored', reason: 'broken' },
    refused: { type: 'refused', reason: 'not YAML' },
    lost,
    approved: { type: 'approved', by: 'bob', comment: '', baseline: 3 },
    rejected: { type: 'rejected', by: 'bob', comment: 'no' },
    expired: { type: 'expired', reason: 'nobody answered' },
  };
  const running = play(deployment(), claimed, started('inspect'));
  const runs: Record<Status, DeploymentRun> = {
    waiting: deployment('waiting'),
    queued: deployment(),
    running,
    finished: play(deployment(), cancel),
  };
  /** The status after each event; `illegal` where it is not said. */
  const moves: Record<Exclude<Status, 'finished'>, Partial<Record<RunEventType, string>>> = {
    waiting: {
      queued: 'queued',
      held: 'waiting',
      stop: 'cancelled',
      errored: 'errored',
      refused: 'failed',
      approved: 'waiting',
      rejected: 'cancelled',
      expired: 'cancelled',
    },
    queued: { held: 'waiting', claimed: 'running', stop: 'cancelled', errored: 'errored', refused: 'failed' },
    running: {
      held: 'waiting',
      'step.retried': 'running',
      effect: 'running',
      'step.finished': 'running',
      stop: 'running',
      errored: 'errored',
      lost: 'queued',
    },
  };
  const table = (Object.keys(runs) as Status[]).flatMap((status) =>
    (Object.keys(events) as RunEventType[]).map((type) => {
      const expected = status === 'finished' ? 'illegal' : (moves[status][type] ?? 'illegal');
      return [status, type, expected] as const;
    }),
  );

  test.each(table)('%s + %s → %s', (status, type, expected) => {
    const run = runs[status];
    const before = structuredClone(run);
    if (expected === 'illegal') {
      expect(() => apply(run, events[type], NOW)).toThrow(IllegalMove);
    } else {
      const next = apply(run, events[type], NOW);
      expect(next.result ?? next.status).toBe(expected);
      expect(next.status === 'finished').toBe(next.result !== null);
      expect(next.finishedAt).toBe(next.result === null ? null : NOW);
    }
    expect(run).toEqual(before);
  });

  test.each(['held', 'approved', 'rejected'] as const)('builds know no %s', (type) => {
    expect(() => apply({ ...build(step('a')), status: 'waiting' }, events[type], NOW)).toThrow(IllegalMove);
  });
});

describe('a build', () => {
  test('runs its steps as they become ready, and passes', () => {
    let run = play(build(step('a'), step('b', ['a']), step('c', ['a']), step('d', ['b', 'c'])), claimed);
    expect(ready(run)).toEqual(['a']);
    run = play(run, ran('a'));
    expect(ready(run)).toEqual(['b', 'c']);
    run = play(run, started('b'), started('c'), finished('c'));
    expect(ready(run)).toEqual([]);
    run = play(run, finished('b'), ran('d'));
    expect(run).toMatchObject({ status: 'finished', result: 'passed', reason: null, attempt: 1 });
  });

  test('a failure skips what needs it, and lets the parallel branch end', () => {
    const run = play(
      build(step('a'), step('b', ['a']), step('c', ['b']), step('x')),
      claimed,
      started('x'),
      ran('a', 'failed'),
    );
    expect(run.status).toBe('running');
    expect(stepsOf(run)).toEqual({ a: 'failed', b: 'skipped', c: 'skipped', x: 'running' });
    expect(play(run, finished('x'))).toMatchObject({ result: 'failed', reason: 'a: exit code 1' });
  });

  test('errored weighs more than failed', () => {
    const run = play(build(step('a'), step('b')), claimed, ran('a', 'failed'), ran('b', 'errored'));
    expect(run).toMatchObject({ result: 'errored', reason: 'b: exit code 1' });
  });

  test('allow_failure satisfies dependents, unless the step errored', () => {
    const steps = () => [step('a', [], { allowFailure: true }), step('b', ['a'])];
    const run = play(build(...steps()), claimed, ran('a', 'failed'));
    expect(ready(run)).toEqual(['b']);
    expect(play(run, ran('b')).result).toBe('passed');
    expect(play(build(...steps()), claimed, ran('a', 'errored')).result).toBe('errored');
  });

  test('a step left out by its condition satisfies those that need it', () => {
    const left = step('a', [], { status: 'finished', result: 'skipped', skippedBy: 'condition' });
    const run = play(build(left, step('b', ['a'])), claimed);
    expect(ready(run)).toEqual(['b']);
    expect(play(run, ran('b')).result).toBe('passed');
  });

  test('nothing starts before it is ready, or twice', () => {
    const run = play(build(step('a'), step('b', ['a'])), claimed);
    expect(() => play(run, started('b'))).toThrow(/not ready/);
    expect(() => play(run, started('nope'))).toThrow(/no step/);
    expect(() => play(run, finished('a'))).toThrow(/waiting/);
    expect(() => play(run, started('a'), started('a'))).toThrow(/not ready/);
    expect(() => play(run, ran('a'), finished('a'))).toThrow(IllegalMove);
  });

  test('a retried step counts its attempts', () => {
    const retried: RunEvent = { type: 'step.retried', step: 'a', attempt: 2, reason: 'exit code 1' };
    const run = play(build(step('a')), claimed, started('a'), retried);
    expect(run.steps[0]).toMatchObject({ status: 'running', attempt: 2 });
    expect(() => play(run, retried)).toThrow(IllegalMove);
    expect(play(run, finished('a'))).toMatchObject({ result: 'passed', steps: [{ reason: null }] });
  });
});

describe('a lost runner', () => {
  const begun = () => play(build(step('a'), step('b', ['a'])), claimed, ran('a'), started('b'));

  test('before the first push: requeued from the start, attempts of steps counted on', () => {
    const run = play(begun(), lost);
    expect(run).toMatchObject({ status: 'queued', losses: 1, runner: null, token: null });
    expect(run.steps.map(({ status, attempt }) => [status, attempt])).toEqual([
      ['waiting', 1],
      ['waiting', 1],
    ]);
    expect(play(run, claimed, started('a'))).toMatchObject({ attempt: 2, steps: [{ attempt: 2 }, {}] });
  });

  test(`at most ${MAX_LOSSES} times, then errored; a restart of the server does not count`, () => {
    const restart: RunEvent = { ...lost, counts: false };
    const twice = play(begun(), lost, claimed, restart, claimed, lost, claimed, restart);
    expect(twice).toMatchObject({ status: 'queued', losses: 2 });
    expect(play(twice, claimed, lost)).toMatchObject({
      status: 'finished',
      result: 'errored',
      reason: expect.stringContaining('lost 3 times'),
    });
  });

  test('after the first push: errored', () => {
    expect(play(begun(), pushed, lost)).toMatchObject({
      result: 'errored',
      reason: expect.stringContaining('after its first push'),
    });
  });

  test('during a deploy: errored, whoever asked to stop', () => {
    const run = play(deployment(), claimed, ran('inspect'), started('deploy'), deploying);
    for (const events of [[lost], [cancel, lost]]) {
      expect(play(run, events)).toMatchObject({
        result: 'errored',
        reason: expect.stringContaining('runner lost during deploy'),
      });
    }
  });

  test('that had been asked to stop: ends as was asked', () => {
    expect(play(begun(), cancel, lost)).toMatchObject({ result: 'cancelled' });
    expect(play(begun(), timeout, lost)).toMatchObject({ result: 'failed' });
  });

  test('left-out steps stay left out', () => {
    const left = step('a', [], { status: 'finished', result: 'skipped', skippedBy: 'condition' });
    expect(stepsOf(play(build(left, step('b', ['a'])), claimed, started('b'), lost))).toEqual({
      a: 'skipped',
      b: 'waiting',
    });
  });
});

describe('stopping', () => {
  test('what has not begun ends at once', () => {
    for (const status of ['waiting', 'queued'] as const) {
      expect(play(deployment(status), cancel)).toMatchObject({
        result: 'cancelled',
        reason: 'cancelled by ann',
        token: null,
      });
    }
  });

  test('what runs is ended by the runner; the rest is skipped', () => {
    const run = play(build(step('a'), step('b', ['a'])), claimed, started('a'), cancel);
    expect(stepsOf(run)).toEqual({ a: 'running', b: 'skipped' });
    expect(play(run, finished('a', 'cancelled'))).toMatchObject({ result: 'cancelled', reason: 'cancelled by ann' });
  });

  test('a timeout is a failure; the first reason stays', () => {
    const run = play(build(step('a')), claimed, started('a'), timeout, cancel);
    expect(play(run, finished('a', 'failed'))).toMatchObject({ result: 'failed', reason: 'took longer than 60m' });
  });

  test('a last step that passes all the same makes the run pass', () => {
    expect(play(build(step('a')), claimed, started('a'), cancel, finished('a'))).toMatchObject({ result: 'passed' });
  });

  test('between two steps', () => {
    expect(play(build(step('a'), step('b', ['a'])), claimed, ran('a'), cancel)).toMatchObject({ result: 'cancelled' });
  });

  test('a runner that does not answer is left behind', () => {
    const run = play(build(step('a')), claimed, started('a'), cancel, { type: 'abandoned' });
    expect(run).toMatchObject({
      result: 'cancelled',
      reason: expect.stringContaining('did not answer'),
      steps: [{ result: 'cancelled' }],
    });
  });

  test('terminal is final', () => {
    const run = play(build(step('a')), claimed, ran('a'));
    for (const event of [cancel, lost, claimed, started('a'), finished('a', 'failed')])
      expect(() => apply(run, event, NOW)).toThrow(IllegalMove);
  });
});

describe('a deployment', () => {
  const deployed = () => play(deployment(), claimed, ran('inspect'), started('deploy'), deploying, finished('deploy'));

  test('that passes skips the restore', () => {
    const run = play(deployed(), ran('smoke'));
    expect(run).toMatchObject({ result: 'passed', restored: null });
    expect(stepsOf(run).restore).toBe('skipped');
  });

  test('whose verify fails restores, fails, and says so', () => {
    const run = play(deployed(), ran('smoke', 'failed'));
    expect(run.status).toBe('running');
    expect(ready(run)).toEqual(['restore']);
    const restored = play(run, ran('restore', 'passed', { restored: true }));
    expect(restored).toMatchObject({
      result: 'failed',
      restored: true,
      reason: 'smoke: exit code 1 – nothing ran before: the stack was removed',
    });
    const broken = play(run, ran('restore', 'failed', { restored: false }));
    expect(broken).toMatchObject({
      result: 'failed',
      restored: false,
      reason: expect.stringContaining('AND RESTORING THE PREVIOUS RELEASE FAILED'),
    });
  });

  test('whose deploy fails restores, and never verifies', () => {
    const run = play(deployment(), claimed, ran('inspect'), started('deploy'), deploying, finished('deploy', 'failed'));
    expect(stepsOf(run).smoke).toBe('skipped');
    expect(ready(run)).toEqual(['restore']);
  });

  test('that fails before the engine was touched has nothing to restore', () => {
    expect(play(deployment(), claimed, ran('inspect', 'failed'))).toMatchObject({
      result: 'failed',
      reason: 'inspect: exit code 1',
    });
    const run = play(deployment(), claimed, ran('inspect'), started('deploy'), finished('deploy', 'failed'));
    expect([run.result, stepsOf(run).restore]).toEqual(['failed', 'skipped']);
  });

  test('that is stopped while the deploy runs is restored', () => {
    const run = play(
      deployment(),
      claimed,
      ran('inspect'),
      started('deploy'),
      deploying,
      cancel,
      finished('deploy', 'cancelled'),
    );
    expect(ready(run)).toEqual(['restore']);
    expect(play(run, ran('restore', 'passed', { restored: true }))).toMatchObject({
      result: 'cancelled',
      reason: 'cancelled by ann',
      restored: true,
    });
  });

  test('that is stopped before it deploys is not', () => {
    const run = play(deployment(), claimed, started('inspect'), cancel, finished('inspect', 'cancelled'));
    expect([run.result, stepsOf(run).restore]).toEqual(['cancelled', 'skipped']);
  });

  test('cannot be held once it has begun to deploy', () => {
    expect(() => play(deployed(), { type: 'held', gates: [] })).toThrow(/effects have begun/);
  });

  test('keeps what was seen before and after', () => {
    const web = (digest: string) => [{ name: 'web', replicas: 1, healthy: 1, digest }];
    const run = play(
      deployment(),
      claimed,
      ran('inspect', 'passed', { observed: web('old') }),
      started('deploy'),
      deploying,
      finished('deploy', 'passed', { observed: web('new') }),
    );
    expect([run.before, run.after]).toEqual([web('old'), web('new')]);
  });

  test('an approval is kept once per person; a rejection ends it', () => {
    const approved = (by: string, baseline: number): RunEvent => ({ type: 'approved', by, comment: '', baseline });
    const run = play(deployment('waiting'), approved('bob', 1), approved('eve', 1), approved('bob', 2));
    expect(run.approvals.map(({ by, baseline }) => [by, baseline])).toEqual([
      ['eve', 1],
      ['bob', 2],
    ]);
    expect(play(run, { type: 'rejected', by: 'eve', comment: 'too late' })).toMatchObject({
      result: 'cancelled',
      reason: 'rejected by eve: too late',
    });
  });
});
