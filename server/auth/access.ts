/** The one place that authorises. What is not granted here is refused. */
import { AppError, notFound } from '../../pipelines/errors.ts';
import type { Role } from '../../pipelines/model.ts';
import type { Config } from '../config.ts';
import type { Db } from '../store/db.ts';
import { membersOf, type Project, projectBySlug, projectsAll, projectsOfUser, roleOf } from '../store/projects.ts';
import type { Scope } from '../store/users.ts';
import type { Identity } from './identity.ts';

/**
 * Who may make a call. `user`: anyone who is logged in. `self`: the user named by `:user`, or an administrator.
 * `create-project`: see `SLIPWAY_ALLOW_CREATE`. `{ project }`: members of `:project` with this role or a higher one.
 */
export type Access = 'public' | 'user' | 'admin' | 'self' | 'create-project' | { project: Role };

const RANK: Record<Role, number> = { viewer: 0, developer: 1, 'release-manager': 2, admin: 3 };
export const hasRole = (role: Role, needed: Role): boolean => RANK[role] >= RANK[needed];

export interface Demand {
  access: Access;
  scope: Scope;
}

/** Throws, or answers the project that the call is about; null where it is about none, or about one that is to be made. */
export function authorise(
  db: Db,
  config: Config,
  { access, scope }: Demand,
  identity: Identity | null,
  params: Record<string, string>,
): Project | null {
  if (access === 'public') return null;
  if (identity === null) throw new AppError('unauthenticated', 'log in, or send a token as "Authorization: Bearer …"');
  if (!identity.scopes.includes(scope)) throw new AppError('forbidden', `this token lacks the scope "${scope}"`);
  if (access === 'user') return null;
  const { admin } = identity.actor;
  if (access === 'admin' || access === 'self') {
    if (admin || (access === 'self' && params.user === identity.user.name)) return null;
    throw new AppError('forbidden', 'only administrators of Slipway may do this');
  }
  const project = projectBySlug(db, params.project ?? '') ?? null;
  const role = project === null ? undefined : effectiveRole(db, project.id, identity);
  if (access === 'create-project' && role === undefined) return mayCreate(config, project, admin);
  // Whether there is such a project is nobody's business who is not in it.
  if (project === null || role === undefined)
    throw notFound(`there is no project "${params.project}", or you are not a member of it`);
  const needed = access === 'create-project' ? 'admin' : access.project;
  if (!hasRole(role, needed))
    throw new AppError('forbidden', lacking(db, project, role, needed), { extra: { needed } });
  return project;
}

function effectiveRole(db: Db, projectId: number, identity: Identity): Role | undefined {
  return identity.actor.admin ? 'admin' : roleOf(db, projectId, identity.user.id);
}

function mayCreate(config: Config, taken: Project | null, admin: boolean): null {
  if (!admin && !config.allowCreate)
    throw new AppError('forbidden', 'only administrators of Slipway make projects: ask one');
  if (taken) throw new AppError('conflict', 'this project name is taken');
  return null;
}

function lacking(db: Db, project: Project, role: Role, needed: Role): string {
  const admins = membersOf(db, project.id).filter((member) => member.role === 'admin');
  const whom = admins.length > 0 ? admins.map(({ user }) => user).join(', ') : 'an administrator of Slipway';
  return `this needs the role ${needed} in project ${project.slug}, you are ${role}: ask ${whom}`;
}

/** The projects that a user may see. */
export const visibleProjects = (db: Db, identity: Identity): Project[] =>
  identity.actor.admin ? projectsAll(db) : projectsOfUser(db, identity.user.id);

/** Whether a user may see what belongs to this project; what belongs to none is for administrators. */
export const maySee = (db: Db, identity: Identity, projectId: number | null): boolean =>
  identity.actor.admin || (projectId !== null && roleOf(db, projectId, identity.user.id) !== undefined);
