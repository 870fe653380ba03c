/** Slots of schedules that have passed, each written once. */
import type { Slot } from '../../pipelines/schedule.ts';
import { change, type Db, row, rows } from './db.ts';

export interface PassedSlot extends Slot {
  /** missed: nobody was there to build it when it was due. */
  outcome: 'built' | 'missed';
  /** The build it became. */
  build: number | null;
}

/** When the newest slot that was written was due. */
export const lastSlotAt = (db: Db, pipelineId: number): number | null =>
  row<{ at: number | null }>(db, 'SELECT max(at) AS at FROM slots WHERE pipeline_id = ?', pipelineId)?.at ?? null;

/** False where it was written before: whoever writes it builds it. */
export const writeSlot = (db: Db, pipelineId: number, slot: Slot, outcome: PassedSlot['outcome']): boolean =>
  change(
    db,
    'INSERT OR IGNORE INTO slots (pipeline_id, slot, at, outcome) VALUES (?, ?, ?, ?)',
    pipelineId,
    slot.name,
    slot.at,
    outcome,
  ).changes > 0;

export const noteSlotRun = (db: Db, pipelineId: number, slot: Slot, runId: number): void =>
  void change(db, 'UPDATE slots SET run_id = ? WHERE pipeline_id = ? AND slot = ?', runId, pipelineId, slot.name);

/** Newest first. */
export const slotsOf = (db: Db, pipelineId: number, limit: number): PassedSlot[] =>
  rows<PassedSlot>(
    db,
    `SELECT s.slot AS name, s.at, s.outcome, r.number AS build FROM slots AS s LEFT JOIN runs AS r ON r.id = s.run_id
     WHERE s.pipeline_id = ? ORDER BY s.at DESC, s.slot DESC LIMIT ?`,
    pipelineId,
    limit,
  );

/** Keeps the newest `keep`. */
export const trimSlots = (db: Db, pipelineId: number, keep: number): void =>
  void change(
    db,
    `DELETE FROM slots WHERE pipeline_id = ? AND slot NOT IN
       (SELECT slot FROM slots WHERE pipeline_id = ? ORDER BY at DESC, slot DESC LIMIT ?)`,
    pipelineId,
    pipelineId,
    keep,
  );
