/** Releases are immutable, but for being blocked. A stack belongs to the pipeline that first released it. */
import type { NotifyPlan, Release } from '../../pipelines/model.ts';
import { change, type Db, row, rows } from './db.ts';

interface ReleaseRow {
  id: number;
  project_id: number;
  stack: string;
  version: string;
  pipeline_id: number;
  build: number;
  build_run_id: number;
  branch: string;
  revision: string;
  content_json: string;
  verify_json: string;
  notify_json: string;
  blocked_json: string | null;
  created_at: number;
}

const toRelease = (r: ReleaseRow): Release => ({
  id: r.id,
  projectId: r.project_id,
  stack: r.stack,
  version: r.version,
  pipelineId: r.pipeline_id,
  build: r.build,
  buildRunId: r.build_run_id,
  branch: r.branch,
  revision: r.revision,
  content: JSON.parse(r.content_json),
  verify: JSON.parse(r.verify_json),
  blocked: r.blocked_json === null ? null : JSON.parse(r.blocked_json),
  createdAt: r.created_at,
});

export function insertRelease(db: Db, release: Omit<Release, 'id' | 'blocked'>, notify: NotifyPlan): Release {
  const found = row<ReleaseRow>(
    db,
    `INSERT INTO releases (project_id, stack, version, pipeline_id, build, build_run_id, branch, revision, content_json, verify_json, notify_json, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *`,
    release.projectId,
    release.stack,
    release.version,
    release.pipelineId,
    release.build,
    release.buildRunId,
    release.branch,
    release.revision,
    JSON.stringify(release.content),
    JSON.stringify(release.verify),
    JSON.stringify(notify),
    release.createdAt,
  );
  return toRelease(found as ReleaseRow);
}

export const releaseById = (db: Db, id: number): Release | undefined => one(db, 'id = ?', id);
export const releaseOf = (db: Db, projectId: number, stack: string, version: string): Release | undefined =>
  one(db, 'project_id = ? AND stack = ? AND version = ?', projectId, stack, version);

function one(db: Db, where: string, ...values: unknown[]): Release | undefined {
  const found = row<ReleaseRow>(db, `SELECT * FROM releases WHERE ${where}`, ...values);
  return found && toRelease(found);
}

/** Newest first. */
export const releasesOf = (
  db: Db,
  projectId: number,
  page: { before?: number | undefined; limit: number; stack?: string | undefined },
): Release[] =>
  rows<ReleaseRow>(
    db,
    `SELECT * FROM releases WHERE project_id = ? AND id < ?${page.stack === undefined ? '' : ' AND stack = ?'} ORDER BY id DESC LIMIT ?`,
    projectId,
    page.before ?? Number.MAX_SAFE_INTEGER,
    ...(page.stack === undefined ? [] : [page.stack]),
    page.limit,
  ).map(toRelease);

export const notifyOf = (db: Db, releaseId: number): NotifyPlan =>
  JSON.parse(
    row<{ notify_json: string }>(db, 'SELECT notify_json FROM releases WHERE id = ?', releaseId)?.notify_json ??
      '{"mail":{"to":[],"on":[]}}',
  );

export const setBlocked = (db: Db, releaseId: number, blocked: Release['blocked']): void => {
  change(db, 'UPDATE releases SET blocked_json = ? WHERE id = ?', blocked && JSON.stringify(blocked), releaseId);
};

/** The pipeline that owns a stack, or undefined where nobody released it yet. */
export const stackOwner = (db: Db, projectId: number, stack: string): number | undefined =>
  row<{ pipeline_id: number }>(db, 'SELECT pipeline_id FROM stacks WHERE project_id = ? AND name = ?', projectId, stack)
    ?.pipeline_id;

export const ownStack = (db: Db, projectId: number, stack: string, pipelineId: number): void => {
  change(
    db,
    'INSERT OR IGNORE INTO stacks (project_id, name, pipeline_id) VALUES (?, ?, ?)',
    projectId,
    stack,
    pipelineId,
  );
};

export const stacksOf = (db: Db, projectId: number): string[] =>
  rows<{ name: string }>(db, 'SELECT name FROM stacks WHERE project_id = ? ORDER BY name', projectId).map(
    ({ name }) => name,
  );
