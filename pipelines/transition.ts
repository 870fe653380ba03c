/**
 * The one place that decides status. `apply` is pure; an illegal move throws `IllegalMove`, and nothing is written.
 * Terminal states are final: the first writer wins.
 */
import type { RunEvent } from './events.ts';
import type { Result, Run, Step, StepResult } from './model.ts';

/** A build that lost its runner before its first push is tried at most this many times more. */
export const MAX_LOSSES = 2;

export class IllegalMove extends Error {
  constructor(run: Run, event: RunEvent, why: string) {
    super(`run ${run.id} (${run.kind} #${run.number}, ${run.status}): ${event.type} is not possible: ${why}`);
    this.name = 'IllegalMove';
  }
}

/** The part of a run's state that is the same for every new one. */
export const freshRun = (steps: Step[], now: number, status: 'waiting' | 'queued' = 'queued') => ({
  status,
  result: null,
  reason: null,
  attempt: 0,
  losses: 0,
  effect: 'none' as const,
  stop: null,
  runner: null,
  token: null,
  steps,
  queuedAt: now,
  startedAt: null,
  finishedAt: null,
});

export function apply<R extends Run>(run: R, event: RunEvent, now: number): R {
  const next = structuredClone(run);
  const refuse = (why: string): never => {
    throw new IllegalMove(run, event, why);
  };
  const require = (...statuses: Run['status'][]) => {
    if (!statuses.includes(run.status)) refuse(`it needs ${statuses.join(' or ')}`);
  };
  switch (event.type) {
    case 'queued':
      require('waiting');
      next.status = 'queued';
      next.queuedAt = now;
      if (next.kind === 'deployment') next.gates = next.gates.map((gate) => ({ ...gate, open: true }));
      return next;
    case 'held':
      require('waiting', 'queued', 'running');
      if (next.kind !== 'deployment') return refuse('only deployments wait');
      if (next.effect !== 'none') refuse('its effects have begun');
      if (next.stop) refuse('it was asked to stop');
      if (run.status !== 'waiting') release(next);
      next.status = 'waiting';
      next.gates = event.gates;
      return next;
    case 'claimed':
      require('queued');
      next.status = 'running';
      next.attempt += 1;
      next.runner = event.runner;
      next.token = event.token;
      next.startedAt ??= now;
      if (next.kind === 'deployment') next.baseline = event.baseline ?? null;
      // Every step may have been left out by `when:`.
      return settle(next, now);
    case 'step.started': {
      require('running');
      const step = stepOf(next, event.step) ?? refuse(`there is no step ${event.step}`);
      if (!isReady(next, step)) refuse(`step ${step.name} is not ready`);
      step.status = 'running';
      step.attempt += 1;
      step.startedAt = now;
      return next;
    }
    case 'step.retried': {
      require('running');
      const step = stepOf(next, event.step) ?? refuse(`there is no step ${event.step}`);
      if (step.status !== 'running') refuse(`step ${step.name} is not running`);
      if (event.attempt !== step.attempt + 1) refuse(`attempt ${step.attempt + 1} comes next`);
      step.attempt = event.attempt;
      step.reason = event.reason;
      return next;
    }
    case 'effect':
      require('running');
      if (next.effect !== 'deploying') next.effect = event.effect;
      return next;
    case 'step.finished': {
      require('running');
      const step = stepOf(next, event.step) ?? refuse(`there is no step ${event.step}`);
      if (step.status !== 'running') refuse(`step ${step.name} is ${step.status}`);
      finishStep(step, event.result, event.reason, now);
      step.exitCode = event.exitCode;
      takeOutput(next, event);
      return settle(next, now);
    }
    case 'stop':
      require('waiting', 'queued', 'running');
      next.stop ??= { kind: event.kind, by: event.by, reason: event.reason, at: now };
      if (run.status !== 'running') return end(next, resultOfStop(next), next.stop.reason, now);
      return settle(next, now);
    case 'abandoned':
      require('running');
      if (!next.stop) return refuse('nobody asked it to stop');
      return end(next, resultOfStop(next), `${next.stop.reason} (the runner did not answer)`, now);
    case 'errored':
      require('waiting', 'queued', 'running');
      return end(next, 'errored', event.reason, now);
    case 'refused':
      require('waiting', 'queued');
      return end(next, 'failed', event.reason, now);
    case 'lost':
      require('running');
      return lose(next, event, now);
    case 'approved':
    case 'rejected':
      require('waiting');
      return decide(next, event, now) ?? refuse('only deployments are approved');
    case 'expired':
      require('waiting');
      return end(next, 'cancelled', event.reason, now);
  }
}

/** Steps that may start now, in the order of the file. */
export const readySteps = (run: Run): Step[] => run.steps.filter((step) => isReady(run, step));

function isReady(run: Run, step: Step): boolean {
  if (step.status !== 'waiting') return false;
  if (step.role === 'restore')
    return needsRestore(run) && !run.steps.some((other) => other.role === 'work' && isOpen(other));
  if (run.stop) return false;
  return step.needs.every((name) => satisfied(run, name));
}

const isOpen = (step: Step) => step.status !== 'finished';
const stepOf = (run: Run, name: string) => run.steps.find((step) => step.name === name);

function satisfied(run: Run, name: string): boolean {
  const step = stepOf(run, name);
  if (step?.status !== 'finished') return false;
  if (step.result === 'passed') return true;
  if (step.result === 'skipped') return step.skippedBy === 'condition';
  return step.allowFailure && step.result === 'failed';
}

/** A deploy began, and either it or something after it did not pass. */
function needsRestore(run: Run): boolean {
  if (run.effect !== 'deploying') return false;
  return run.steps.some((step) => step.role === 'work' && step.status === 'finished' && breaks(step));
}

const breaks = (step: Step) =>
  step.result !== 'passed' && step.skippedBy !== 'condition' && !(step.allowFailure && step.result === 'failed');

/** Ends what can no longer run, and the run itself once nothing is open. */
function settle<R extends Run>(run: R, now: number): R {
  let changed = true;
  while (changed) {
    changed = false;
    for (const step of run.steps) {
      const why = step.status === 'waiting' ? whySkipped(run, step) : null;
      if (!why) continue;
      finishStep(step, 'skipped', why.reason, now);
      step.skippedBy = why.by;
      changed = true;
    }
  }
  if (run.steps.some(isOpen)) return run;
  const { result, reason } = outcome(run);
  // The runner keeps its claim's token: saying the last thing twice must be answered as the first time.
  const { token } = run;
  return Object.assign(end(run, result, reason, now), { token });
}

function whySkipped(run: Run, step: Step): { by: 'upstream' | 'stop'; reason: string | null } | null {
  const othersOpen = run.steps.some((other) => other.role === 'work' && isOpen(other));
  if (step.role === 'restore') return othersOpen || needsRestore(run) ? null : { by: 'upstream', reason: null };
  if (run.stop) return { by: 'stop', reason: run.stop.reason };
  const broken = step.needs
    .map((name) => stepOf(run, name))
    .find((need) => need?.status === 'finished' && breaks(need));
  return broken ? { by: 'upstream', reason: `${broken.name} did not pass` } : null;
}

/** What the finished steps add up to. */
function outcome(run: Run): { result: Result; reason: string | null } {
  const bad = run.steps.filter((step) => step.role === 'work' && breaks(step) && step.result !== 'skipped');
  if (run.stop && run.steps.some((step) => step.role === 'work' && breaks(step))) {
    return { result: resultOfStop(run), reason: run.stop.reason };
  }
  const worst = bad.find((step) => step.result === 'errored') ?? bad.find((step) => step.result === 'failed') ?? bad[0];
  if (!worst) return { result: 'passed', reason: null };
  const reason = worst.reason ? `${worst.name}: ${worst.reason}` : `${worst.name} ${worst.result}`;
  return { result: worst.result as Result, reason: reason + restoreNote(run) };
}

function restoreNote(run: Run): string {
  if (run.kind !== 'deployment' || run.restored === null) return '';
  if (!run.restored) return ' – AND RESTORING THE PREVIOUS RELEASE FAILED';
  return run.baseline === null
    ? ' – nothing ran before: the stack was removed'
    : ' – the previous release was restored';
}

const resultOfStop = (run: Run): Result => (run.stop?.kind === 'timeout' ? 'failed' : 'cancelled');

function finishStep(step: Step, result: StepResult, reason: string | null, now: number): void {
  step.status = 'finished';
  step.result = result;
  step.reason = result === 'passed' ? null : reason;
  step.finishedAt = now;
}

function takeOutput(run: Run, event: Extract<RunEvent, { type: 'step.finished' }>): void {
  const { output } = event;
  if (!output) return;
  if (run.kind === 'build' && output.images) run.images.push(...output.images);
  if (run.kind === 'build' && output.release) run.release = run.version;
  if (run.kind === 'task' && output.observed) run.observed = output.observed;
  if (run.kind !== 'deployment') return;
  const step = stepOf(run, event.step);
  if (output.observed && step?.kind === 'inspect') run.before = output.observed;
  else if (output.observed) run.after = output.observed;
  if (output.restored !== undefined) run.restored = output.restored;
}

function end<R extends Run>(run: R, result: Result, reason: string | null, now: number): R {
  for (const step of run.steps) {
    if (step.status === 'running') finishStep(step, result === 'passed' ? 'errored' : result, reason, now);
    else if (step.status === 'waiting') {
      finishStep(step, 'skipped', reason, now);
      step.skippedBy = 'stop';
    }
  }
  run.status = 'finished';
  run.result = result;
  run.reason = reason;
  run.finishedAt = now;
  run.token = null;
  return run;
}

/** The claim is over; the steps start from the beginning at the next one. */
function release(run: Run): void {
  run.runner = null;
  run.token = null;
  for (const step of run.steps) {
    if (step.skippedBy === 'condition') continue;
    Object.assign(step, {
      status: 'waiting',
      result: null,
      reason: null,
      skippedBy: null,
      exitCode: null,
      startedAt: null,
      finishedAt: null,
    });
  }
  if (run.kind === 'build') run.images = [];
}

function lose<R extends Run>(run: R, event: Extract<RunEvent, { type: 'lost' }>, now: number): R {
  if (event.counts) run.losses += 1;
  if (run.effect === 'deploying') return end(run, 'errored', `runner lost during deploy: ${event.reason}`, now);
  if (run.effect === 'pushed') return end(run, 'errored', `runner lost after its first push: ${event.reason}`, now);
  if (run.stop) return end(run, resultOfStop(run), run.stop.reason, now);
  if (run.losses > MAX_LOSSES) return end(run, 'errored', `runner lost ${run.losses} times: ${event.reason}`, now);
  release(run);
  run.status = 'queued';
  return run;
}

function decide<R extends Run>(
  run: R,
  event: Extract<RunEvent, { type: 'approved' | 'rejected' }>,
  now: number,
): R | null {
  if (run.kind !== 'deployment') return null;
  const baseline = event.type === 'approved' ? event.baseline : run.baseline;
  const others = run.approvals.filter((approval) => approval.by !== event.by);
  run.approvals = [...others, { by: event.by, decision: event.type, comment: event.comment, at: now, baseline }];
  if (event.type === 'approved') return run;
  return end(run, 'cancelled', `rejected by ${event.by}${event.comment ? `: ${event.comment}` : ''}`, now);
}
