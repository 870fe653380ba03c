/** Cursors: the last revision of a branch that was built or, at first sight, taken note of; and how polling goes. */
import type { SourceSpec } from '../../pipelines/model.ts';
import type { Head } from '../../pipelines/ports.ts';
import { change, type Db, row, rows } from './db.ts';

export interface Watch extends Head {
  notedAt: number;
}

export const watchesOf = (db: Db, pipelineId: number): Watch[] =>
  rows<Watch>(
    db,
    'SELECT branch, revision, noted_at AS notedAt FROM watches WHERE pipeline_id = ? ORDER BY branch',
    pipelineId,
  );

export const cursorOf = (db: Db, pipelineId: number, branch: string): string | null =>
  row<{ revision: string }>(db, 'SELECT revision FROM watches WHERE pipeline_id = ? AND branch = ?', pipelineId, branch)
    ?.revision ?? null;

/** Compare and set: false where somebody else has moved the cursor meanwhile. */
export function moveCursor(db: Db, pipelineId: number, head: Head, from: string | null, now: number): boolean {
  const done =
    from === null
      ? change(db, 'INSERT OR IGNORE INTO watches VALUES (?, ?, ?, ?)', pipelineId, head.branch, head.revision, now)
      : change(
          db,
          'UPDATE watches SET revision = ?, noted_at = ? WHERE pipeline_id = ? AND branch = ? AND revision = ?',
          head.revision,
          now,
          pipelineId,
          head.branch,
          from,
        );
  return done.changes > 0;
}

export const forgetBranch = (db: Db, pipelineId: number, branch: string): void => {
  change(db, 'DELETE FROM watches WHERE pipeline_id = ? AND branch = ?', pipelineId, branch);
};

export interface PollState {
  /** The source whose heads were noted; null until it was reached once. */
  source: SourceSpec | null;
  filePoll: string | null;
  polledAt: number | null;
  reachedAt: number | null;
  error: string | null;
}

interface PollRow {
  source: string | null;
  file_poll: string | null;
  polled_at: number | null;
  reached_at: number | null;
  error: string | null;
}

export function pollState(db: Db, pipelineId: number): PollState {
  const found = row<PollRow>(
    db,
    'SELECT source, file_poll, polled_at, reached_at, error FROM polls WHERE pipeline_id = ?',
    pipelineId,
  );
  return {
    source: found?.source ? (JSON.parse(found.source) as SourceSpec) : null,
    filePoll: found?.file_poll ?? null,
    polledAt: found?.polled_at ?? null,
    reachedAt: found?.reached_at ?? null,
    error: found?.error ?? null,
  };
}

/** Writes what one poll came to. */
export function notePoll(db: Db, pipelineId: number, error: string | null, now: number): void {
  change(
    db,
    `INSERT INTO polls (pipeline_id, polled_at, reached_at, error) VALUES (?, ?, ?, ?)
     ON CONFLICT (pipeline_id) DO UPDATE SET polled_at = excluded.polled_at, error = excluded.error,
       reached_at = ifnull(excluded.reached_at, reached_at)`,
    pipelineId,
    now,
    error === null ? now : null,
    error,
  );
}

/** What `on.poll` asks for in the file at the head of the first branch. */
export function noteFilePoll(db: Db, pipelineId: number, poll: string | null): void {
  change(
    db,
    'INSERT INTO polls (pipeline_id, file_poll) VALUES (?, ?) ON CONFLICT (pipeline_id) DO UPDATE SET file_poll = excluded.file_poll',
    pipelineId,
    poll,
  );
}

/** The heads of this source have been taken note of without building; another repository starts from nothing. */
export function noteSight(db: Db, pipelineId: number, source: SourceSpec, heads: readonly Head[], now: number): void {
  const before = pollState(db, pipelineId).source;
  if (before && (before.kind !== source.kind || before.url !== source.url))
    change(db, 'DELETE FROM watches WHERE pipeline_id = ?', pipelineId);
  for (const head of heads) moveCursor(db, pipelineId, head, null, now);
  change(
    db,
    'INSERT INTO polls (pipeline_id, source) VALUES (?, ?) ON CONFLICT (pipeline_id) DO UPDATE SET source = excluded.source',
    pipelineId,
    JSON.stringify(source),
  );
}
