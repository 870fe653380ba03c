/** Who did, or tried to do, what. */
import { change, type Db, rows } from './db.ts';

export interface AuditLine {
  id: number;
  at: number;
  actor: string | null;
  action: string;
  /** Null where it belongs to no project, or to one that is gone. */
  projectId: number | null;
  target: string;
  data: Record<string, unknown>;
}

export const recordAudit = (db: Db, line: Omit<AuditLine, 'id'>): void =>
  void change(
    db,
    'INSERT INTO audit (at, actor, action, project_id, target, data_json) VALUES (?, ?, ?, ?, ?, ?)',
    line.at,
    line.actor,
    line.action,
    line.projectId,
    line.target,
    JSON.stringify(line.data),
  );

/** Newest first. `projectIds` null: everything. */
export const auditLines = (
  db: Db,
  filter: { projectIds: number[] | null; before?: number | undefined; limit: number },
): AuditLine[] =>
  rows<Omit<AuditLine, 'data'> & { data: string }>(
    db,
    `SELECT id, at, actor, action, project_id AS projectId, target, data_json AS data FROM audit
     WHERE id < ? AND (? OR project_id IN (SELECT value FROM json_each(?))) ORDER BY id DESC LIMIT ?`,
    filter.before ?? Number.MAX_SAFE_INTEGER,
    Number(filter.projectIds === null),
    JSON.stringify(filter.projectIds ?? []),
    filter.limit,
  ).map((line) => ({ ...line, data: JSON.parse(line.data) }));
