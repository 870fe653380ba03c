/** The record of what happened, in order. Its ids are those of the event stream. */
import { change, type Db, row, rows } from './db.ts';

export interface StoredEvent {
  id: number;
  at: number;
  projectId: number | null;
  runId: number | null;
  type: string;
  data: Record<string, unknown>;
}

interface EventRow {
  id: number;
  at: number;
  project_id: number | null;
  run_id: number | null;
  type: string;
  data_json: string;
}

export function appendEvent(db: Db, event: Omit<StoredEvent, 'id'>): StoredEvent {
  const data = JSON.stringify(event.data);
  const { lastInsertRowid } = change(
    db,
    'INSERT INTO events (at, project_id, run_id, type, data_json) VALUES (?, ?, ?, ?, ?)',
    event.at,
    event.projectId,
    event.runId,
    event.type,
    data,
  );
  return { ...event, id: Number(lastInsertRowid) };
}

export const eventsSince = (db: Db, id: number, limit: number): StoredEvent[] =>
  rows<EventRow>(db, 'SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?', id, limit).map((e) => ({
    id: e.id,
    at: e.at,
    projectId: e.project_id,
    runId: e.run_id,
    type: e.type,
    data: JSON.parse(e.data_json),
  }));

export const lastEvent = (db: Db): number =>
  row<{ id: number | null }>(db, 'SELECT max(id) AS id FROM events')?.id ?? 0;
