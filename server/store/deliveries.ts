/** Hooks that were accepted, so that none is taken twice and none is lost by a restart. */
import { change, type Db, rows } from './db.ts';

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

/** The repository has been looked at since these came: all up to and including `until`. */
export const noteLooked = (db: Db, pipelineId: number, until: number, now: number): void =>
  void change(
    db,
    'UPDATE deliveries SET looked_at = ? WHERE pipeline_id = ? AND looked_at IS NULL AND at <= ?',
    now,
    pipelineId,
    until,
  );

/** What the delivery of a registry is called. */
export const IMAGE_PUSHED = 'image';

/** Pipelines with a hook whose repository nobody has looked at yet; `image`: among them is one of a registry. */
export const pipelinesWithHooks = (db: Db): { id: number; image: boolean }[] =>
  rows<{ id: number; image: 0 | 1 }>(
    db,
    `SELECT pipeline_id AS id, max(event = ?) AS image FROM deliveries WHERE looked_at IS NULL GROUP BY pipeline_id`,
    IMAGE_PUSHED,
  ).map(({ id, image }) => ({ id, image: image === 1 }));

export const forgetDeliveries = (db: Db, before: number): void =>
  void change(db, 'DELETE FROM deliveries WHERE at < ? AND looked_at IS NOT NULL', before);
