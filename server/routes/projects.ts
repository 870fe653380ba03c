/** Projects with their members, registry and secrets. */
import { z } from 'zod';
import { invalid, notFound } from '../../pipelines/errors.ts';
import { visibleProjects } from '../auth/access.ts';
import * as present from '../present.ts';
import { type Context, type Route, route } from '../route.ts';
import { transact } from '../store/db.ts';
import { environmentsOf, holdersOfEnvironment } from '../store/environments.ts';
import { holdersOfPipeline, pipelinesOf, pipelinesUsing } from '../store/pipelines.ts';
import {
  deleteProject,
  deleteRegistry,
  membersOf,
  type Project,
  removeMember,
  roleOf,
  saveProject,
  saveRegistry,
  setMember,
  storedRegistry,
} from '../store/projects.ts';
import { deleteSecret, type SecretOwner, saveSecret, secretsOf } from '../store/secrets.ts';
import { userByName } from '../store/users.ts';
import { findEnvironment, refuseHeld } from './find.ts';
import * as schemas from './schemas.ts';

const VIEWER = { project: 'viewer' } as const;
const ADMIN = { project: 'admin' } as const;

export const projectRoutes: Route[] = [
  route({
    method: 'get',
    path: '/projects',
    summary: 'The projects I may see',
    access: 'user',
    reply: schemas.listOf(schemas.Project),
    handle: ({ db, identity }) => ({ items: visibleProjects(db, identity).map(present.project) }),
  }),
  route({
    method: 'get',
    path: '/projects/:project',
    summary: 'A project',
    access: VIEWER,
    reply: schemas.Project,
    handle: ({ project }) => present.project(project),
  }),
  route({
    method: 'put',
    path: '/projects/:project',
    summary: 'Make or rename a project; who makes one that is no administrator becomes its admin',
    access: 'create-project',
    params: z.object({ project: schemas.Slug }),
    body: schemas.PutProject,
    reply: schemas.Project,
    handle({ db, project, params, body, identity, now }) {
      return transact(db, () => {
        const saved = saveProject(db, params.project, body.name, now());
        if (project === null && !identity.user.admin) setMember(db, saved.id, identity.user.id, 'admin');
        return present.project(saved);
      });
    },
  }),
  route({
    method: 'delete',
    path: '/projects/:project',
    summary: 'Delete a project with all its builds; refused while anything of it is deployed',
    access: ADMIN,
    handle({ db, project }) {
      const holders = [
        ...environmentsOf(db, project.id).flatMap((each) => holdersOfEnvironment(db, each)),
        ...pipelinesOf(db, project.id).flatMap((each) => holdersOfPipeline(db, each)),
      ];
      refuseHeld(`project ${project.slug}`, holders);
      deleteProject(db, project.id);
      return undefined;
    },
  }),
];

// ---- members -----------------------------------------------------------------------------------------------------------

export const memberRoutes: Route[] = [
  route({
    method: 'get',
    path: '/projects/:project/members',
    summary: 'The members of a project',
    access: VIEWER,
    reply: schemas.listOf(schemas.Member),
    handle: ({ db, project }) => ({ items: membersOf(db, project.id) }),
  }),
  route({
    method: 'get',
    path: '/projects/:project/members/:user',
    summary: 'A member',
    access: VIEWER,
    reply: schemas.Member,
    handle: ({ db, project, params }) => ({ user: params.user, role: memberOf(db, project, params.user).role }),
  }),
  route({
    method: 'put',
    path: '/projects/:project/members/:user',
    summary: 'Add a member, or change the role',
    access: ADMIN,
    body: schemas.PutMember,
    reply: schemas.Member,
    handle({ db, project, params, body }) {
      const user = userByName(db, params.user);
      if (!user) throw notFound(`there is no user "${params.user}"`);
      setMember(db, project.id, user.id, body.role);
      return { user: user.name, role: body.role };
    },
  }),
  route({
    method: 'delete',
    path: '/projects/:project/members/:user',
    summary: 'Remove a member',
    access: ADMIN,
    handle({ db, project, params }) {
      removeMember(db, project.id, memberOf(db, project, params.user).userId);
      return undefined;
    },
  }),
];

function memberOf(db: Context['db'], project: Project, name: string) {
  const user = userByName(db, name);
  const role = user && roleOf(db, project.id, user.id);
  if (!role) throw notFound(`"${name}" is not a member of project ${project.slug}`);
  return { userId: user.id, role };
}

// ---- registry ----------------------------------------------------------------------------------------------------------

export const registryRoutes: Route[] = [
  route({
    method: 'get',
    path: '/projects/:project/registry',
    summary: 'The registry that images are pushed to',
    access: VIEWER,
    reply: schemas.Registry,
    handle: ({ db, project }) => registryOrThrow(db, project),
  }),
  route({
    method: 'put',
    path: '/projects/:project/registry',
    summary: 'Set the registry that images are pushed to, as url/<image>',
    access: ADMIN,
    body: schemas.PutRegistry,
    reply: schemas.Registry,
    handle({ db, vault, project, body }) {
      putRegistry(db, vault, { projectId: project.id, environmentId: null }, body, '');
      return registryOrThrow(db, project);
    },
  }),
  route({
    method: 'delete',
    path: '/projects/:project/registry',
    summary: 'Forget the registry',
    access: ADMIN,
    handle({ db, project }) {
      registryOrThrow(db, project);
      deleteRegistry(db, project.id, null);
      return undefined;
    },
  }),
];

function registryOrThrow(db: Context['db'], project: Project) {
  const found = storedRegistry(db, project.id, null);
  if (!found) throw notFound(`project ${project.slug} has no registry`);
  return found;
}

/** A kept password goes only to the host it was given for. */
export function putRegistry(
  db: Context['db'],
  vault: Context['vault'],
  owner: SecretOwner,
  registry: z.infer<typeof schemas.PutRegistry>,
  prefix: string,
): void {
  const before = storedRegistry(db, owner.projectId, owner.environmentId);
  const hostOf = (url: string) => url.split('/')[0];
  if (registry.password === undefined && before?.hasPassword && hostOf(before.url) !== hostOf(registry.url)) {
    throw invalid(
      `${prefix}password: the host is another one now: give the password again, or null`,
      `${prefix}password`,
    );
  }
  if (registry.password && registry.username === null)
    throw invalid(`${prefix}username: is missing`, `${prefix}username`);
  saveRegistry(db, vault, owner, registry);
}

// ---- secrets -----------------------------------------------------------------------------------------------------------

const secretParams = z.object({ name: schemas.VariableName });

/** The same three calls for a project and for an environment. */
function secretCalls<const Base extends '/projects/:project' | '/projects/:project/environments/:environment'>(
  base: Base,
  what: string,
  ownerOf: (context: Pick<Context, 'db'> & { project: Project; params: Record<string, string> }) => SecretOwner,
): Route[] {
  const one = `${base}/secrets/:name` as const;
  return [
    route({
      method: 'get',
      path: `${base}/secrets`,
      summary: `Names of the secrets of ${what}; values are never returned`,
      access: VIEWER,
      reply: schemas.listOf(schemas.Secret),
      handle: (context) => ({ items: secretsOf(context.db, ownerOf(context)).map(present.secret) }),
    }),
    route({
      method: 'put',
      path: one,
      summary: `Set a secret of ${what}`,
      access: ADMIN,
      params: secretParams,
      body: schemas.PutSecret,
      reply: schemas.Secret,
      handle(context) {
        const { db, vault, body, now } = context;
        const { name } = context.params as { name: string };
        const owner = ownerOf(context);
        const saved = transact(db, () => saveSecret(db, vault, owner, { name, ...body }, now()));
        if (!saved) throw invalid('value: is missing, expected at least 8 characters', 'value');
        return present.secret({ name, branches: body.branches, updatedAt: now() });
      },
    }),
    route({
      method: 'delete',
      path: one,
      summary: `Delete a secret of ${what}`,
      access: ADMIN,
      handle(context) {
        const { db, vault, project } = context;
        const { name } = context.params as { name: string };
        const owner = ownerOf(context);
        const users = owner.environmentId === null ? pipelinesUsing(db, vault, project.id, name) : [];
        refuseHeld(
          `secret ${name}`,
          users.map((pipeline) => `pipeline ${pipeline} uses it to reach its source`),
        );
        if (!deleteSecret(db, owner, name)) throw notFound(`there is no secret ${name}`);
        return undefined;
      },
    }),
  ];
}

export const secretRoutes: Route[] = [
  ...secretCalls('/projects/:project', 'a project', ({ project }) => ({ projectId: project.id, environmentId: null })),
  ...secretCalls(
    '/projects/:project/environments/:environment',
    'an environment; they win there',
    ({ db, project, params }) => ({
      projectId: project.id,
      environmentId: findEnvironment({ db, project, params: params as { environment: string } }).id,
    }),
  ),
];
