/** Finding builds and releases by what people have in hand: a sha, `r4821`, a digest, a version. */
import type { z } from 'zod';
import { type Db, rows } from '../store/db.ts';
import type * as schemas from './schemas.ts';

export type Hit = z.infer<typeof schemas.SearchHit>;

const BUILD = `SELECT 'build' AS kind, p.slug AS project, w.name AS pipeline, r.number AS build, r.branch, r.revision,
    l.stack, l.version
  FROM runs AS r JOIN projects AS p ON p.id = r.project_id JOIN pipelines AS w ON w.id = r.pipeline_id
    LEFT JOIN releases AS l ON l.build_run_id = r.id
  WHERE r.kind = 'build'`;
const RELEASE = `SELECT 'release' AS kind, p.slug AS project, w.name AS pipeline, l.build, l.branch, l.revision, l.stack, l.version
  FROM releases AS l JOIN projects AS p ON p.id = l.project_id JOIN pipelines AS w ON w.id = l.pipeline_id WHERE true`;

/** Newest first, of these projects only. */
export function search(db: Db, text: string, projectIds: number[], limit: number): Hit[] {
  const ids = JSON.stringify(projectIds);
  const builds = (where: string, ...params: unknown[]) =>
    rows<Hit>(
      db,
      `${BUILD} AND r.project_id IN (SELECT value FROM json_each(?)) AND ${where} ORDER BY r.id DESC LIMIT ?`,
      ids,
      ...params,
      limit,
    );
  const releases = (where: string, ...params: unknown[]) =>
    rows<Hit>(
      db,
      `${RELEASE} AND l.project_id IN (SELECT value FROM json_each(?)) AND ${where} ORDER BY l.id DESC LIMIT ?`,
      ids,
      ...params,
      limit,
    );

  const lower = text.toLowerCase();
  const [, svn] = /^r(\d{1,10})$/.exec(lower) ?? [];
  const [, digest] = /^sha256:([0-9a-f]{6,64})$/.exec(lower) ?? [];
  const hits: Hit[] = [...releases('l.version = ?', text)];
  if (svn) hits.push(...builds('r.revision = ?', svn));
  // A range, so that the index on revisions serves a prefix.
  if (/^[0-9a-f]{4,40}$/.test(lower)) hits.push(...builds('r.revision >= ? AND r.revision < ?', lower, `${lower}g`));
  const hex = digest ?? (/^[0-9a-f]{12,64}$/.test(lower) ? lower : undefined);
  if (hex) {
    hits.push(...releases("instr(l.content_json, 'sha256:' || ?) > 0", hex));
    hits.push(...builds("instr(r.state_json, 'sha256:' || ?) > 0", hex));
  }
  return hits.slice(0, limit);
}
