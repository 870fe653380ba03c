/**
 * The one way anything changes: a transaction in which an event is applied to a run, and all that follows from it is written
 * too. What the outside must hear (event stream, hints, mail) is told after the commit; if we die before, the reaper, the
 * outbox and the stream's replay find it in the database.
 */
import type { RunEvent } from '../pipelines/events.ts';
import type { Plan, Run } from '../pipelines/model.ts';
import type { Clock } from '../pipelines/ports.ts';
import { apply } from '../pipelines/transition.ts';
import { type Db, transact } from './store/db.ts';
import { appendEvent, type StoredEvent } from './store/events.ts';
import { insertRun, type NewRun, runById, saveRun, storeOutput, takeClaim } from './store/runs.ts';

/** A transaction under way. Synchronous: no I/O, no await. */
export interface Tx {
  readonly db: Db;
  readonly now: number;
  insert<R extends Run>(run: NewRun<R>, plan: Plan): R;
  /** Applies, saves, records, and lets everything follow. Throws `IllegalMove` and writes nothing where it is not possible. */
  apply<R extends Run>(run: R, event: RunEvent): R;
  /** Queued → running, only if nobody was faster. */
  claim<R extends Run>(run: R, event: Extract<RunEvent, { type: 'claimed' }>): R | null;
  record(type: string, projectId: number | null, data: Record<string, unknown>): void;
}

export interface Committed {
  events: StoredEvent[];
  /** Runs as they are after the commit, with what they were before: null for new ones. */
  moves: { before: Run | null; after: Run; event: RunEvent | null }[];
}

/** What follows from a move, inside its transaction. */
export type Consequences = (tx: Tx, before: Run | null, after: Run, event: RunEvent | null) => void;

export class Ledger {
  readonly #db: Db;
  readonly #clock: Clock;
  readonly #listeners: ((committed: Committed) => void)[] = [];
  #consequences: Consequences = () => {};
  #open: Tx | null = null;

  constructor(db: Db, clock: Clock) {
    this.#db = db;
    this.#clock = clock;
  }

  /** Set once, by the composition root. */
  follow(consequences: Consequences): void {
    this.#consequences = consequences;
  }

  /** Told after every commit. */
  onCommit(listener: (committed: Committed) => void): void {
    this.#listeners.push(listener);
  }

  /** One transaction; a call within a call joins it. */
  write<T>(work: (tx: Tx) => T): T {
    if (this.#open) return work(this.#open);
    const committed: Committed = { events: [], moves: [] };
    const tx = this.#begin(committed);
    this.#open = tx;
    let result: T;
    try {
      result = transact(this.#db, () => work(tx));
    } finally {
      this.#open = null;
    }
    for (const listener of this.#listeners) listener(committed);
    return result;
  }

  /** Loads a run and applies an event to it, in a transaction of its own. */
  move(runId: number, event: RunEvent): Run {
    return this.write((tx) => {
      const run = runById(tx.db, runId);
      if (!run) throw new Error(`there is no run ${runId}`);
      return tx.apply(run, event);
    });
  }

  #begin(committed: Committed): Tx {
    const db = this.#db;
    const now = this.#clock.now();
    const moved = (tx: Tx, before: Run | null, after: Run, event: RunEvent | null) => {
      committed.moves.push({ before, after, event });
      committed.events.push(appendEvent(db, describe(before, after, event, now)));
      this.#consequences(tx, before, after, event);
    };
    const tx: Tx = {
      db,
      now,
      insert: (run, plan) => {
        const inserted = insertRun(db, run, plan) as never;
        moved(tx, null, inserted, null);
        return inserted;
      },
      apply: (run, event) => {
        const next = apply(run, event, now);
        saveRun(db, next);
        if (event.type === 'step.finished' && event.output) storeOutput(db, run.id, event.step, event.output);
        moved(tx, run, next, event);
        return next;
      },
      claim: (run, event) => {
        const next = apply(run, event, now);
        if (!takeClaim(db, next)) return null;
        moved(tx, run, next, event);
        return next;
      },
      record: (type, projectId, data) => {
        committed.events.push(appendEvent(db, { at: now, projectId, runId: null, type, data }));
      },
    };
    return tx;
  }
}

/** The event stream's view of a move: enough to patch a page, never a secret, an output or a token. */
function describe(before: Run | null, after: Run, event: RunEvent | null, at: number): Omit<StoredEvent, 'id'> {
  const step = event && 'step' in event ? after.steps.find(({ name }) => name === event.step) : undefined;
  const owner =
    after.kind === 'build'
      ? { pipelineId: after.pipelineId }
      : { environmentId: after.environmentId, stack: after.stack };
  return {
    at,
    projectId: after.projectId,
    runId: after.id,
    type: event === null ? 'run.created' : step ? 'step' : 'run',
    data: {
      kind: after.kind,
      number: after.number,
      ...owner,
      event: event?.type ?? 'created',
      status: after.status,
      result: after.result,
      reason: after.reason,
      was: before?.status ?? null,
      ...(step ? { step: { name: step.name, status: step.status, result: step.result, attempt: step.attempt } } : {}),
    },
  };
}
