/** Polls every pipeline by its cron. A missed tick costs nothing: the next one finds what moved. */
import { Cron } from 'croner';
import cron from 'node-cron';
import { AppError } from '../pipelines/errors.ts';
import type { Clock } from '../pipelines/ports.ts';
import type { Ledger } from './ledger.ts';
import type { Db } from './store/db.ts';
import { type Pipeline, pipelineById, pipelinesAll } from './store/pipelines.ts';
import { notePoll, pollState } from './store/watches.ts';
import type { Trigger } from './trigger.ts';

export const DEFAULT_POLL = '* * * * *';
const POLL_TIMEOUT = 60_000;
const AT_ONCE = 4;

export interface WatcherDeps {
  db: Db;
  ledger: Ledger;
  clock: Clock;
  trigger: Trigger;
  timezone: string;
  onError: (error: unknown, context: Record<string, unknown>) => void;
}

interface Slot {
  pattern: string;
  /** Wall time of the next poll. */
  next: number;
}

export class Watcher {
  readonly #deps: WatcherDeps;
  readonly #slots = new Map<number, Slot>();
  readonly #busy = new Set<number>();
  readonly #closing = new AbortController();
  readonly #queue: number[] = [];
  #task: ReturnType<typeof cron.schedule> | null = null;
  #polls: Promise<unknown>[] = [];

  constructor(deps: WatcherDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#task = cron.schedule('* * * * * *', () => this.tick(), { noOverlap: true, suppressMissedWarning: true });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#task?.destroy();
    await Promise.allSettled(this.#polls);
  }

  /** Starts what is due. Called every second. */
  tick(): void {
    const now = this.#deps.clock.now();
    const pipelines = pipelinesAll(this.#deps.db);
    for (const id of this.#slots.keys()) if (!pipelines.some((each) => each.id === id)) this.#slots.delete(id);
    for (const pipeline of pipelines)
      if (this.#due(pipeline, now) && !this.#queue.includes(pipeline.id)) this.#queue.push(pipeline.id);
    this.#drain();
  }

  #due(pipeline: Pipeline, now: number): boolean {
    const pattern = pipeline.poll ?? pollState(this.#deps.db, pipeline.id).filePoll ?? DEFAULT_POLL;
    const slot = this.#slots.get(pipeline.id);
    const next = () =>
      new Cron(pattern, { timezone: this.#deps.timezone, paused: true }).nextRun(new Date(now))?.getTime() ??
      Number.POSITIVE_INFINITY;
    if (slot?.pattern !== pattern) {
      this.#slots.set(pipeline.id, { pattern, next: next() });
      return false;
    }
    if (now < slot.next) return false;
    slot.next = next();
    return true;
  }

  #drain(): void {
    while (this.#busy.size < AT_ONCE && !this.#closing.signal.aborted) {
      const id = this.#queue.find((each) => !this.#busy.has(each));
      if (id === undefined) return;
      this.#queue.splice(this.#queue.indexOf(id), 1);
      this.#busy.add(id);
      const done = this.#poll(id).finally(() => {
        this.#busy.delete(id);
        this.#polls = this.#polls.filter((each) => each !== done);
        this.#drain();
      });
      this.#polls.push(done);
    }
  }

  async #poll(id: number): Promise<void> {
    const { db, ledger, trigger, onError } = this.#deps;
    const pipeline = pipelineById(db, id);
    if (!pipeline) return;
    const was = pollState(db, id).error;
    let error: string | null = null;
    try {
      await trigger.poll(pipeline, AbortSignal.any([this.#closing.signal, AbortSignal.timeout(POLL_TIMEOUT)]));
    } catch (thrown) {
      if (this.#closing.signal.aborted) return;
      if (!(thrown instanceof AppError)) onError(thrown, { polling: pipeline.name });
      error = thrown instanceof AppError ? thrown.message : 'internal error: see the log of the server';
    }
    // An idle poll writes nothing: only the first word and a changed one are kept.
    if (error !== was || pollState(db, id).reachedAt === null) ledger.write((tx) => notePoll(tx.db, id, error, tx.now));
  }
}
