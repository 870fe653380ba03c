/** Every 15 s: sends the hints again, judges waiting deployments anew, and ends what nobody took in time. */
import type { Clock, Queue } from '../pipelines/ports.ts';
import { recheck } from './deployments.ts';
import type { DiskGuard } from './disk.ts';
import type { Ledger } from './ledger.ts';
import type { Db } from './store/db.ts';
import { environmentById } from './store/environments.ts';
import { openRuns } from './store/runs.ts';

export const ROUND = 15_000;
const MAX_QUEUE_WAIT = 24 * 3_600_000;

export interface ReaperDeps {
  db: Db;
  ledger: Ledger;
  clock: Clock;
  queue: Queue;
  disk: DiskGuard;
  onError: (error: unknown, context: Record<string, unknown>) => void;
}

export class Reaper {
  readonly #deps: ReaperDeps;
  /** When each open run was first met, on the monotonic clock: a wall clock that jumps expires nothing. */
  readonly #met = new Map<string, number>();
  #cancel = () => {};

  constructor(deps: ReaperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#cancel = this.#deps.clock.after(ROUND, () => {
      void this.round().finally(() => this.start());
    });
  }

  close(): void {
    this.#cancel();
  }

  async round(): Promise<void> {
    try {
      await this.#deps.disk.check();
      this.#deps.ledger.write((tx) => {
        for (const run of openRuns(tx.db, 'waiting')) if (run.kind === 'deployment') recheck(tx, run);
      });
      this.#expire();
      for (const run of openRuns(this.#deps.db, 'queued'))
        this.#deps.queue.dispatch({ runId: run.id, attempt: run.attempt, pool: run.pool });
    } catch (error) {
      this.#deps.onError(error, { while: 'reaping' });
    }
  }

  #expire(): void {
    const { db, clock, ledger } = this.#deps;
    const open = openRuns(db, 'queued', 'waiting');
    const keys = new Set(open.map((run) => `${run.id} ${run.status}`));
    for (const key of this.#met.keys()) if (!keys.has(key)) this.#met.delete(key);
    for (const run of open) {
      const key = `${run.id} ${run.status}`;
      // What waited before this process began counts too, by the wall clock, once.
      const met = this.#met.get(key) ?? clock.mono() - Math.max(0, clock.now() - run.queuedAt);
      this.#met.set(key, met);
      const waited = clock.mono() - met;
      if (run.status === 'queued' && waited > MAX_QUEUE_WAIT) {
        ledger.move(run.id, { type: 'errored', reason: `no runner of pool ${run.pool} took it within 24 hours` });
      }
      const rule = run.kind === 'deployment' ? environmentById(db, run.environmentId)?.approvals : null;
      const asked = run.kind === 'deployment' && run.gates.some(({ gate, open }) => gate === 'approvals' && !open);
      if (run.status === 'waiting' && asked && rule?.expires !== undefined && waited > rule.expires) {
        ledger.move(run.id, { type: 'expired', reason: 'nobody approved it in time' });
      }
    }
  }
}
