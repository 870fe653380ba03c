/** Cursors: the last revision of a branch that was built or, at first sight, taken note of; and how polling goes. */
import type { SourceSpec } from '../../pipelines/model.ts';
import type { Head } from '../../pipelines/ports.ts';
import { NO_SETTINGS, type WatchSettings } from '../../pipelines/watching.ts';
import { change, type Db, row, rows } from './db.ts';

export interface Watch extends Head {
  notedAt: number;
  /** The last revision whose changes are listed with a build, or that was there at first sight. */
  built: string | null;
}

const COLUMNS = 'branch, revision, noted_at AS notedAt, built';

export const watchesOf = (db: Db, pipelineId: number): Watch[] =>
  rows<Watch>(db, `SELECT ${COLUMNS} FROM watches WHERE pipeline_id = ? ORDER BY branch`, pipelineId);

export const watchOf = (db: Db, pipelineId: number, branch: string): Watch | null =>
  row<Watch>(db, `SELECT ${COLUMNS} FROM watches WHERE pipeline_id = ? AND branch = ?`, pipelineId, branch) ?? null;

/** Compare and set: false where somebody else has moved the cursor meanwhile. */
export function moveCursor(db: Db, pipelineId: number, head: Head, from: string | null, now: number): boolean {
  const done =
    from === null
      ? change(
          db,
          'INSERT OR IGNORE INTO watches (pipeline_id, branch, revision, noted_at) VALUES (?, ?, ?, ?)',
          pipelineId,
          head.branch,
          head.revision,
          now,
        )
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

/** The changes up to this head are listed with a build, or were there at first sight. */
export const noteBuilt = (db: Db, pipelineId: number, head: Head): void =>
  void change(
    db,
    'UPDATE watches SET built = ? WHERE pipeline_id = ? AND branch = ?',
    head.revision,
    pipelineId,
    head.branch,
  );

export function forgetBranch(db: Db, pipelineId: number, branch: string): void {
  change(db, 'DELETE FROM watches WHERE pipeline_id = ? AND branch = ?', pipelineId, branch);
  settle(db, pipelineId, branch);
}

// ---- further sources -----------------------------------------------------------------------------------------------------

/** The last revision of a further source whose changes are listed with a build; `address` is another one for another place. */
export const sourceCursor = (db: Db, pipelineId: number, name: string, address: string): string | null =>
  row<{ revision: string }>(
    db,
    'SELECT revision FROM source_watches WHERE pipeline_id = ? AND name = ? AND address = ?',
    pipelineId,
    name,
    address,
  )?.revision ?? null;

export const moveSource = (
  db: Db,
  pipelineId: number,
  { name, address, revision }: { name: string; address: string; revision: string },
  now: number,
): void =>
  void change(
    db,
    `INSERT INTO source_watches VALUES (?, ?, ?, ?, ?) ON CONFLICT (pipeline_id, name) DO UPDATE SET
       address = excluded.address, revision = excluded.revision, noted_at = excluded.noted_at`,
    pipelineId,
    name,
    address,
    revision,
    now,
  );

// ---- the quiet period ----------------------------------------------------------------------------------------------------

export interface Quiet extends Head {
  cause: 'poll' | 'hook';
  firstAt: number;
  dueAt: number;
}

const QUIET = 'branch, revision, cause, first_at AS firstAt, due_at AS dueAt';

export const quietOf = (db: Db, pipelineId: number, branch: string): Quiet | null =>
  row<Quiet>(db, `SELECT ${QUIET} FROM quiet WHERE pipeline_id = ? AND branch = ?`, pipelineId, branch) ?? null;

export const quietsOf = (db: Db, pipelineId: number): Quiet[] =>
  rows<Quiet>(db, `SELECT ${QUIET} FROM quiet WHERE pipeline_id = ? ORDER BY due_at`, pipelineId);

/** No head waits longer than this before it is looked at again. */
const LONGEST_QUIET = 3_600_000;

/** Whether the wait is over. What lies further ahead than any wait is due, too: then the wall clock was set back. */
export const isQuietOver = ({ dueAt }: Quiet, now: number): boolean => dueAt <= now || dueAt > now + LONGEST_QUIET;

/** Pipelines of which a head has waited long enough. */
export const quietDue = (db: Db, now: number): number[] =>
  rows<{ id: number }>(
    db,
    'SELECT DISTINCT pipeline_id AS id FROM quiet WHERE due_at <= ? OR due_at > ?',
    now,
    now + LONGEST_QUIET,
  ).map(({ id }) => id);

export const waitQuietly = (db: Db, pipelineId: number, quiet: Quiet): void =>
  void change(
    db,
    'INSERT OR REPLACE INTO quiet VALUES (?, ?, ?, ?, ?, ?)',
    pipelineId,
    quiet.branch,
    quiet.revision,
    quiet.cause,
    quiet.firstAt,
    quiet.dueAt,
  );

/** The branch waits no longer. */
export const settle = (db: Db, pipelineId: number, branch: string): void =>
  void change(db, 'DELETE FROM quiet WHERE pipeline_id = ? AND branch = ?', pipelineId, branch);

// ---- how polling goes ----------------------------------------------------------------------------------------------------

export interface PollState {
  /** The source whose heads were noted; null until it was reached once. */
  source: SourceSpec | null;
  settings: WatchSettings;
  /** Slots of the schedule count from here on; null without one. */
  scheduleSince: number | null;
  polledAt: number | null;
  reachedAt: number | null;
  error: string | null;
  hookAt: number | null;
  /** When a change was found that no hook had announced, though hooks come. */
  missedAt: number | null;
}

interface PollRow {
  source: string | null;
  settings_json: string | null;
  schedule_since: number | null;
  polled_at: number | null;
  reached_at: number | null;
  error: string | null;
  hook_at: number | null;
  missed_at: number | null;
}

export function pollState(db: Db, pipelineId: number): PollState {
  const found = row<PollRow>(
    db,
    `SELECT source, settings_json, schedule_since, polled_at, reached_at, error, hook_at, missed_at
     FROM polls WHERE pipeline_id = ?`,
    pipelineId,
  );
  return {
    source: found?.source ? (JSON.parse(found.source) as SourceSpec) : null,
    settings: found?.settings_json ? (JSON.parse(found.settings_json) as WatchSettings) : NO_SETTINGS,
    scheduleSince: found?.schedule_since ?? null,
    polledAt: found?.polled_at ?? null,
    reachedAt: found?.reached_at ?? null,
    error: found?.error ?? null,
    hookAt: found?.hook_at ?? null,
    missedAt: found?.missed_at ?? null,
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

/** Keeps what the file at the head of the first branch says; a schedule that is another one counts from now on. */
export function noteSettings(db: Db, pipelineId: number, settings: WatchSettings, now: number): void {
  const before = pollState(db, pipelineId);
  if (JSON.stringify(before.settings) === JSON.stringify(settings)) return;
  const same = JSON.stringify(before.settings.schedule) === JSON.stringify(settings.schedule);
  const since = settings.schedule === null ? null : same ? before.scheduleSince : now;
  change(
    db,
    `INSERT INTO polls (pipeline_id, settings_json, schedule_since) VALUES (?, ?, ?)
     ON CONFLICT (pipeline_id) DO UPDATE SET settings_json = excluded.settings_json, schedule_since = excluded.schedule_since`,
    pipelineId,
    JSON.stringify(settings),
    since,
  );
}

/** A hook has come. */
export const noteHook = (db: Db, pipelineId: number, now: number): void =>
  void change(
    db,
    'INSERT INTO polls (pipeline_id, hook_at) VALUES (?, ?) ON CONFLICT (pipeline_id) DO UPDATE SET hook_at = excluded.hook_at',
    pipelineId,
    now,
  );

/** A change was found that no hook had announced. */
export const noteMissed = (db: Db, pipelineId: number, now: number): void =>
  void change(db, 'UPDATE polls SET missed_at = ? WHERE pipeline_id = ?', now, pipelineId);

/** The heads of this source have been taken note of without building; another repository starts from nothing. */
export function noteSight(db: Db, pipelineId: number, source: SourceSpec, heads: readonly Head[], now: number): void {
  const before = pollState(db, pipelineId).source;
  if (before && (before.kind !== source.kind || before.url !== source.url))
    for (const { branch } of [...watchesOf(db, pipelineId), ...quietsOf(db, pipelineId)])
      forgetBranch(db, pipelineId, branch);
  for (const head of heads) if (moveCursor(db, pipelineId, head, null, now)) noteBuilt(db, pipelineId, head);
  change(
    db,
    'INSERT INTO polls (pipeline_id, source) VALUES (?, ?) ON CONFLICT (pipeline_id) DO UPDATE SET source = excluded.source',
    pipelineId,
    JSON.stringify(source),
  );
}
