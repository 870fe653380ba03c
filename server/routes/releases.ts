/** Releases, and the board: what runs where. */
import { z } from 'zod';
import { notFound } from '../../pipelines/errors.ts';
import type { Environment, Release } from '../../pipelines/model.ts';
import { visibleProjects } from '../auth/access.ts';
import * as present from '../present.ts';
import { type Deps, type Route, route } from '../route.ts';
import type { StackState } from '../services.ts';
import { row } from '../store/db.ts';
import { environmentsOf } from '../store/environments.ts';
import { pipelineById } from '../store/pipelines.ts';
import type { Project } from '../store/projects.ts';
import { defined } from './builds.ts';
import { findRelease } from './find.ts';
import * as schemas from './schemas.ts';

const ONE = '/projects/:project/stacks/:stack/releases/:version';
const VIEWER = { project: 'viewer' } as const;

export const releaseRoutes: Route[] = [
  route({
    method: 'get',
    path: '/projects/:project/releases',
    summary: 'Releases, newest first',
    access: VIEWER,
    query: schemas.Paging.extend({ stack: z.string().max(128).optional() }),
    reply: schemas.listOf(schemas.Release),
    handle: ({ db, services, project, query }) =>
      present.page(
        services.releases.list(project.id, defined(query)),
        query.limit,
        (release) => release.id,
        (release) => shown(db, release),
      ),
  }),
  route({
    method: 'get',
    path: ONE,
    summary: 'A release',
    access: VIEWER,
    reply: schemas.Release,
    handle: (context) => shown(context.db, findRelease(context, context.params.version, context.params.stack)),
  }),
  route({
    method: 'post',
    path: `${ONE}/block`,
    summary: 'Block a release: it is deployed nowhere any more',
    access: { project: 'release-manager' },
    body: z.strictObject({ reason: schemas.Reason }),
    reply: schemas.Release,
    handle(context) {
      const { db, services, params, body, identity } = context;
      services.releases.block(findRelease(context, params.version, params.stack), body.reason, identity.actor);
      return shown(db, findRelease(context, params.version, params.stack));
    },
  }),
  route({
    method: 'get',
    path: '/board',
    summary: 'What runs where, in all my projects',
    access: 'user',
    reply: schemas.Board,
    handle: (context) => ({
      items: visibleProjects(context.db, context.identity).flatMap((project) => board(context, project)),
    }),
  }),
  route({
    method: 'get',
    path: '/projects/:project/board',
    summary: 'What runs where in a project',
    access: VIEWER,
    reply: schemas.Board,
    handle: (context) => ({ items: board(context, context.project) }),
  }),
];

function shown(db: Deps['db'], release: Release): z.infer<typeof schemas.Release> {
  const pipeline = pipelineById(db, release.pipelineId);
  if (!pipeline) throw notFound(`the pipeline of release ${release.version} is gone`);
  return present.release(release, pipeline.name);
}

function board({ db, services }: Pick<Deps, 'db' | 'services'>, project: Project) {
  const places = environmentsOf(db, project.id).map((environment) => ({
    environment,
    states: services.stacks.states(environment.id),
  }));
  return services.releases.stacksOf(project.id).map((stack) => ({
    project: project.slug,
    stack,
    latest: services.releases.list(project.id, { stack, limit: 1 })[0]?.version ?? null,
    environments: places.map(({ environment, states }) =>
      cell(
        db,
        environment,
        stack,
        states.find(({ name }) => name === stack),
      ),
    ),
  }));
}

function cell(db: Deps['db'], environment: Environment, stack: string, state: StackState | undefined) {
  const current = state?.current ?? null;
  return {
    environment: environment.name,
    current: current && present.current(current),
    behind: newerThan(db, environment.projectId, stack, current?.releaseId ?? 0),
    held: Boolean(state?.hold),
    deploying: state?.lock?.deployment ?? null,
  };
}

const newerThan = (db: Deps['db'], projectId: number, stack: string, releaseId: number): number =>
  row<{ n: number }>(
    db,
    'SELECT count(*) AS n FROM releases WHERE project_id = ? AND stack = ? AND id > ?',
    projectId,
    stack,
    releaseId,
  )?.n ?? 0;
