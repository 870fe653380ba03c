/** What runs in each (environment, stack), its hold, and its lock. */
import type { Current, ObservedService } from '../../pipelines/model.ts';
import { change, type Db, row, rows } from './db.ts';

export interface Hold {
  by: string | null;
  reason: string;
  at: number;
}
export interface Lock {
  runId: number;
  /** Number of the deployment that holds it. */
  deployment: number;
  takenAt: number;
}
export interface StackState {
  name: string;
  current: Current | null;
  hold: Hold | null;
  lock: Lock | null;
  /** Seen after a deploy was lost; null once a deployment has passed. */
  observed: { at: number; services: ObservedService[] } | null;
}

interface StateRow {
  stack: string;
  current_json: string | null;
  hold_json: string | null;
  observed_json: string | null;
  run_id: number | null;
  number: number | null;
  taken_at: number | null;
}

const SELECT = `SELECT s.stack, s.current_json, s.hold_json, s.observed_json, l.run_id, r.number, l.taken_at
  FROM stack_states AS s LEFT JOIN locks AS l USING (environment_id, stack) LEFT JOIN runs AS r ON r.id = l.run_id`;

const toState = (r: StateRow): StackState => ({
  name: r.stack,
  current: r.current_json === null ? null : JSON.parse(r.current_json),
  hold: r.hold_json === null ? null : JSON.parse(r.hold_json),
  observed: r.observed_json === null ? null : JSON.parse(r.observed_json),
  lock: r.run_id === null ? null : { runId: r.run_id, deployment: r.number ?? 0, takenAt: r.taken_at ?? 0 },
});

export const stackStates = (db: Db, environmentId: number): StackState[] =>
  rows<StateRow>(db, `${SELECT} WHERE s.environment_id = ? ORDER BY s.stack`, environmentId).map(toState);

export function stackState(db: Db, environmentId: number, stack: string): StackState {
  const found = row<StateRow>(db, `${SELECT} WHERE s.environment_id = ? AND s.stack = ?`, environmentId, stack);
  return found ? toState(found) : { name: stack, current: null, hold: null, lock: null, observed: null };
}

/** Makes sure that there is a row to update. */
export const noteStack = (db: Db, environmentId: number, stack: string): void => {
  change(db, 'INSERT OR IGNORE INTO stack_states (environment_id, stack) VALUES (?, ?)', environmentId, stack);
};

export function setCurrent(db: Db, environmentId: number, stack: string, current: Current): void {
  noteStack(db, environmentId, stack);
  change(
    db,
    'UPDATE stack_states SET current_json = ?, observed_json = NULL WHERE environment_id = ? AND stack = ?',
    JSON.stringify(current),
    environmentId,
    stack,
  );
}

export function setHold(db: Db, environmentId: number, stack: string, hold: Hold | null): void {
  noteStack(db, environmentId, stack);
  change(
    db,
    'UPDATE stack_states SET hold_json = ? WHERE environment_id = ? AND stack = ?',
    hold && JSON.stringify(hold),
    environmentId,
    stack,
  );
}

export function setObserved(
  db: Db,
  environmentId: number,
  stack: string,
  services: ObservedService[],
  at: number,
): void {
  noteStack(db, environmentId, stack);
  const observed = JSON.stringify({ at, services });
  change(
    db,
    'UPDATE stack_states SET observed_json = ? WHERE environment_id = ? AND stack = ?',
    observed,
    environmentId,
    stack,
  );
}

/** Takes the lock, or answers false where another run holds it. Taking it twice is taking it once. */
export function takeLock(db: Db, environmentId: number, stack: string, runId: number, now: number): boolean {
  noteStack(db, environmentId, stack);
  change(db, 'INSERT OR IGNORE INTO locks VALUES (?, ?, ?, ?)', environmentId, stack, runId, now);
  return (
    row<{ run_id: number }>(db, 'SELECT run_id FROM locks WHERE environment_id = ? AND stack = ?', environmentId, stack)
      ?.run_id === runId
  );
}

/** Whether this run held it. */
export const releaseLock = (db: Db, environmentId: number, stack: string, runId: number): boolean =>
  change(db, 'DELETE FROM locks WHERE environment_id = ? AND stack = ? AND run_id = ?', environmentId, stack, runId)
    .changes > 0;
