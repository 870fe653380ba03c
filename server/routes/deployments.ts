/** Promotions, rollbacks, and the deployments they become. */
import { z } from 'zod';
import { invalid } from '../../pipelines/errors.ts';
import type { DeploymentRun } from '../../pipelines/model.ts';
import * as present from '../present.ts';
import { type Route, route } from '../route.ts';
import type { Actor, Services } from '../services.ts';
import { defined } from './builds.ts';
import { findDeployment, findEnvironment, findRelease } from './find.ts';
import { LogQuery, sendArtifact, sendLog, testsOf } from './output.ts';
import * as schemas from './schemas.ts';

const ENVIRONMENT = '/projects/:project/environments/:environment';
const DEPLOYMENTS = `${ENVIRONMENT}/deployments` as const;
const ONE = `${DEPLOYMENTS}/:number` as const;
const VIEWER = { project: 'viewer' } as const;
const MANAGER = { project: 'release-manager' } as const;

type Decide = (services: Services, run: DeploymentRun, comment: string, actor: Actor) => DeploymentRun;

const decision = (verb: 'approve' | 'reject', summary: string, decide: Decide): Route =>
  route({
    method: 'post',
    auditsItself: true,
    path: `${ONE}/${verb}`,
    summary,
    access: MANAGER,
    body: schemas.Comment,
    reply: schemas.Deployment,
    handle(context) {
      const { run, environment } = findDeployment(context);
      const decided = decide(context.services, run, context.body.comment, context.identity.actor);
      return present.deployment(decided, context.project.slug, environment.name);
    },
  });

export const deploymentRoutes: Route[] = [
  route({
    method: 'post',
    auditsItself: true,
    path: DEPLOYMENTS,
    summary: 'Promote a release; 409 names every gate that waiting cannot open',
    access: MANAGER,
    body: schemas.PostDeployment,
    reply: schemas.Deployment,
    status: 201,
    async handle(context) {
      const { services, project, identity, now } = context;
      const { at, ...body } = context.body;
      const environment = findEnvironment(context);
      const { stack } = findRelease(context, body.release, body.stack);
      const time = at === undefined ? {} : { at: Date.parse(at) };
      if (time.at !== undefined && time.at < now()) throw invalid('at: is in the past', 'at');
      const run = await services.promoter.promote(
        environment,
        { ...defined({ ...body, stack }), ...time },
        identity.actor,
      );
      return present.deployment(run, project.slug, environment.name);
    },
  }),
  route({
    method: 'get',
    path: DEPLOYMENTS,
    summary: 'Deployments, newest first',
    access: VIEWER,
    query: schemas.Paging,
    reply: schemas.listOf(schemas.Deployment),
    handle(context) {
      const { services, project, query } = context;
      const environment = findEnvironment(context);
      return present.page(
        services.runs.deployments(environment.id, defined(query)),
        query.limit,
        (run) => run.number,
        (run) => present.deployment(run, project.slug, environment.name),
      );
    },
  }),
  route({
    method: 'get',
    path: ONE,
    summary: 'A deployment',
    access: VIEWER,
    reply: schemas.Deployment,
    handle(context) {
      const { run, environment } = findDeployment(context);
      return present.deployment(run, context.project.slug, environment.name);
    },
  }),
  decision('approve', 'Approve a waiting deployment', (services, ...rest) => services.promoter.approve(...rest)),
  decision('reject', 'Reject a waiting deployment', (services, ...rest) => services.promoter.reject(...rest)),
  route({
    method: 'post',
    auditsItself: true,
    path: `${ONE}/cancel`,
    summary: 'Cancel a deployment; once the engine was touched, the previous release is restored',
    access: MANAGER,
    body: schemas.Cancel,
    reply: schemas.Deployment,
    handle(context) {
      const { services, project, identity, body } = context;
      const { run, environment } = findDeployment(context);
      const reason = body.reason ?? `cancelled by ${identity.user.name}`;
      return present.deployment(
        services.coordinator.cancel(run, identity.actor, reason),
        project.slug,
        environment.name,
      );
    },
  }),
  route({
    method: 'post',
    auditsItself: true,
    path: `${ENVIRONMENT}/rollback`,
    summary: 'Deploy an earlier release again; the one before the current where `to` is left out',
    access: MANAGER,
    body: schemas.PostRollback,
    reply: schemas.Deployment,
    status: 201,
    handle(context) {
      const { services, project, identity, body } = context;
      const environment = findEnvironment(context);
      const run = services.promoter.rollback(environment, { ...defined(body), reason: body.reason }, identity.actor);
      return present.deployment(run, project.slug, environment.name);
    },
  }),
  route({
    method: 'get',
    path: `${ENVIRONMENT}/diff`,
    summary: 'What a promotion would change, against what runs now',
    access: VIEWER,
    query: z.strictObject({ release: z.string().min(1).max(128), stack: z.string().max(128).optional() }),
    reply: schemas.Diff,
    async handle(context) {
      const environment = findEnvironment(context);
      const release = findRelease(context, context.query.release, context.query.stack);
      return present.diff(await context.services.promoter.diff(environment, release));
    },
  }),
  route({
    method: 'get',
    path: `${ONE}/steps/:step/log`,
    summary: 'A step’s log: its bytes (honours Range), or what is in them as JSON',
    access: VIEWER,
    query: LogQuery,
    writes: 'text/plain',
    handle: (context) => sendLog(context, () => findDeployment(context).run, context.params.step),
  }),
  route({
    method: 'get',
    path: `${ONE}/tests`,
    summary: 'Results of the verify steps',
    access: VIEWER,
    reply: schemas.Tests,
    handle: (context) => testsOf(context.services, findDeployment(context).run),
  }),
  route({
    method: 'get',
    path: `${ONE}/artifacts`,
    summary: 'Files that were kept',
    access: VIEWER,
    reply: schemas.listOf(schemas.Artifact),
    handle: (context) => ({ items: context.services.runs.artifacts(findDeployment(context).run.id) }),
  }),
  route({
    method: 'get',
    path: `${ONE}/artifacts/*path`,
    summary: 'One of them, as an attachment',
    access: VIEWER,
    writes: 'application/octet-stream',
    handle: (context) => sendArtifact(context, findDeployment(context).run, context.params.path),
  }),
];
