/** Claims runs and sees them through: as many at once as it has slots. A hint only makes it ask. */
import { messageOf } from '../pipelines/errors.ts';
import type { Queue, RunnerApi, RunnerInfo } from '../pipelines/ports.ts';
import { Attempt, type AttemptDeps } from './attempt.ts';

export interface WorkerDeps extends AttemptDeps {
  api: RunnerApi;
  queue: Queue;
  info: RunnerInfo;
}

export class Worker {
  readonly #deps: WorkerDeps;
  readonly #attempts = new Map<Attempt, Promise<void>>();
  #asking = false;
  #askAgain = false;
  #closed = false;

  constructor(deps: WorkerDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    await this.#deps.api.register(this.#deps.info);
    this.#deps.queue.consume(this.#deps.info.pools, () => void this.#ask());
    void this.#ask();
  }

  /** Runs being executed. */
  get busy(): number {
    return this.#attempts.size;
  }

  /** Ends everything that was started here and reports nothing: the server finds these runs lost, and decides. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const attempt of this.#attempts.keys()) attempt.abandon('the runner is shutting down');
    await Promise.all(this.#attempts.values());
  }

  /** One asker at a time, who goes on until there is no work or no slot. */
  async #ask(): Promise<void> {
    this.#askAgain = true;
    if (this.#asking) return;
    this.#asking = true;
    try {
      while (this.#askAgain && !this.#closed && this.#attempts.size < this.#deps.info.slots) {
        this.#askAgain = false;
        const claim = await this.#deps.api.claim(this.#deps.info.id);
        if (!claim) continue;
        this.#askAgain = true;
        this.#begin(new Attempt(this.#deps, claim));
      }
    } catch (error) {
      this.#deps.onError(error, { while: 'claiming', message: messageOf(error) });
    } finally {
      this.#asking = false;
    }
  }

  #begin(attempt: Attempt): void {
    const done = attempt
      .go()
      .catch((error: unknown) => this.#deps.onError(error, { run: attempt.runId }))
      .finally(() => {
        this.#attempts.delete(attempt);
        void this.#ask();
      });
    this.#attempts.set(attempt, done);
  }
}

export type { RunnerApi };
