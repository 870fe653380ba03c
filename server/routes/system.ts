/** What concerns the whole server: lint, queue, runners, audit, search, events, health. */
import { z } from 'zod';
import { parsePipeline } from '../../pipelines/parse.ts';
import { pipelineJsonSchema } from '../../pipelines/schema.ts';
import { hasRole, visibleProjects } from '../auth/access.ts';
import type { Identity } from '../auth/identity.ts';
import type { Metrics } from '../metrics.ts';
import * as present from '../present.ts';
import { type Route, route } from '../route.ts';
import { streamEvents } from '../sse.ts';
import { auditLines } from '../store/audit.ts';
import { type Db, rows } from '../store/db.ts';
import { roleOf } from '../store/projects.ts';
import * as schemas from './schemas.ts';
import { search } from './search.ts';

/** A runner that was not heard of for this long is taken for gone. */
const RUNNER_SILENCE = 45_000;

export const systemRoutes: Route[] = [
  route({
    method: 'post',
    path: '/lint',
    summary: 'Check a pipeline file',
    access: 'user',
    body: z.strictObject({ definition: z.string().max(512 * 1024) }),
    reply: schemas.LintReply,
    handle({ body }) {
      const parsed = parsePipeline(body.definition);
      return { ok: parsed.ok, errors: parsed.ok ? [] : parsed.errors };
    },
  }),
  route({
    method: 'get',
    path: '/queue',
    summary: 'Runs that are not finished, and why each waits',
    access: 'user',
    reply: schemas.listOf(schemas.QueueItem),
    handle({ db, services, identity }) {
      const slugs = slugsOf(db, identity);
      return {
        items: services.runs.open().flatMap((item) => {
          const slug = slugs.get(item.projectId);
          return slug === undefined ? [] : [present.queueItem(item, slug)];
        }),
      };
    },
  }),
  route({
    method: 'get',
    path: '/runners',
    summary: 'Runners',
    access: 'user',
    reply: schemas.listOf(schemas.Runner),
    handle: ({ db, now }) => ({ items: runners(db, now()) }),
  }),
  route({
    method: 'get',
    path: '/audit',
    summary: 'Who did what; members see the projects that they are admins of',
    access: 'user',
    query: schemas.Paging,
    reply: schemas.listOf(schemas.AuditLine),
    handle({ db, identity, query }) {
      const slugs = slugsOf(db, identity);
      const { admin, userId } = identity.actor;
      const owned = [...slugs.keys()].filter((id) => hasRole(roleOf(db, id, userId ?? 0) ?? 'viewer', 'admin'));
      return present.page(
        auditLines(db, { projectIds: admin ? null : owned, ...query }),
        query.limit,
        (line) => line.id,
        (line) => present.auditLine(line, slugs.get(line.projectId ?? 0) ?? null),
      );
    },
  }),
  route({
    method: 'get',
    path: '/search',
    summary: 'Builds and releases by sha, r4821, digest or version',
    access: 'user',
    query: z.strictObject({ q: z.string().trim().min(1).max(200), limit: schemas.Limit }),
    reply: z.object({ items: z.array(schemas.SearchHit) }),
    handle: ({ db, identity, query }) => ({
      items: search(db, query.q, [...slugsOf(db, identity).keys()], query.limit),
    }),
  }),
  route({
    method: 'get',
    path: '/events',
    summary: 'What happens, as server-sent events',
    access: 'user',
    query: z.strictObject({ after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional() }),
    writes: 'text/event-stream',
    handle(context) {
      streamEvents(context, context.query.after);
      return undefined;
    },
  }),
];

const slugsOf = (db: Db, identity: Identity): Map<number, string> =>
  new Map(visibleProjects(db, identity).map(({ id, slug }) => [id, slug]));

interface RunnerRow {
  id: string;
  name: string;
  pools_json: string;
  slots: number;
  version: string;
  seen_at: number;
}

const runners = (db: Db, now: number): z.infer<typeof schemas.Runner>[] =>
  rows<RunnerRow>(db, 'SELECT * FROM runners ORDER BY name, id').map((r) => ({
    id: r.id,
    name: r.name,
    pools: JSON.parse(r.pools_json),
    slots: r.slots,
    version: r.version,
    online: now - r.seen_at < RUNNER_SILENCE,
    seenAt: present.time(r.seen_at),
  }));

// ---- outside /api/v1 -----------------------------------------------------------------------------------------------------

/** `document` makes the OpenAPI text; it is asked for once everything is defined. */
export function rootRoutes(metrics: Metrics, document: () => object): Route[] {
  return [
    route({
      method: 'get',
      path: '/healthz',
      summary: 'The process answers',
      access: 'public',
      reply: z.object({ ok: z.literal(true) }),
      handle: () => ({ ok: true as const }),
    }),
    route({
      method: 'get',
      path: '/readyz',
      summary: 'Work can be taken; 503 where not',
      access: 'public',
      reply: schemas.Ready,
      handle({ services, response }) {
        const ready = services.health.ready();
        if (!ready.ok) response.status(503).json(ready);
        return ready;
      },
    }),
    route({
      method: 'get',
      path: '/metrics',
      summary: 'Figures for Prometheus',
      access: 'public',
      writes: 'text/plain',
      async handle({ response }) {
        response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
        return undefined;
      },
    }),
    route({
      method: 'get',
      path: '/api/openapi.json',
      summary: 'This API',
      access: 'public',
      reply: z.looseObject({}),
      handle: () => document() as Record<string, unknown>,
    }),
    route({
      method: 'get',
      path: '/schema/slipway.json',
      summary: 'JSON Schema of the pipeline file, for editors',
      access: 'public',
      reply: z.looseObject({}),
      handle: () => pipelineJsonSchema() as Record<string, unknown>,
    }),
  ];
}
