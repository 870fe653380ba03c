/** Projects, who belongs to them, and the registries their images go to. */
import type { RegistryCredentials, RegistrySpec, Role } from '../../pipelines/model.ts';
import type { Vault } from '../auth/vault.ts';
import { change, type Db, row, rows } from './db.ts';

export interface Project {
  id: number;
  slug: string;
  name: string;
  createdAt: number;
}

const SELECT = 'SELECT id, slug, name, created_at AS createdAt FROM projects';

export const projectById = (db: Db, id: number): Project | undefined => row(db, `${SELECT} WHERE id = ?`, id);
export const projectBySlug = (db: Db, slug: string): Project | undefined => row(db, `${SELECT} WHERE slug = ?`, slug);
export const projectsAll = (db: Db): Project[] => rows(db, `${SELECT} ORDER BY slug`);
export const projectsOfUser = (db: Db, userId: number): Project[] =>
  rows(db, `${SELECT} WHERE id IN (SELECT project_id FROM members WHERE user_id = ?) ORDER BY slug`, userId);

export function saveProject(db: Db, slug: string, name: string, now: number): Project {
  const save =
    'INSERT INTO projects (slug, name, created_at) VALUES (?, ?, ?) ON CONFLICT (slug) DO UPDATE SET name = excluded.name';
  change(db, save, slug, name, now);
  return projectBySlug(db, slug) as Project;
}

export const deleteProject = (db: Db, id: number): void => void change(db, 'DELETE FROM projects WHERE id = ?', id);

// ---- members -----------------------------------------------------------------------------------------------------------

export interface Member {
  user: string;
  role: Role;
}

export const roleOf = (db: Db, projectId: number, userId: number): Role | undefined =>
  row<{ role: Role }>(db, 'SELECT role FROM members WHERE project_id = ? AND user_id = ?', projectId, userId)?.role;
export const membersOf = (db: Db, projectId: number): Member[] =>
  rows(
    db,
    'SELECT u.name AS user, m.role FROM members AS m JOIN users AS u ON u.id = m.user_id WHERE m.project_id = ? ORDER BY u.name',
    projectId,
  );
export const setMember = (db: Db, projectId: number, userId: number, role: Role): void =>
  void change(
    db,
    'INSERT INTO members VALUES (?, ?, ?) ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role',
    projectId,
    userId,
    role,
  );
export const removeMember = (db: Db, projectId: number, userId: number): void =>
  void change(db, 'DELETE FROM members WHERE project_id = ? AND user_id = ?', projectId, userId);

// ---- registries --------------------------------------------------------------------------------------------------------

interface RegistryRow {
  id: number;
  url: string;
  insecure: number;
  username: string | null;
  password_sealed: string | null;
}

export interface StoredRegistry extends RegistrySpec {
  username: string | null;
  hasPassword: boolean;
}

const registryContext = (projectId: number, environmentId: number | null) =>
  `registry:${projectId}:${environmentId ?? 0}`;
const registryRow = (db: Db, projectId: number, environmentId: number | null): RegistryRow | undefined =>
  row(db, 'SELECT * FROM registries WHERE project_id = ? AND environment_id IS ?', projectId, environmentId);

/** The registry of the project itself (`environmentId` null), or the one an environment has of its own. */
export function registryOf(db: Db, projectId: number, environmentId: number | null): RegistrySpec | null {
  const found = registryRow(db, projectId, environmentId);
  return found ? { url: found.url, insecure: found.insecure === 1 } : null;
}

export function storedRegistry(db: Db, projectId: number, environmentId: number | null): StoredRegistry | null {
  const found = registryRow(db, projectId, environmentId);
  if (!found) return null;
  const { url, insecure, username, password_sealed } = found;
  return { url, insecure: insecure === 1, username, hasPassword: password_sealed !== null };
}

/** Null where the registry asks for none. */
export function registryCredentials(
  db: Db,
  vault: Vault,
  projectId: number,
  environmentId: number | null,
): RegistryCredentials | null {
  const found = registryRow(db, projectId, environmentId);
  if (!found?.username || found.password_sealed === null) return null;
  return {
    username: found.username,
    password: vault.open(found.password_sealed, registryContext(projectId, environmentId)),
  };
}

/** A `password` that is left out keeps its value; null removes it. */
export function saveRegistry(
  db: Db,
  vault: Vault,
  owner: { projectId: number; environmentId: number | null },
  registry: RegistrySpec & { username: string | null; password?: string | null | undefined },
): void {
  const { projectId, environmentId } = owner;
  const kept =
    registry.password === undefined ? (registryRow(db, projectId, environmentId)?.password_sealed ?? null) : null;
  const sealed = registry.password ? vault.seal(registry.password, registryContext(projectId, environmentId)) : kept;
  deleteRegistry(db, projectId, environmentId);
  change(
    db,
    'INSERT INTO registries (project_id, environment_id, url, insecure, username, password_sealed) VALUES (?, ?, ?, ?, ?, ?)',
    projectId,
    environmentId,
    registry.url,
    Number(registry.insecure),
    registry.username,
    sealed,
  );
}

export const deleteRegistry = (db: Db, projectId: number, environmentId: number | null): void =>
  void change(db, 'DELETE FROM registries WHERE project_id = ? AND environment_id IS ?', projectId, environmentId);
