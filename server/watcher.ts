/**
 * When to look at which repository: by each pipeline's cron, at once for a hook, when a quiet period ends, and when a schedule is
 * due. Pipelines of one repository share the question whether anything has moved. A missed tick costs nothing: the next one finds
 * what moved.
 */
import { Cron } from 'croner';
import cron from 'node-cron';
import { AppError } from '../pipelines/errors.ts';
import type { Clock, Pulse, SourceAccess } from '../pipelines/ports.ts';
import { nextSlots } from '../pipelines/schedule.ts';
import { DEFAULT_POLL } from '../pipelines/watching.ts';
import { deadline } from '../runner/tools/deadline.ts';
import type { Ledger } from './ledger.ts';
import type { Cause, Looked, Poller } from './poller.ts';
import { Probes } from './probes.ts';
import { isDefault, type Repository } from './repository.ts';
import type { Db } from './store/db.ts';
import { forgetDeliveries, noteLooked, noteRebuilt, pipelinesWithHooks, wantsRebuild } from './store/deliveries.ts';
import { hasSameSource, type Pipeline, pipelineById, pipelinesAll } from './store/pipelines.ts';
import { lastSlotAt } from './store/slots.ts';
import { noteMissed, notePoll, pollState, quietDue, watchesOf } from './store/watches.ts';

const POLL_TIMEOUT = 60_000;
/** Repositories that are asked at once. */
const AT_ONCE = 4;
/** What a pipeline's file or settings say of time is read again so often, and whenever they have changed. */
const REFRESH = 60_000;
/** After a failure the next look is this much later, twice as much after each further one. */
const BACK_OFF = 30_000;
const MOST_BACK_OFF = 15 * 60_000;
/** A hook may be so much later than the poll that found its change. */
const HOOK_DELAY = 30_000;
/** After a hook was lost, polls come so often, for so long. */
const ALERT_INTERVAL = 15_000;
const ALERT = 10 * 60_000;
const KEPT_DELIVERIES = 7 * 24 * 3_600_000;

export interface WatcherDeps {
  db: Db;
  ledger: Ledger;
  clock: Clock;
  poller: Poller;
  repository: Repository;
  /** How a pipeline's repositories are reached: the source itself first, then the further ones. */
  accesses(pipeline: Pipeline): SourceAccess[];
  timezone: string;
  onError: (error: unknown, context: Record<string, unknown>) => void;
}

/** What is remembered of a pipeline between ticks. Times are wall time, for cron is. */
interface Timing {
  pattern: string;
  lastPoll: number;
  nextPoll: number;
  nextSlot: number;
  failures: number;
  /** Not before this, while the repository is unreachable. */
  retryAt: number;
  alertUntil: number;
  /** A poll found a change at this time, and a hook for it may still come. */
  unannounced: number | null;
}

interface Wanted {
  cause: Cause;
  /** Whether to look even though nothing seems to have moved. */
  anyway: boolean;
}

export class Watcher {
  readonly #deps: WatcherDeps;
  readonly #timings = new Map<number, Timing>();
  readonly #probes: Probes;
  readonly #wanted = new Map<number, Wanted>();
  /** To be looked at once more, at the next tick: others were faster. */
  readonly #again = new Map<number, Cause>();
  readonly #busy = new Set<number>();
  readonly #closing = new AbortController();
  readonly #looks = new Set<Promise<void>>();
  #refreshAt = 0;
  #tidyAt = 0;
  #task: ReturnType<typeof cron.schedule> | null = null;

  constructor(deps: WatcherDeps) {
    this.#deps = deps;
    this.#probes = new Probes(deps.accesses);
  }

  start(): void {
    for (const id of pipelinesWithHooks(this.#deps.db)) this.#want(id, { cause: 'hook' });
    this.#task = cron.schedule('* * * * * *', () => this.tick(), { noOverlap: true, suppressMissedWarning: true });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#task?.destroy();
    await this.idle();
  }

  /** Resolves when no look is under way. */
  async idle(): Promise<void> {
    while (this.#looks.size > 0) await Promise.allSettled(this.#looks);
  }

  /** Something about a pipeline has changed: its settings, or what its file says of time. */
  changed(): void {
    this.#refreshAt = 0;
  }

  /** A hook has come: looks at once. */
  hooked(pipelineId: number): void {
    const timing = this.#timings.get(pipelineId);
    if (timing) timing.unannounced = null;
    this.#want(pipelineId, { cause: 'hook' });
    this.#start();
  }

  /** When the repository is asked next, and since when that is put off. */
  outlook(pipelineId: number): { nextPoll: number | null; failures: number } {
    const timing = this.#timings.get(pipelineId);
    if (!timing) return { nextPoll: null, failures: 0 };
    const next = Math.max(nextPoll(timing, this.#deps.clock.now()), timing.retryAt);
    return { nextPoll: Number.isFinite(next) ? next : null, failures: timing.failures };
  }

  /** Starts what is due. Called every second. */
  tick(): void {
    const now = this.#deps.clock.now();
    if (now >= this.#refreshAt || now < this.#refreshAt - REFRESH) this.#refresh(now);
    for (const [id, timing] of this.#timings) {
      if (now >= Math.max(nextPoll(timing, now), timing.retryAt)) {
        Object.assign(timing, { lastPoll: now, nextPoll: nextOf(timing.pattern, this.#deps.timezone, now) });
        this.#want(id, { cause: 'poll', anyway: false });
      }
      if (now >= timing.nextSlot) this.#runSchedule(id, timing, now);
      if (timing.unannounced !== null && now >= timing.unannounced + HOOK_DELAY) this.#raiseAlert(id, timing, now);
    }
    for (const [id, cause] of this.#again) this.#want(id, { cause });
    this.#again.clear();
    for (const id of quietDue(this.#deps.db, now))
      if (now >= (this.#timings.get(id)?.retryAt ?? 0)) this.#want(id, { cause: 'poll' });
    this.#start();
    if (now >= this.#tidyAt) {
      this.#tidyAt = now + 3_600_000;
      forgetDeliveries(this.#deps.db, now - KEPT_DELIVERIES);
    }
  }

  // ---- what is remembered ------------------------------------------------------------------------------------------

  #refresh(now: number): void {
    this.#refreshAt = now + REFRESH;
    const pipelines = pipelinesAll(this.#deps.db);
    const ids = new Set(pipelines.map(({ id }) => id));
    for (const id of this.#timings.keys()) if (!ids.has(id)) this.#timings.delete(id);
    for (const pipeline of pipelines) this.#refreshOne(pipeline, now);
    this.#probes.refresh(pipelines);
  }

  #refreshOne(pipeline: Pipeline, now: number): void {
    const { db, timezone } = this.#deps;
    const state = pollState(db, pipeline.id);
    const pattern = pipeline.poll ?? state.settings.poll ?? DEFAULT_POLL;
    const alertUntil = (state.missedAt ?? -ALERT) + ALERT;
    const timing = this.#timings.get(pipeline.id) ?? { ...NEW_TIMING, lastPoll: now, alertUntil };
    const next = nextOf(pattern, timezone, now);
    // The earlier one: a wall clock that was put back must not stop the polling until it is where it was.
    timing.nextPoll = timing.pattern === pattern ? Math.min(timing.nextPoll, next) : next;
    timing.retryAt = Math.min(timing.retryAt, now + MOST_BACK_OFF);
    timing.nextSlot = this.#nextSlot(pipeline.id);
    this.#timings.set(pipeline.id, Object.assign(timing, { pattern }));
  }

  /** When the schedule's next slot is due that is not written down yet. */
  #nextSlot(pipelineId: number): number {
    const { db, timezone } = this.#deps;
    const { settings, scheduleSince } = pollState(db, pipelineId);
    if (!settings.schedule || scheduleSince === null) return Number.POSITIVE_INFINITY;
    const since = Math.max(scheduleSince, lastSlotAt(db, pipelineId) ?? 0);
    const { cron: pattern, timezone: zone } = settings.schedule;
    return nextSlots(pattern, zone ?? timezone, since, 1)[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  #raiseAlert(id: number, timing: Timing, now: number): void {
    timing.unannounced = null;
    timing.alertUntil = now + ALERT;
    this.#deps.ledger.write((tx) => noteMissed(tx.db, id, now));
  }

  // ---- looking -----------------------------------------------------------------------------------------------------

  #want(id: number, { cause, anyway = true }: Partial<Wanted> & Pick<Wanted, 'cause'>): void {
    const before = this.#wanted.get(id);
    this.#wanted.set(id, {
      cause: before?.cause === 'hook' ? 'hook' : cause,
      anyway: anyway || before?.anyway === true,
    });
  }

  /** Takes what is wanted, one repository after the other, as long as there is room. */
  #start(): void {
    while (this.#looks.size < AT_ONCE && !this.#closing.signal.aborted) {
      const first = [...this.#wanted.keys()].find((id) => !this.#busy.has(id));
      if (first === undefined) return;
      const group = this.#probes
        .sharing(first)
        .filter((id) => this.#wanted.has(id) && !this.#busy.has(id))
        .flatMap((id) => this.#take(id));
      if (group.length === 0)
        this.#wanted.delete(first); // it is gone
      else this.#track(this.#lookAt(group), group);
    }
  }

  #take(id: number): Look[] {
    const wanted = this.#wanted.get(id);
    const pipeline = pipelineById(this.#deps.db, id);
    this.#wanted.delete(id);
    return pipeline && wanted ? [{ ...wanted, pipeline }] : [];
  }

  #track(work: Promise<void>, group: readonly Look[]): void {
    for (const { pipeline } of group) this.#busy.add(pipeline.id);
    const look = work
      .catch((error: unknown) => this.#deps.onError(error, { polling: group.map(({ pipeline }) => pipeline.name) }))
      .finally(() => {
        for (const { pipeline } of group) this.#busy.delete(pipeline.id);
        this.#looks.delete(look);
        this.#start();
      });
    this.#looks.add(look);
  }

  /** One question for all of them; then each that it concerns looks for itself. */
  async #lookAt(group: readonly Look[]): Promise<void> {
    const { db, clock, repository } = this.#deps;
    const asked = clock.now();
    const before = new Map(group.map(({ pipeline }) => [pipeline.id, watchesOf(db, pipeline.id)]));
    const pulses = await this.#within((signal) =>
      this.#probes.ask(
        group.map(({ pipeline }) => pipeline),
        (access) => repository.pulse(access, signal),
      ),
    );
    for (const look of group) {
      const { pipeline } = look;
      const answer = pulses.get(pipeline.id);
      if (answer instanceof Error) this.#failed(pipeline, answer, look.cause);
      else if (answer) await this.#lookCloser(look, answer, before.get(pipeline.id) ?? [], asked);
    }
  }

  /** As long as a look may take, and no longer than this watcher lives. */
  async #within<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, clear } = deadline(POLL_TIMEOUT, this.#closing.signal);
    return work(signal).finally(clear);
  }

  async #lookCloser(look: Look, pulses: Pulse[], before: ReturnType<typeof watchesOf>, asked: number): Promise<void> {
    const { db, poller, clock } = this.#deps;
    const { pipeline, cause, anyway } = look;
    const rebuild = wantsRebuild(db, pipeline.id);
    if (!anyway && !rebuild && !this.#probes.hasMoved(pipeline, pulses)) return this.#succeeded(pipeline, asked, cause);
    try {
      const heads = pulses[0]?.heads;
      const looked = await this.#within((signal) =>
        poller.poll(pipeline, cause, signal, heads ? { before, heads } : undefined),
      );
      if (looked === null) return; // the same is found again when there is room
      if (looked.overtaken) {
        this.#again.set(pipeline.id, cause);
        return;
      }
      if (rebuild) await this.#rebuild(pipeline, looked, asked);
      this.#probes.seen(pipeline, pulses);
      this.#succeeded(pipeline, asked, cause, looked.unannounced);
      // A head that has moved may bring other times to look at it.
      if (looked.moved.length > 0) this.#refreshOne(pipeline, clock.now());
    } catch (error) {
      this.#failed(pipeline, error, cause);
    }
  }

  /** For the hooks of registries that had come when the repository was asked: once, however many they are. */
  async #rebuild(pipeline: Pipeline, { builds }: Looked, asked: number): Promise<void> {
    const { ledger, poller } = this.#deps;
    if (builds.some(({ branch }) => isDefault(pipeline, branch)))
      ledger.write((tx) => noteRebuilt(tx.db, pipeline.id, asked, tx.now));
    else await this.#within((signal) => poller.rebuild(pipeline, asked, signal));
  }

  #succeeded(pipeline: Pipeline, asked: number, cause: Cause, unannounced = false): void {
    const { db, ledger, clock } = this.#deps;
    const state = pollState(db, pipeline.id);
    // An idle poll writes nothing: only the first word and a changed one are kept.
    if (state.error !== null || state.reachedAt === null)
      ledger.write((tx) => notePoll(tx.db, pipeline.id, null, tx.now));
    const timing = this.#timings.get(pipeline.id);
    if (cause === 'hook' || (timing && timing.failures > 0))
      ledger.write((tx) => noteLooked(tx.db, pipeline.id, asked, tx.now));
    if (!timing) return;
    Object.assign(timing, { failures: 0, retryAt: 0 });
    const expected = state.hookAt !== null && state.settings.push;
    if (unannounced && expected) timing.unannounced ??= clock.now();
  }

  #failed(pipeline: Pipeline, error: unknown, cause: Cause = 'poll'): void {
    const { db, ledger, clock, onError } = this.#deps;
    if (this.#closing.signal.aborted) return;
    // What went wrong is of the source that it had before.
    if (!hasSameSource(db, pipeline)) {
      this.#again.set(pipeline.id, cause);
      return;
    }
    const timedOut = error instanceof Error && error.name === 'TimeoutError';
    if (!(error instanceof AppError) && !timedOut) onError(error, { polling: pipeline.name });
    const told = error instanceof AppError ? error.message : 'internal error: see the log of the server';
    const message = timedOut ? 'the repository did not answer in time' : told;
    if (message !== pollState(db, pipeline.id).error)
      ledger.write((tx) => notePoll(tx.db, pipeline.id, message, tx.now));
    const timing = this.#timings.get(pipeline.id);
    if (!timing) return;
    timing.failures += 1;
    timing.retryAt = clock.now() + Math.min(MOST_BACK_OFF, BACK_OFF * 2 ** (timing.failures - 1));
  }

  /** One at a time for a pipeline; a repository that is away is asked again later, as for a poll. */
  #runSchedule(id: number, timing: Timing, now: number): void {
    const pipeline = pipelineById(this.#deps.db, id);
    if (!pipeline || this.#busy.has(id) || now < timing.retryAt) return;
    const work = async () => {
      try {
        const { poller, timezone } = this.#deps;
        await this.#within((signal) => poller.schedule(pipeline, timezone, now, signal));
        timing.nextSlot = this.#nextSlot(id);
        this.#succeeded(pipeline, now, 'poll');
      } catch (error) {
        this.#failed(pipeline, error);
      }
    };
    this.#track(work(), [{ pipeline, cause: 'poll', anyway: true }]);
  }
}

interface Look extends Wanted {
  pipeline: Pipeline;
}

const NEW_TIMING: Timing = {
  pattern: '',
  lastPoll: 0,
  nextPoll: 0,
  nextSlot: Number.POSITIVE_INFINITY,
  failures: 0,
  retryAt: 0,
  alertUntil: 0,
  unannounced: null,
};

const nextPoll = ({ nextPoll, lastPoll, alertUntil }: Timing, now: number): number =>
  now < alertUntil ? Math.min(nextPoll, lastPoll + ALERT_INTERVAL) : nextPoll;

const nextOf = (pattern: string, timezone: string, now: number): number =>
  new Cron(pattern, { timezone, paused: true }).nextRun(new Date(now))?.getTime() ?? Number.POSITIVE_INFINITY;
