/**
 * The server's side of `RunnerApi`: hands out claims, takes what runners say behind the fence of their token, and owns every
 * deadline. All truth is in the database; what is kept here (leases, waiting heartbeats) is made anew after a restart.
 */
import { randomBytes } from 'node:crypto';
import { AppError, conflict } from '../pipelines/errors.ts';
import type { RunnerEvent } from '../pipelines/events.ts';
import type { BuildPlan, Run } from '../pipelines/model.ts';
import type { Claim, Clock, Directive, LogRef, RunnerApi, RunnerInfo } from '../pipelines/ports.ts';
import { IllegalMove } from '../pipelines/transition.ts';
import type { BlobStore } from './blobs.ts';
import type { ClaimFactory } from './claims.ts';
import { Deadlines } from './deadlines.ts';
import { enter } from './deployments.ts';
import type { Committed, Ledger, Tx } from './ledger.ts';
import type { LogStore } from './logs.ts';
import { change, type Db } from './store/db.ts';
import { environmentsOf } from './store/environments.ts';
import { releaseOf, stackOwner } from './store/releases.ts';
import { nextQueued, openRuns, planOf, runById } from './store/runs.ts';
import { stackState } from './store/stacks.ts';

/** Milliseconds. A lost runner is noticed within LEASE plus the reaper's round: 45 s. */
export const HEARTBEAT = 5_000;
export const LEASE = 30_000;
/** How long a runner has to end what it was told to stop, and to restore what it had begun to deploy. */
const STOP_GRACE = 15_000;
const RESTORE_GRACE = 10 * 60_000;
/** A runner watches step timeouts itself; this much later the server ends the run without it. */
const STEP_GRACE = 15_000;

export interface CoordinatorDeps {
  db: Db;
  ledger: Ledger;
  clock: Clock;
  logs: LogStore;
  blobs: BlobStore;
  claims: ClaimFactory;
  /** False while the disk is nearly full: nothing new is started then. */
  intakeOpen: () => boolean;
  onError: (error: unknown, context: Record<string, unknown>) => void;
}

export interface SeenRunner extends RunnerInfo {
  seenAt: number;
  runs: number[];
}

export class Coordinator implements RunnerApi {
  readonly #deps: CoordinatorDeps;
  readonly #deadlines: Deadlines;
  readonly #runners = new Map<string, RunnerInfo & { seenAt: number }>();
  readonly #listening = new Map<number, Set<() => void>>();

  constructor(deps: CoordinatorDeps) {
    this.#deps = deps;
    this.#deadlines = new Deadlines(deps.clock);
    deps.ledger.onCommit((committed) => this.#committed(committed));
  }

  /** Takes up what a former process left: runs of runners that died with it are lost, the others get a fresh lease. */
  recover(diedWithServer: (runner: string) => boolean): void {
    for (const run of openRuns(this.#deps.db, 'running')) {
      if (run.runner !== null && diedWithServer(run.runner)) {
        this.#deps.ledger.move(run.id, { type: 'lost', reason: 'the server was restarted', counts: false });
      } else {
        this.#arm(run);
      }
    }
  }

  close(): void {
    this.#deadlines.clear();
    for (const wake of [...this.#listening.values()].flatMap((set) => [...set])) wake();
  }

  runners(): SeenRunner[] {
    const running = openRuns(this.#deps.db, 'running');
    return [...this.#runners.values()].map((runner) => ({
      ...runner,
      runs: running.filter((run) => run.runner === runner.id).map((run) => run.id),
    }));
  }

  async register(runner: RunnerInfo): Promise<void> {
    const now = this.#deps.clock.now();
    this.#runners.set(runner.id, { ...runner, seenAt: now });
    change(
      this.#deps.db,
      'INSERT OR REPLACE INTO runners (id, name, pools_json, slots, version, seen_at) VALUES (?, ?, ?, ?, ?, ?)',
      runner.id,
      runner.name,
      JSON.stringify(runner.pools),
      runner.slots,
      runner.version,
      now,
    );
  }

  async claim(runnerId: string): Promise<Claim | null> {
    const runner = this.#runners.get(runnerId);
    if (!runner) throw new AppError('conflict', `runner ${runnerId} is not registered`);
    runner.seenAt = this.#deps.clock.now();
    if (!this.#deps.intakeOpen()) return null;
    const claimed = this.#deps.ledger.write((tx) => this.#take(tx, runner));
    return claimed && this.#deps.claims.make(claimed);
  }

  #take(tx: Tx, runner: RunnerInfo): Run | null {
    for (let run = nextQueued(tx.db, runner.pools); run; run = nextQueued(tx.db, runner.pools)) {
      const token = randomBytes(24).toString('base64url');
      const baseline =
        run.kind === 'deployment'
          ? (stackState(tx.db, run.environmentId, run.stack).current?.deployment ?? null)
          : null;
      const claimed = tx.claim(run, { type: 'claimed', runner: runner.id, token, baseline });
      if (claimed) return claimed;
    }
    return null;
  }

  async heartbeat(runId: number, token: string, signal: AbortSignal): Promise<Directive> {
    const run = this.#fenced(runId, token);
    const runner = this.#runners.get(run.runner ?? '');
    if (runner) runner.seenAt = this.#deps.clock.now();
    this.#armLease(run);
    const now = directive(run);
    if (now.do !== 'continue') return now;
    await this.#nextWord(runId, signal);
    return directive(this.#fenced(runId, token));
  }

  async event(runId: number, token: string, event: RunnerEvent): Promise<Directive> {
    return this.#deps.ledger.write((tx) => {
      const run = this.#fenced(runId, token);
      if (saidBefore(run, event)) return directive(run);
      if (run.status === 'finished') return { do: 'release' };
      const next = this.#applyFrom(tx, run, this.#admit(tx, run, event));
      return directive(next);
    });
  }

  #applyFrom(tx: Tx, run: Run, event: RunnerEvent): Run {
    try {
      const next = tx.apply(run, event);
      const inspected =
        event.type === 'step.finished' && next.steps.find(({ name }) => name === event.step)?.kind === 'inspect';
      return inspected && next.kind === 'deployment' && next.status === 'running' && !next.stop
        ? enter(tx, next)
        : next;
    } catch (error) {
      if (!(error instanceof IllegalMove)) throw error;
      // Said before it heard of the stop: the answer tells it.
      if (run.stop) return run;
      throw conflict(error.message);
    }
  }

  /** A release that cannot be made fails the step that brings it. */
  #admit(tx: Tx, run: Run, event: RunnerEvent): RunnerEvent {
    if (run.kind !== 'build' || event.type !== 'step.finished' || !event.output?.release) return event;
    const plan = planOf(tx.db, run.id) as BuildPlan;
    const why = plan.release && releaseRefusal(tx.db, run.projectId, run.pipelineId, plan.release);
    return why ? { ...event, result: 'failed', reason: why, output: {} } : event;
  }

  async log(ref: LogRef, token: string, offset: number, chunk: Uint8Array, at: number): Promise<number> {
    this.#fenced(ref.runId, token);
    return this.#deps.logs.append(ref, offset, chunk, at);
  }

  async closeLog(ref: LogRef, token: string, length: number, sha256: string): Promise<void> {
    this.#fenced(ref.runId, token);
    await this.#deps.logs.close(ref, length, sha256);
  }

  async putBlob(runId: number, token: string, sha256: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    this.#fenced(runId, token);
    await this.#deps.blobs.put(sha256, content);
  }

  async getBlob(runId: number, token: string, sha256: string): Promise<AsyncIterable<Uint8Array>> {
    this.#fenced(runId, token);
    return this.#deps.blobs.stream(sha256);
  }

  /** Ends a run early, whatever it is doing. A finished one is a conflict. */
  cancel(runId: number, by: string | null, reason: string): Run {
    const run = runById(this.#deps.db, runId);
    if (!run || run.status === 'finished')
      throw conflict(`it has finished (${run?.result ?? 'gone'}): there is nothing to cancel`);
    return this.#deps.ledger.move(runId, { type: 'stop', kind: 'cancel', by, reason });
  }

  /** The run, if this token may still write to it. */
  #fenced(runId: number, token: string): Run {
    const run = runById(this.#deps.db, runId);
    if (!run || run.token === null || run.token !== token) throw conflict(`the claim on run ${runId} is over`);
    return run;
  }

  // ---- deadlines and waking ----------------------------------------------------------------------------------------

  #committed({ moves }: Committed): void {
    for (const { after, event } of moves) {
      if (event?.type === 'claimed') this.#arm(after);
      else if (after.status !== 'running') this.#deadlines.disarm(...names(after.id));
      else if (event?.type === 'stop') this.#armAbandon(after);
      else if (event?.type === 'step.started') this.#armStep(after, event.step);
      else if (event?.type === 'step.finished') this.#deadlines.disarm(`step ${after.id} ${event.step}`);
      if (event?.type === 'stop' || after.status !== 'running') this.#wake(after.id);
    }
  }

  #arm(run: Run): void {
    this.#armLease(run);
    const { timeout } = planOf(this.#deps.db, run.id);
    const spent = run.startedAt === null || run.attempt > 1 ? 0 : Math.max(0, this.#deps.clock.now() - run.startedAt);
    this.#deadline(`run ${run.id}`, Math.max(0, timeout - spent), run.id, {
      type: 'stop',
      kind: 'timeout',
      by: null,
      reason: `timed out after ${seconds(timeout)}`,
    });
    if (run.stop) this.#armAbandon(run);
  }

  #armLease(run: Run): void {
    if (run.status !== 'running') return;
    this.#deadline(`lease ${run.id}`, LEASE, run.id, {
      type: 'lost',
      reason: `runner ${run.runner} has not been heard of for 30 s`,
      counts: true,
    });
  }

  #armAbandon(run: Run): void {
    this.#deadline(`abandon ${run.id}`, run.effect === 'deploying' ? RESTORE_GRACE : STOP_GRACE, run.id, {
      type: 'abandoned',
    });
  }

  #armStep(run: Run, step: string): void {
    const planned = planOf(this.#deps.db, run.id).steps.find(({ name }) => name === step);
    if (!planned?.timeout) return;
    const allowed = planned.timeout * (planned.retry + 1);
    const reason = `${step} timed out after ${seconds(planned.timeout)}`;
    this.#deadline(`step ${run.id} ${step}`, allowed + STEP_GRACE, run.id, {
      type: 'stop',
      kind: 'timeout',
      by: null,
      reason,
    });
  }

  #deadline(name: string, ms: number, runId: number, event: Parameters<Ledger['move']>[1]): void {
    this.#deadlines.arm(name, ms, () => {
      try {
        const run = runById(this.#deps.db, runId);
        if (run?.status === 'running') this.#deps.ledger.move(runId, event);
      } catch (error) {
        this.#deps.onError(error, { deadline: name });
        this.#deadline(name, 1_000, runId, event);
      }
    });
  }

  #wake(runId: number): void {
    for (const wake of this.#listening.get(runId) ?? []) wake();
  }

  /** Resolves after a heartbeat's time, or as soon as there is something to say. */
  #nextWord(runId: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const listeners = this.#listening.get(runId) ?? new Set();
      this.#listening.set(runId, listeners);
      const done = () => {
        cancel();
        signal.removeEventListener('abort', done);
        listeners.delete(done);
        if (listeners.size === 0) this.#listening.delete(runId);
        resolve();
      };
      const cancel = this.#deps.clock.after(HEARTBEAT, done);
      listeners.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

const names = (runId: number) => [`lease ${runId}`, `run ${runId}`, `abandon ${runId}`];
const seconds = (ms: number) => (ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`);

function directive(run: Run): Directive {
  if (run.status !== 'running') return { do: 'release' };
  return run.stop ? { do: 'stop', kind: run.stop.kind, reason: run.stop.reason } : { do: 'continue' };
}

/** Whether this event was applied already: replies get lost, and a runner then says it again. */
function saidBefore(run: Run, event: RunnerEvent): boolean {
  if (event.type === 'effect') return run.effect === event.effect;
  if (event.type === 'errored') return run.status === 'finished';
  const step = run.steps.find(({ name }) => name === event.step);
  if (event.type === 'step.started') return step?.status === 'running';
  if (event.type === 'step.retried') return (step?.attempt ?? 0) >= event.attempt;
  return step?.status === 'finished';
}

/** Why this release cannot be made, or null. */
export function releaseRefusal(
  db: Db,
  projectId: number,
  pipelineId: number,
  release: { stack: string; version: string; overrides: Record<string, string> },
): string | null {
  const owner = stackOwner(db, projectId, release.stack);
  if (owner !== undefined && owner !== pipelineId) {
    return `stack ${release.stack} belongs to another pipeline of this project: name another one under release.stack`;
  }
  if (releaseOf(db, projectId, release.stack, release.version)) {
    return `release ${release.version} of ${release.stack} exists already: put \${number} into release.version`;
  }
  const environments = environmentsOf(db, projectId).map(({ name }) => name);
  const unknown = Object.keys(release.overrides).find((name) => !environments.includes(name));
  // Where there are none yet, nothing is deployed; later, a misspelt one would be deployed without its file.
  if (unknown !== undefined && environments.length > 0) {
    return `release.overrides.${unknown}: this project has no environment ${unknown} (it has ${environments.join(', ')})`;
  }
  return null;
}
