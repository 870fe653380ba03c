/** Reports to forges that a transaction owes, and how they fare. */
import type { BuildRun } from '../../pipelines/model.ts';
import { stateOf } from '../forge/describe.ts';
import type { CommitState, ForgeKind } from '../forge/target.ts';
import { change, type Db, row, rows } from './db.ts';
import { pipelineById } from './pipelines.ts';

export interface StatusRow {
  id: number;
  runId: number;
  state: CommitState;
  /** Failed tries so far. */
  attempts: number;
  pipelineId: number;
  revision: string;
}

/**
 * Builds whose reports replace each other: GitHub and Gitea keep one a commit, GitLab one a commit and branch. The "+" is for
 * the index of revisions: a pipeline has thousands of builds, a commit a few.
 */
const SAME = `r.kind = 'build' AND +r.pipeline_id = @pipeline AND r.revision = @revision AND (@perCommit OR r.branch = @branch)`;

/**
 * What there is to tell of a build now. Only the newest is worth telling: what was not sent before it never is, and a build that
 * ends after a newer one of its commit has begun says nothing, unless that one was cancelled.
 */
export function oweStatus(db: Db, run: BuildRun, now: number): void {
  const kind = pipelineById(db, run.pipelineId)?.status?.kind;
  if (!kind) return;
  const perCommit = kind === 'gitlab' ? 0 : 1;
  const same = { pipeline: run.pipelineId, revision: run.revision, branch: run.branch, run: run.id, perCommit };
  const newer = `SELECT 1 FROM statuses AS s JOIN runs AS r ON r.id = s.run_id
    WHERE ${SAME} AND r.id > @run AND r.result IS NOT 'cancelled' LIMIT 1`;
  if (row(db, newer, same)) return;
  change(
    db,
    `DELETE FROM statuses WHERE sent_at IS NULL AND run_id IN (SELECT r.id FROM runs AS r WHERE ${SAME})`,
    same,
  );
  change(
    db,
    'INSERT OR IGNORE INTO statuses (run_id, state, created_at, next_at) VALUES (?, ?, ?, ?)',
    run.id,
    stateOf(run),
    now,
    now,
  );
}

/** `oldest`: what is older is given up. `ahead`: what lies further ahead is due, too; then the wall clock was set back. */
export interface Window {
  now: number;
  oldest: number;
  ahead: number;
}

const OPEN = 's.sent_at IS NULL AND s.next_at IS NOT NULL AND s.created_at > @oldest';

export const dueStatuses = (db: Db, window: Window, limit: number): StatusRow[] =>
  rows(
    db,
    `SELECT s.id, s.run_id AS runId, s.state, s.attempts, r.pipeline_id AS pipelineId, r.revision
     FROM statuses AS s JOIN runs AS r ON r.id = s.run_id
     WHERE ${OPEN} AND (s.next_at <= @now OR s.next_at > @now + @ahead) ORDER BY s.next_at, s.id LIMIT @limit`,
    { ...window, limit },
  );

export const nextStatusAt = (db: Db, { now, oldest }: Window): number | null =>
  row<{ at: number | null }>(db, `SELECT min(s.next_at) AS at FROM statuses AS s WHERE ${OPEN} AND s.next_at > @now`, {
    now,
    oldest,
  })?.at ?? null;

export function markSent(db: Db, status: StatusRow, now: number): void {
  change(db, 'UPDATE statuses SET sent_at = ?, error = NULL WHERE id = ?', now, status.id);
  noteError(db, status.pipelineId, null);
}

/** `next` is null where it is not tried again. */
export function markFailed(db: Db, status: StatusRow, error: string, next: number | null): void {
  change(
    db,
    'UPDATE statuses SET attempts = attempts + 1, next_at = ?, error = ? WHERE id = ?',
    next,
    error,
    status.id,
  );
  noteError(db, status.pipelineId, error);
}

export const forgetStatus = (db: Db, status: StatusRow): void =>
  void change(db, 'DELETE FROM statuses WHERE id = ?', status.id);

const noteError = (db: Db, pipelineId: number, error: string | null): void =>
  void change(db, 'UPDATE pipelines SET status_error = ? WHERE id = ?', error, pipelineId);

const UNSENT = 'sent_at IS NULL AND run_id IN (SELECT id FROM runs WHERE pipeline_id = ?)';

/** Where a pipeline reports to. What was refused is tried once more, since what was wrong with the setting may be mended. */
export function setStatus(
  db: Db,
  pipelineId: number,
  setting: { kind: ForgeKind; url: string | null } | null,
  now: number,
): void {
  const json = setting && JSON.stringify(setting);
  change(db, 'UPDATE pipelines SET status_json = ?, status_error = NULL WHERE id = ?', json, pipelineId);
  if (setting === null) change(db, `DELETE FROM statuses WHERE ${UNSENT}`, pipelineId);
  else change(db, `UPDATE statuses SET next_at = ? WHERE ${UNSENT}`, now, pipelineId);
}
