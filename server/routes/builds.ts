/** Builds: made, looked at, ended. */
import { z } from 'zod';
import { invalid } from '../../pipelines/errors.ts';
import * as present from '../present.ts';
import { type Route, route } from '../route.ts';
import { findBuild, findPipeline } from './find.ts';
import { LogQuery, sendArtifact, sendLog, testsOf } from './output.ts';
import * as schemas from './schemas.ts';

const BUILDS = '/projects/:project/pipelines/:pipeline/builds';
const ONE = `${BUILDS}/:number` as const;
const VIEWER = { project: 'viewer' } as const;
const DEVELOPER = { project: 'developer' } as const;

const Filter = schemas.Paging.extend({
  branch: z.string().max(200).optional(),
  result: z.enum(['passed', 'failed', 'cancelled', 'errored']).optional(),
});

export const buildRoutes: Route[] = [
  route({
    method: 'post',
    auditsItself: true,
    path: BUILDS,
    summary: 'Build a revision; the same Idempotency-Key answers the same build',
    access: DEVELOPER,
    body: schemas.PostBuild,
    reply: schemas.Build,
    status: 201,
    async handle(context) {
      const { services, project, identity, request, body } = context;
      const pipeline = findPipeline(context);
      const key = request.get('idempotency-key');
      if (key !== undefined && !/^[\x21-\x7e]{1,200}$/.test(key)) {
        throw invalid('Idempotency-Key: expected 1 to 200 printable characters without spaces', 'Idempotency-Key');
      }
      const wanted = { ...defined(body), ...(key === undefined ? {} : { idempotencyKey: key }) };
      const run = await services.trigger.manual(pipeline, wanted, identity.actor);
      return present.build(run, project.slug, pipeline.name);
    },
  }),
  route({
    method: 'get',
    path: `${ONE}/changes`,
    summary: 'Changes since the last build of the branch that passed: those of this build, and of the ones between',
    access: VIEWER,
    reply: schemas.ChangesSince,
    handle(context) {
      const { changes, more, since } = context.services.runs.changesSinceGood(findBuild(context).run);
      return { items: changes.map(present.change), moreChanges: more, since };
    },
  }),
  route({
    method: 'get',
    path: BUILDS,
    summary: 'Builds, newest first',
    access: VIEWER,
    query: Filter,
    reply: schemas.listOf(schemas.Build),
    handle(context) {
      const { services, project, query } = context;
      const pipeline = findPipeline(context);
      const found = services.runs.builds(pipeline.id, defined(query));
      return present.page(
        found,
        query.limit,
        (run) => run.number,
        (run) => present.build(run, project.slug, pipeline.name),
      );
    },
  }),
  route({
    method: 'get',
    path: ONE,
    summary: 'A build',
    access: VIEWER,
    reply: schemas.Build,
    handle(context) {
      const { run, pipeline } = findBuild(context);
      return present.build(run, context.project.slug, pipeline.name);
    },
  }),
  route({
    method: 'post',
    auditsItself: true,
    path: `${ONE}/cancel`,
    summary: 'Cancel a build',
    access: DEVELOPER,
    body: schemas.Cancel,
    reply: schemas.Build,
    handle(context) {
      const { services, project, identity, body } = context;
      const { run, pipeline } = findBuild(context);
      const reason = body.reason ?? `cancelled by ${identity.user.name}`;
      return present.build(services.coordinator.cancel(run, identity.actor, reason), project.slug, pipeline.name);
    },
  }),
  route({
    method: 'post',
    auditsItself: true,
    path: `${ONE}/retry`,
    summary: 'Build the same revision once more, under a new number',
    access: DEVELOPER,
    body: z.strictObject({}),
    reply: schemas.Build,
    status: 201,
    async handle(context) {
      const { run, pipeline } = findBuild(context);
      const again = await context.services.trigger.retry(run, context.identity.actor);
      return present.build(again, context.project.slug, pipeline.name);
    },
  }),
  route({
    method: 'get',
    path: `${ONE}/steps/:step/log`,
    summary: 'A step’s log: its bytes (honours Range), or what is in them as JSON',
    access: VIEWER,
    query: LogQuery,
    writes: 'text/plain',
    handle: (context) => sendLog(context, () => findBuild(context).run, context.params.step),
  }),
  route({
    method: 'get',
    path: `${ONE}/tests`,
    summary: 'Test results',
    access: VIEWER,
    reply: schemas.Tests,
    handle: (context) => testsOf(context.services, findBuild(context).run),
  }),
  route({
    method: 'get',
    path: `${ONE}/artifacts`,
    summary: 'Files that were kept',
    access: VIEWER,
    reply: schemas.listOf(schemas.Artifact),
    handle: (context) => ({ items: context.services.runs.artifacts(findBuild(context).run.id) }),
  }),
  route({
    method: 'get',
    path: `${ONE}/artifacts/*path`,
    summary: 'One of them, as an attachment',
    access: VIEWER,
    writes: 'application/octet-stream',
    handle: (context) => sendArtifact(context, findBuild(context).run, context.params.path),
  }),
];

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Without the members that are undefined. */
export const defined = <T extends object>(value: T): Defined<T> =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Defined<T>;
