/** Environments: their configuration is one JSON document; what the engine's TLS needs is sealed beside it. */
import type { EngineSpec, Environment } from '../../pipelines/model.ts';
import type { Vault } from '../auth/vault.ts';
import { change, type Db, row, rows } from './db.ts';
import { registryOf } from './projects.ts';

/** What `config_json` holds. `engine` without `tls`. */
export type EnvironmentConfig = Omit<Environment, 'id' | 'projectId' | 'name' | 'order' | 'registry'>;

interface EnvironmentRow {
  id: number;
  project_id: number;
  name: string;
  position: number;
  config_json: string;
}

const SELECT = 'SELECT id, project_id, name, position, config_json FROM environments';

const toEnvironment = (db: Db, e: EnvironmentRow): Environment => ({
  ...(JSON.parse(e.config_json) as EnvironmentConfig),
  id: e.id,
  projectId: e.project_id,
  name: e.name,
  order: e.position,
  registry: registryOf(db, e.project_id, e.id),
});

const one = (db: Db, where: string, ...params: unknown[]): Environment | undefined => {
  const found = row<EnvironmentRow>(db, `${SELECT} WHERE ${where}`, ...params);
  return found && toEnvironment(db, found);
};

export const environmentById = (db: Db, id: number): Environment | undefined => one(db, 'id = ?', id);
export const environmentByName = (db: Db, projectId: number, name: string): Environment | undefined =>
  one(db, 'project_id = ? AND name = ?', projectId, name);
/** In the order releases go through them. */
export const environmentsOf = (db: Db, projectId: number): Environment[] =>
  rows<EnvironmentRow>(db, `${SELECT} WHERE project_id = ? ORDER BY position, id`, projectId).map((e) =>
    toEnvironment(db, e),
  );

export function saveEnvironment(
  db: Db,
  environment: { projectId: number; name: string; order: number; config: EnvironmentConfig },
  now: number,
): Environment {
  const { projectId, name, order, config } = environment;
  change(
    db,
    `INSERT INTO environments (project_id, name, position, config_json, created_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (project_id, name) DO UPDATE SET position = excluded.position, config_json = excluded.config_json`,
    projectId,
    name,
    order,
    JSON.stringify(config),
    now,
  );
  return environmentByName(db, projectId, name) as Environment;
}

export const deleteEnvironment = (db: Db, id: number): void =>
  void change(db, 'DELETE FROM environments WHERE id = ?', id);

type EngineTls = NonNullable<EngineSpec['tls']>;
const tlsContext = (environmentId: number) => `engine-tls:${environmentId}`;
const sealedTls = (db: Db, id: number): string | null =>
  row<{ engine_tls_sealed: string | null }>(db, 'SELECT engine_tls_sealed FROM environments WHERE id = ?', id)
    ?.engine_tls_sealed ?? null;

export const hasEngineTls = (db: Db, environmentId: number): boolean => sealedTls(db, environmentId) !== null;

export function setEngineTls(db: Db, vault: Vault, environmentId: number, tls: EngineTls | null): void {
  const sealed = tls && vault.seal(JSON.stringify(tls), tlsContext(environmentId));
  change(db, 'UPDATE environments SET engine_tls_sealed = ? WHERE id = ?', sealed, environmentId);
}

/** The engine with its certificates and key: for a claim, never for a plan or a reply. */
export function engineWithTls(db: Db, vault: Vault, environment: Environment): EngineSpec {
  const sealed = sealedTls(db, environment.id);
  if (sealed === null) return environment.engine;
  return { ...environment.engine, tls: JSON.parse(vault.open(sealed, tlsContext(environment.id))) as EngineTls };
}

/** What is deployed there or under way, as sentences. */
export function holdersOfEnvironment(db: Db, environment: Environment): string[] {
  const stacks = rows<{ stack: string }>(
    db,
    'SELECT stack FROM stack_states WHERE environment_id = ? AND current_json IS NOT NULL',
    environment.id,
  );
  const open = rows<{ number: number }>(
    db,
    "SELECT number FROM runs WHERE environment_id = ? AND kind = 'deployment' AND status <> 'finished'",
    environment.id,
  );
  return [
    ...stacks.map(({ stack }) => `stack ${stack} is deployed in ${environment.name}`),
    ...open.map(({ number }) => `deployment ${number} to ${environment.name} is not finished`),
  ];
}
