/** What is seen of a pipeline's repositories, and trying things on them. */
import { z } from 'zod';
import { nextSlots } from '../../pipelines/schedule.ts';
import { DEFAULT_POLL } from '../../pipelines/watching.ts';
import * as present from '../present.ts';
import { type Deps, type Route, route } from '../route.ts';
import type { Pipeline } from '../store/pipelines.ts';
import { slotsOf } from '../store/slots.ts';
import { pollState, quietsOf, watchesOf } from '../store/watches.ts';
import { findPipeline } from './find.ts';
import * as schemas from './schemas.ts';
import { checkSource } from './source-url.ts';

const PATH = '/projects/:project/pipelines/:pipeline';
const VIEWER = { project: 'viewer' } as const;
const DEVELOPER = { project: 'developer' } as const;
const SHOWN_SLOTS = 10;

export const sourceRoutes: Route[] = [
  route({
    method: 'get',
    path: `${PATH}/branches`,
    summary: 'The branches of the source, as they are now',
    access: VIEWER,
    reply: schemas.listOf(schemas.Head),
    handle: async (context) => ({ items: await context.services.sources.branches(findPipeline(context)) }),
  }),
  route({
    method: 'get',
    path: `${PATH}/revisions`,
    summary: 'The newest revisions of a branch; of the first one named where `branch` is left out',
    access: VIEWER,
    query: z.strictObject({ branch: z.string().max(200).optional(), limit: schemas.Limit }),
    reply: schemas.listOf(schemas.Change),
    async handle(context) {
      const { branch, limit } = context.query;
      const revisions = await context.services.sources.revisions(findPipeline(context), branch, limit);
      return { items: revisions.map(present.change) };
    },
  }),
  route({
    method: 'get',
    path: `${PATH}/parameters`,
    summary: 'What a person who starts a build may choose, as the file at that revision says',
    access: VIEWER,
    query: z.strictObject({ branch: z.string().max(200).optional(), revision: z.string().max(64).optional() }),
    reply: schemas.listOf(schemas.Parameter),
    async handle(context) {
      const { branch, revision } = context.query;
      return { items: await context.services.sources.parameters(findPipeline(context), { branch, revision }) };
    },
  }),
  route({
    method: 'get',
    path: `${PATH}/watch`,
    summary: 'What was last seen of each branch, how polling and hooks go, and when the schedule is due',
    access: VIEWER,
    reply: schemas.Watch,
    handle: (context) => watchOf(context, findPipeline(context)),
  }),
  route({
    method: 'post',
    path: `${PATH}/test`,
    summary: 'Test the connection to the source',
    access: DEVELOPER,
    reply: schemas.SourceTest,
    handle: (context) => context.services.sources.test(findPipeline(context)),
  }),
  route({
    method: 'post',
    path: '/projects/:project/sources/test',
    summary: 'Test the connection to a source before a pipeline is made of it',
    access: { project: 'admin' },
    body: schemas.TestSource,
    reply: schemas.SourceTest,
    handle({ services, config, project, body }) {
      const { credentials = null, ...source } = body;
      checkSource(source, config);
      return services.sources.testNew(project, source, credentials);
    },
  }),
  route({
    method: 'post',
    path: `${PATH}/filters`,
    summary: 'Try the filters of a pipeline file on the newest revisions of a branch',
    access: DEVELOPER,
    body: schemas.TryFilters,
    reply: schemas.Trial,
    async handle(context) {
      const { branch, items } = await context.services.sources.tryFilters(findPipeline(context), context.body);
      return {
        branch,
        items: items.map(({ change, reason }) => ({ ...present.change(change), builds: reason === null, reason })),
      };
    },
  }),
];

function watchOf({ db, config, services, now }: Deps, pipeline: Pipeline): z.infer<typeof schemas.Watch> {
  const { id } = pipeline;
  const { settings, scheduleSince, polledAt, reachedAt, error, hookAt, missedAt } = pollState(db, id);
  const { nextPoll, failures } = services.sources.outlook(pipeline);
  const time = (at: number | null) => (at === null ? null : present.time(at));
  return {
    items: watchesOf(db, id).map(({ branch, revision, notedAt }) => ({
      branch,
      revision,
      notedAt: present.time(notedAt),
    })),
    quiet: quietsOf(db, id).map(({ branch, revision, firstAt, dueAt }) => ({
      branch,
      revision,
      since: present.time(firstAt),
      due: present.time(dueAt),
    })),
    sources: settings.sources.map(({ name, kind, url, branch }) => ({ name, kind, url, branch })),
    poll: pipeline.poll ?? settings.poll ?? DEFAULT_POLL,
    nextPoll: time(nextPoll),
    polledAt: time(polledAt),
    reachedAt: time(reachedAt),
    error,
    failures,
    hook: { lastAt: time(hookAt), missedAt: time(missedAt) },
    schedule: settings.schedule && {
      cron: settings.schedule.cron,
      timezone: settings.schedule.timezone ?? config.timezone,
      next: nextSlots(
        settings.schedule.cron,
        settings.schedule.timezone ?? config.timezone,
        Math.max(now(), scheduleSince ?? 0),
        5,
      ).map(({ at }) => present.time(at)),
      passed: slotsOf(db, id, SHOWN_SLOTS).map(({ name, at, outcome, build }) => ({
        slot: name,
        at: present.time(at),
        outcome,
        build,
      })),
    },
  };
}
