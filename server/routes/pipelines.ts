/** Pipelines and what is seen of their sources. */
import { z } from 'zod';
import { AppError, invalid } from '../../pipelines/errors.ts';
import { parsePipeline } from '../../pipelines/parse.ts';
import { checkSourceUrl } from '../../runner/tools/git-url.ts';
import type { Config } from '../config.ts';
import * as present from '../present.ts';
import { type Deps, type Route, route } from '../route.ts';
import { transact } from '../store/db.ts';
import {
  deletePipeline,
  holdersOfPipeline,
  hostOf,
  type Pipeline,
  pipelineByName,
  pipelinesOf,
  savePipeline,
  setCredentials,
  setHookSecret,
} from '../store/pipelines.ts';
import type { Project } from '../store/projects.ts';
import { secretsOf } from '../store/secrets.ts';
import { pollState, watchesOf } from '../store/watches.ts';
import { findPipeline, refuseHeld } from './find.ts';
import * as schemas from './schemas.ts';

const PATH = '/projects/:project/pipelines/:pipeline';
const VIEWER = { project: 'viewer' } as const;
const ADMIN = { project: 'admin' } as const;
type Body = z.infer<typeof schemas.PutPipeline>;

const PutReply = schemas.Pipeline.extend({
  warning: z
    .string()
    .nullable()
    .meta({ description: 'Why the source could not be reached; the pipeline is kept all the same' }),
});
const Watch = z.object({
  items: z.array(z.object({ branch: z.string(), revision: z.string(), notedAt: z.string() })),
  poll: z.string().nullable(),
  polledAt: z.string().nullable(),
  reachedAt: z.string().nullable(),
  error: z.string().nullable(),
});

export const pipelineRoutes: Route[] = [
  route({
    method: 'get',
    path: '/projects/:project/pipelines',
    summary: 'The pipelines of a project',
    access: VIEWER,
    reply: schemas.listOf(schemas.Pipeline),
    handle: (context) => ({ items: pipelinesOf(context.db, context.project.id).map((each) => shown(context, each)) }),
  }),
  route({
    method: 'get',
    path: PATH,
    summary: 'A pipeline',
    access: VIEWER,
    reply: schemas.Pipeline,
    handle: (context) => shown(context, findPipeline(context)),
  }),
  route({
    method: 'put',
    path: PATH,
    summary: 'Make or change a pipeline; takes note of the branch heads without building them',
    access: ADMIN,
    params: z.object({ pipeline: schemas.Slug }),
    body: schemas.PutPipeline,
    reply: PutReply,
    async handle(context) {
      const { db, services, project, params, body } = context;
      const saved = transact(db, () => put(context, project, params.pipeline, body));
      const { warning } = await services.trigger.firstSight(saved);
      return { ...shown(context, saved), warning };
    },
  }),
  route({
    method: 'delete',
    path: PATH,
    summary: 'Delete a pipeline with its builds; refused while a stack of it is deployed',
    access: ADMIN,
    handle(context) {
      const pipeline = findPipeline(context);
      refuseHeld(`pipeline ${pipeline.name}`, holdersOfPipeline(context.db, pipeline));
      deletePipeline(context.db, pipeline.id);
      return undefined;
    },
  }),
  route({
    method: 'get',
    path: `${PATH}/branches`,
    summary: 'The branches of the source, as they are now',
    access: VIEWER,
    reply: schemas.listOf(schemas.Head),
    handle: async (context) => ({ items: await context.services.trigger.branches(findPipeline(context)) }),
  }),
  route({
    method: 'get',
    path: `${PATH}/revisions`,
    summary: 'The newest revisions of a branch; of the first one named where `branch` is left out',
    access: VIEWER,
    query: z.strictObject({ branch: z.string().max(200).optional(), limit: schemas.Limit }),
    reply: schemas.listOf(schemas.Change),
    async handle(context) {
      const pipeline = findPipeline(context);
      const { branch = pipeline.source.branches[0] ?? '', limit } = context.query;
      return { items: (await context.services.trigger.revisions(pipeline, branch, limit)).map(present.change) };
    },
  }),
  route({
    method: 'get',
    path: `${PATH}/watch`,
    summary: 'What was last seen of each branch, and how the last poll went',
    access: VIEWER,
    reply: Watch,
    handle(context) {
      const pipeline = findPipeline(context);
      const { filePoll: poll, polledAt, reachedAt, error } = pollState(context.db, pipeline.id);
      return {
        items: watchesOf(context.db, pipeline.id).map((watch) => ({ ...watch, notedAt: present.time(watch.notedAt) })),
        poll: pipeline.poll ?? poll,
        polledAt: polledAt === null ? null : present.time(polledAt),
        reachedAt: reachedAt === null ? null : present.time(reachedAt),
        error,
      };
    },
  }),
  route({
    method: 'post',
    path: `${PATH}/test`,
    summary: 'Test the connection to the source',
    access: { project: 'developer' },
    reply: z.object({ ok: z.boolean(), error: z.string().nullable(), branches: z.array(schemas.Head) }),
    handle: (context) => context.services.trigger.test(findPipeline(context)),
  }),
];

const shown = ({ services }: Pick<Deps, 'services'>, pipeline: Pipeline) =>
  present.pipeline(pipeline, services.runs.builds(pipeline.id, { limit: 1 })[0]);

function put({ db, vault, config, now }: Deps, project: Project, name: string, body: Body): Pipeline {
  const { source, file, definition, poll, hookSecret } = body;
  const { credentials, ...spec } = source;
  checkUrl(spec.kind, spec.url, config);
  checkDefinition(definition);
  if (credentials && 'secret' in credentials) {
    const known = secretsOf(db, { projectId: project.id, environmentId: null }).map((secret) => secret.name);
    if (!known.includes(credentials.secret)) {
      throw invalid(
        `source.credentials.secret: project ${project.slug} has no secret "${credentials.secret}"`,
        'source.credentials.secret',
      );
    }
  }
  const before = pipelineByName(db, project.id, name);
  if (credentials === undefined && before?.hasCredentials && hostOf(before.source.url) !== hostOf(spec.url)) {
    const field = 'source.credentials';
    throw invalid(`${field}: the host is another one now: give the credentials again, or null`, field);
  }
  const { id } = savePipeline(db, { projectId: project.id, name, source: spec, file, definition, poll }, now());
  if (credentials !== undefined) setCredentials(db, vault, id, credentials && JSON.parse(JSON.stringify(credentials)));
  if (hookSecret !== undefined) setHookSecret(db, vault, id, hookSecret);
  return findPipeline({ db, project, params: { pipeline: name } });
}

const SVN_SCHEMES = ['http:', 'https:', 'svn:', 'svn+ssh:'];

function checkUrl(kind: 'git' | 'svn', url: string, { allowFileSources }: Config): void {
  if (kind === 'git') checkSourceUrl(url, { allowFile: allowFileSources });
  else checkSvnUrl(url, allowFileSources);
}

function checkSvnUrl(url: string, allowFile: boolean): void {
  const field = 'source.url';
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed?.protocol === 'file:' && !allowFile) throw invalid(`${field}: file:// URLs are not allowed here`, field);
  if (!parsed || /[\s\p{Cc}@]/u.test(parsed.pathname) || ![...SVN_SCHEMES, 'file:'].includes(parsed.protocol)) {
    throw invalid(
      `${field}: expected http://, https://, svn:// or svn+ssh://, and a path without spaces and "@"`,
      field,
    );
  }
  if (parsed.password) throw invalid(`${field}: must not hold a password: use credentials, or a secret`, field);
  if (parsed.hostname.startsWith('-') || parsed.username.startsWith('-')) {
    throw invalid(`${field}: neither host nor user may begin with "-"`, field);
  }
}

function checkDefinition(definition: string | null): void {
  if (definition === null) return;
  const parsed = parsePipeline(definition);
  if (parsed.ok) return;
  const { errors } = parsed;
  const [first] = errors;
  throw new AppError('invalid', `definition: line ${first?.line}: ${first?.message}`, {
    field: 'definition',
    extra: { errors },
  });
}
