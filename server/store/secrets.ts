/** Secrets of projects and environments; sealed, and given out only to runs. */
import { matchesBranch } from '../../pipelines/branches.ts';
import type { Vault } from '../auth/vault.ts';
import { change, type Db, row, rows } from './db.ts';

export interface Secret {
  name: string;
  /** Patterns of branches whose runs may have it; all where null. */
  branches: string[] | null;
  updatedAt: number;
}

/** The project's own secrets where `environmentId` is null. */
export interface SecretOwner {
  projectId: number;
  environmentId: number | null;
}

interface SecretRow {
  name: string;
  value_sealed: string;
  branches_json: string | null;
  updated_at: number;
}

const context = (owner: SecretOwner, name: string) => `secret:${owner.projectId}:${owner.environmentId ?? 0}:${name}`;
const secretRows = (db: Db, owner: SecretOwner): SecretRow[] =>
  rows(
    db,
    'SELECT name, value_sealed, branches_json, updated_at FROM secrets WHERE project_id = ? AND environment_id IS ? ORDER BY name',
    owner.projectId,
    owner.environmentId,
  );
const branchesOf = (s: SecretRow): string[] | null => (s.branches_json === null ? null : JSON.parse(s.branches_json));

export const secretsOf = (db: Db, owner: SecretOwner): Secret[] =>
  secretRows(db, owner).map((s) => ({ name: s.name, branches: branchesOf(s), updatedAt: s.updated_at }));

/** A `value` that is left out keeps its value: answers false where there is none to keep. */
export function saveSecret(
  db: Db,
  vault: Vault,
  owner: SecretOwner,
  secret: { name: string; value?: string | undefined; branches: string[] | null },
  now: number,
): boolean {
  const { name, value } = secret;
  const kept = row<{ value_sealed: string }>(
    db,
    'SELECT value_sealed FROM secrets WHERE project_id = ? AND environment_id IS ? AND name = ?',
    owner.projectId,
    owner.environmentId,
    name,
  )?.value_sealed;
  const sealed = value === undefined ? kept : vault.seal(value, context(owner, name));
  if (sealed === undefined) return false;
  deleteSecret(db, owner, name);
  change(
    db,
    'INSERT INTO secrets (project_id, environment_id, name, value_sealed, branches_json, updated_at) VALUES (?, ?, ?, ?, ?, ?)',
    owner.projectId,
    owner.environmentId,
    name,
    sealed,
    secret.branches && JSON.stringify(secret.branches),
    now,
  );
  return true;
}

/** Whether there was one. */
export const deleteSecret = (db: Db, owner: SecretOwner, name: string): boolean =>
  change(
    db,
    'DELETE FROM secrets WHERE project_id = ? AND environment_id IS ? AND name = ?',
    owner.projectId,
    owner.environmentId,
    name,
  ).changes > 0;

export function secretValue(db: Db, vault: Vault, owner: SecretOwner, name: string): string | null {
  const found = secretRows(db, owner).find((each) => each.name === name);
  return found ? vault.open(found.value_sealed, context(owner, name)) : null;
}

/**
 * Everything that a run of this branch may have: the project's secrets and, in an environment, that environment's own, which win.
 * The caller gives a step only those it names.
 */
export function secretsForRun(db: Db, vault: Vault, run: SecretOwner & { branch: string }): Record<string, string> {
  const owners: SecretOwner[] = [{ projectId: run.projectId, environmentId: null }];
  if (run.environmentId !== null) owners.push(run);
  const values: Record<string, string> = {};
  for (const owner of owners) {
    for (const secret of secretRows(db, owner)) {
      const branches = branchesOf(secret);
      if (branches === null || matchesBranch(branches, run.branch)) {
        values[secret.name] = vault.open(secret.value_sealed, context(owner, secret.name));
      }
    }
  }
  return values;
}
