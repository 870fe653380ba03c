/** Pipelines: a definition bound to a source; the credentials are sealed. */
import { isForeign } from '../../pipelines/branches.ts';
import type { SourceCredentials, SourceSpec } from '../../pipelines/model.ts';
import type { Vault } from '../auth/vault.ts';
import { defaultBase, type ForgeKind } from '../forge/target.ts';
import { change, type Db, row, rows } from './db.ts';
import { secretsForRun, secretValue } from './secrets.ts';

export interface Pipeline {
  id: number;
  projectId: number;
  name: string;
  source: SourceSpec;
  /** Path of the pipeline file in the repository. */
  file: string;
  /** The file's text, where it is kept on the server. */
  definition: string | null;
  /** Cron that overrides the file's. */
  poll: string | null;
  hasCredentials: boolean;
  hasHookSecret: boolean;
  /** The forge that is told what becomes of its commits; `url` is null where it is at the host of the source. */
  status: { kind: ForgeKind; url: string | null; hasToken: boolean; error: string | null } | null;
  createdAt: number;
}

/** `secret` names a secret of the project instead. */
export type StoredCredentials = SourceCredentials | { secret: string };

interface PipelineRow {
  id: number;
  project_id: number;
  name: string;
  source_json: string;
  credentials_sealed: string | null;
  hook_secret_sealed: string | null;
  status_json: string | null;
  status_token_sealed: string | null;
  status_error: string | null;
  file: string;
  definition: string | null;
  poll: string | null;
  created_at: number;
}

const toPipeline = (p: PipelineRow): Pipeline => ({
  id: p.id,
  projectId: p.project_id,
  name: p.name,
  source: JSON.parse(p.source_json),
  file: p.file,
  definition: p.definition,
  poll: p.poll,
  hasCredentials: p.credentials_sealed !== null,
  hasHookSecret: p.hook_secret_sealed !== null,
  status: p.status_json === null ? null : statusIn(p, p.status_json),
  createdAt: p.created_at,
});

const statusIn = (p: PipelineRow, json: string): NonNullable<Pipeline['status']> => ({
  ...(JSON.parse(json) as { kind: ForgeKind; url: string | null }),
  hasToken: p.status_token_sealed !== null,
  error: p.status_error,
});

const one = (db: Db, where: string, ...params: unknown[]): Pipeline | undefined => {
  const found = row<PipelineRow>(db, `SELECT * FROM pipelines WHERE ${where}`, ...params);
  return found && toPipeline(found);
};

/** Whether the pipeline still has this source: it may have been changed while the repository was asked. */
export const hasSameSource = (db: Db, { id, source }: Pipeline): boolean =>
  JSON.stringify(pipelineById(db, id)?.source) === JSON.stringify(source);

export const pipelineById = (db: Db, id: number): Pipeline | undefined => one(db, 'id = ?', id);
export const pipelineByName = (db: Db, projectId: number, name: string): Pipeline | undefined =>
  one(db, 'project_id = ? AND name = ?', projectId, name);
export const pipelinesOf = (db: Db, projectId: number): Pipeline[] =>
  rows<PipelineRow>(db, 'SELECT * FROM pipelines WHERE project_id = ? ORDER BY name', projectId).map(toPipeline);
/** Of all projects: for the watcher. */
export const pipelinesAll = (db: Db): Pipeline[] =>
  rows<PipelineRow>(db, 'SELECT * FROM pipelines ORDER BY id').map(toPipeline);

export function savePipeline(
  db: Db,
  pipeline: Pick<Pipeline, 'projectId' | 'name' | 'source' | 'file' | 'definition' | 'poll'>,
  now: number,
): Pipeline {
  change(
    db,
    `INSERT INTO pipelines (project_id, name, source_json, file, definition, poll, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (project_id, name) DO UPDATE SET source_json = excluded.source_json, file = excluded.file,
       definition = excluded.definition, poll = excluded.poll`,
    pipeline.projectId,
    pipeline.name,
    JSON.stringify(pipeline.source),
    pipeline.file,
    pipeline.definition,
    pipeline.poll,
    now,
  );
  return pipelineByName(db, pipeline.projectId, pipeline.name) as Pipeline;
}

export const deletePipeline = (db: Db, id: number): void => void change(db, 'DELETE FROM pipelines WHERE id = ?', id);

// ---- write-only fields -------------------------------------------------------------------------------------------------

type Sealed = 'credentials_sealed' | 'hook_secret_sealed' | 'status_token_sealed';
const context = (column: Sealed, id: number) => `pipeline.${column}:${id}`;

function setSealed(db: Db, vault: Vault, id: number, column: Sealed, text: string | null): void {
  const sealed = text === null ? null : vault.seal(text, context(column, id));
  change(db, `UPDATE pipelines SET ${column} = ? WHERE id = ?`, sealed, id);
}
function openSealed(db: Db, vault: Vault, id: number, column: Sealed): string | null {
  const sealed =
    row<Record<Sealed, string | null>>(db, `SELECT ${column} FROM pipelines WHERE id = ?`, id)?.[column] ?? null;
  return sealed === null ? null : vault.open(sealed, context(column, id));
}

export const setCredentials = (db: Db, vault: Vault, id: number, credentials: StoredCredentials | null): void =>
  setSealed(db, vault, id, 'credentials_sealed', credentials && JSON.stringify(credentials));
export const setHookSecret = (db: Db, vault: Vault, id: number, secret: string | null): void =>
  setSealed(db, vault, id, 'hook_secret_sealed', secret);
export const hookSecret = (db: Db, vault: Vault, id: number): string | null =>
  openSealed(db, vault, id, 'hook_secret_sealed');
export const setStatusToken = (db: Db, vault: Vault, id: number, token: string | null): void =>
  setSealed(db, vault, id, 'status_token_sealed', token);

const storedCredentials = (db: Db, vault: Vault, id: number): StoredCredentials | null => {
  const text = openSealed(db, vault, id, 'credentials_sealed');
  return text === null ? null : (JSON.parse(text) as StoredCredentials);
};

/** Kept credentials go only where they were meant to: scheme, host and port; of `git@host:path` what is before the path. */
export function hostOf(url: string): string {
  if (!URL.canParse(url)) return url.split(':')[0] ?? url;
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** What the source is reached with. */
export const credentialsOf = (db: Db, vault: Vault, pipeline: Pipeline): SourceCredentials | null =>
  openCredentials(db, vault, pipeline.projectId, storedCredentials(db, vault, pipeline.id));

/** What the forge at `base` is told statuses with: a token of their own, or the source's, which goes to its own host only. */
export function statusToken(db: Db, vault: Vault, pipeline: Pipeline, base: string): string | null {
  const own = openSealed(db, vault, pipeline.id, 'status_token_sealed');
  if (own !== null) return own;
  const home = defaultBase(pipeline.source.url);
  if (home === null || hostOf(home) !== hostOf(base)) return null;
  const credentials = credentialsOf(db, vault, pipeline);
  return credentials && 'token' in credentials ? credentials.token.trim() : null;
}

/** With the secret in place of its name. */
export function openCredentials(
  db: Db,
  vault: Vault,
  projectId: number,
  stored: StoredCredentials | null,
): SourceCredentials | null {
  if (stored === null || !('secret' in stored)) return stored;
  const value = secretValue(db, vault, { projectId, environmentId: null }, stored.secret);
  return value === null ? null : credentialsIn(value);
}

/** A secret's value as credentials: a private key, `username:password`, or a token. */
function credentialsIn(secret: string): SourceCredentials {
  // A secret that comes out of a file ends with a line break, which no password does.
  const value = secret.trimEnd();
  if (value.startsWith('-----BEGIN')) return { sshKey: value };
  const [, username, password] = /^([^:\s]+):(\S+)$/.exec(value) ?? [];
  return username && password ? { username, password } : { token: value };
}

/**
 * What a further source of a pipeline file is reached with: the secret that it names, if the branch may have it; otherwise the
 * pipeline's own, which go to no other host than the pipeline's.
 */
export function furtherCredentials(
  db: Db,
  vault: Vault,
  pipeline: Pipeline,
  { url, secret, branch }: { url: string; secret: string | null; branch: string },
): SourceCredentials | null {
  if (isForeign(branch)) return null;
  if (secret === null) return hostOf(url) === hostOf(pipeline.source.url) ? credentialsOf(db, vault, pipeline) : null;
  const value = secretsForRun(db, vault, { projectId: pipeline.projectId, environmentId: null, branch })[secret];
  return value === undefined ? null : credentialsIn(value);
}

/** Names of the pipelines that use a secret as their credentials. */
export const pipelinesUsing = (db: Db, vault: Vault, projectId: number, secret: string): string[] =>
  pipelinesOf(db, projectId).flatMap(({ id, name }) => {
    const stored = storedCredentials(db, vault, id);
    return stored && 'secret' in stored && stored.secret === secret ? [name] : [];
  });

// ---- what holds it, and what was seen of its source ----------------------------------------------------------------------

/** What is deployed of it or under way, as sentences. */
export function holdersOfPipeline(db: Db, pipeline: Pipeline): string[] {
  const deployed = rows<{ stack: string; environment: string }>(
    db,
    `SELECT s.name AS stack, e.name AS environment FROM stacks AS s
     JOIN environments AS e ON e.project_id = s.project_id
     JOIN stack_states AS x ON x.environment_id = e.id AND x.stack = s.name
     WHERE s.pipeline_id = ? AND x.current_json IS NOT NULL`,
    pipeline.id,
  );
  const open = rows<{ number: number }>(
    db,
    "SELECT number FROM runs WHERE pipeline_id = ? AND kind = 'build' AND status <> 'finished'",
    pipeline.id,
  );
  const deploying = rows<{ number: number; environment: string }>(
    db,
    `SELECT r.number, e.name AS environment FROM runs AS r
     JOIN releases AS l ON l.id = r.release_id JOIN environments AS e ON e.id = r.environment_id
     WHERE l.pipeline_id = ? AND r.status <> 'finished'`,
    pipeline.id,
  );
  return [
    ...deployed.map(({ stack, environment }) => `its stack ${stack} is deployed in ${environment}`),
    ...deploying.map(({ number, environment }) => `deployment ${number} to ${environment} is not finished`),
    ...open.map(({ number }) => `build ${number} is not finished`),
  ];
}
