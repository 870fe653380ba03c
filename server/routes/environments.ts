/** Environments, with what runs in them. */
import { z } from 'zod';
import { invalid } from '../../pipelines/errors.ts';
import type { Environment } from '../../pipelines/model.ts';
import { suggestion } from '../../pipelines/nearest.ts';
import * as present from '../present.ts';
import { type Deps, type Route, route } from '../route.ts';
import { type Db, transact } from '../store/db.ts';
import {
  deleteEnvironment,
  environmentsOf,
  hasEngineTls,
  holdersOfEnvironment,
  saveEnvironment,
  setEngineTls,
} from '../store/environments.ts';
import { deleteRegistry, type Project, storedRegistry } from '../store/projects.ts';
import { userByName } from '../store/users.ts';
import { findEnvironment, refuseHeld } from './find.ts';
import { putRegistry } from './projects.ts';
import * as schemas from './schemas.ts';

const PATH = '/projects/:project/environments/:environment';
type Body = z.infer<typeof schemas.PutEnvironment>;

export const environmentRoutes: Route[] = [
  route({
    method: 'get',
    path: '/projects/:project/environments',
    summary: 'The environments of a project, in order',
    access: { project: 'viewer' },
    reply: schemas.listOf(schemas.Environment),
    handle: (context) => ({
      items: environmentsOf(context.db, context.project.id).map((each) => shown(context, each)),
    }),
  }),
  route({
    method: 'get',
    path: PATH,
    summary: 'An environment and what runs in it',
    access: { project: 'viewer' },
    reply: schemas.Environment,
    handle: (context) => shown(context, findEnvironment(context)),
  }),
  route({
    method: 'put',
    path: PATH,
    summary: 'Make or change an environment',
    access: { project: 'admin' },
    params: z.object({ environment: schemas.EnvironmentName }),
    body: schemas.PutEnvironment,
    reply: schemas.Environment,
    handle(context) {
      const { project, params, body } = context;
      return transact(context.db, () => shown(context, put(context, project, params.environment, body)));
    },
  }),
  route({
    method: 'delete',
    path: PATH,
    summary: 'Delete an environment; refused while something is deployed there',
    access: { project: 'admin' },
    handle(context) {
      const environment = findEnvironment(context);
      const followers = environmentsOf(context.db, context.project.id).filter(({ after }) =>
        after.includes(environment.name),
      );
      refuseHeld(`environment ${environment.name}`, [
        ...holdersOfEnvironment(context.db, environment),
        ...followers.map(({ name }) => `environment ${name} comes after it`),
      ]);
      deleteEnvironment(context.db, environment.id);
      return undefined;
    },
  }),
];

function shown({ db, services }: Pick<Deps, 'db' | 'services'>, environment: Environment) {
  const states = services.stacks.states(environment.id);
  return present.environment(environment, {
    hasTls: hasEngineTls(db, environment.id),
    registry: storedRegistry(db, environment.projectId, environment.id),
    stacks: states.map((state) => present.stack(state, environment.projectId, services.releases)),
  });
}

function put({ db, vault, now }: Deps, project: Project, name: string, body: Body): Environment {
  const { order, registry, engine, after, ...rest } = body;
  const { tls, ...plainEngine } = engine;
  const precursors = [...new Set([after].flat())];
  checkAfter(db, project, name, precursors);
  checkApprovers(db, body);
  // What zod leaves `undefined` is not written.
  const config = JSON.parse(JSON.stringify({ ...rest, engine: plainEngine, after: precursors }));
  const { id, projectId } = saveEnvironment(db, { projectId: project.id, name, order, config }, now());
  if (tls !== undefined) setEngineTls(db, vault, id, tls && JSON.parse(JSON.stringify(tls)));
  if (registry) putRegistry(db, vault, { projectId, environmentId: id }, registry, 'registry.');
  else deleteRegistry(db, projectId, id);
  return findEnvironment({ db, project, params: { environment: name } });
}

function checkAfter(db: Db, project: Project, name: string, after: string[]): void {
  const others = environmentsOf(db, project.id).filter((each) => each.name !== name);
  const names = others.map((each) => each.name);
  for (const wanted of after) {
    if (!names.includes(wanted))
      throw invalid(`after: there is no other environment "${wanted}"${suggestion(wanted, names)}`, 'after');
  }
  const seen = new Set<string>();
  const comesAfter = (from: string[]): boolean =>
    from.some((each) => {
      if (each === name) return true;
      if (seen.has(each)) return false;
      seen.add(each);
      return comesAfter(others.find((other) => other.name === each)?.after ?? []);
    });
  if (comesAfter(after)) throw invalid(`after: ${after.join(', ')} comes after ${name} itself`, 'after');
}

function checkApprovers(db: Db, { approvals }: Body): void {
  const unknown = approvals?.users?.find((user) => !userByName(db, user));
  if (unknown) throw invalid(`approvals.users: there is no user "${unknown}"`, 'approvals.users');
}
