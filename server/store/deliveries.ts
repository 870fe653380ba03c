/** Hooks that were accepted, so that none is taken twice and none is lost by a restart. */
import { change, type Db, row, rows } from './db.ts';

/** False where this delivery was taken before. */
export const takeDelivery = (
  db: Db,
  pipelineId: number,
  { delivery, event }: { delivery: string; event: string },
  now: number,
): boolean =>
  change(
    db,
    'INSERT OR IGNORE INTO deliveries (pipeline_id, delivery, at, event) VALUES (?, ?, ?, ?)',
    pipelineId,
    delivery,
    now,
    event,
  ).changes > 0;

/** What the delivery of a registry is called. */
export const IMAGE_PUSHED = 'image';

/** The repository has been looked at since these came: all up to and including `until`, but for those of registries. */
export const noteLooked = (db: Db, pipelineId: number, until: number, now: number): void =>
  void change(
    db,
    'UPDATE deliveries SET looked_at = ? WHERE pipeline_id = ? AND looked_at IS NULL AND at <= ? AND event <> ?',
    now,
    pipelineId,
    until,
    IMAGE_PUSHED,
  );

/** The first branch has been built since these came of registries: all up to and including `until`. */
export const noteRebuilt = (db: Db, pipelineId: number, until: number, now: number): void =>
  void change(
    db,
    'UPDATE deliveries SET looked_at = ? WHERE pipeline_id = ? AND looked_at IS NULL AND at <= ? AND event = ?',
    now,
    pipelineId,
    until,
    IMAGE_PUSHED,
  );

/** Whether a registry has told of an image since the first branch was built. */
export const wantsRebuild = (db: Db, pipelineId: number): boolean =>
  row(
    db,
    'SELECT 1 FROM deliveries WHERE pipeline_id = ? AND looked_at IS NULL AND event = ? LIMIT 1',
    pipelineId,
    IMAGE_PUSHED,
  ) !== undefined;

/** Pipelines with a hook that nothing has come of yet. */
export const pipelinesWithHooks = (db: Db): number[] =>
  rows<{ id: number }>(db, 'SELECT DISTINCT pipeline_id AS id FROM deliveries WHERE looked_at IS NULL').map(
    ({ id }) => id,
  );

export const forgetDeliveries = (db: Db, before: number): void =>
  void change(db, 'DELETE FROM deliveries WHERE at < ? AND looked_at IS NOT NULL', before);
