/** Pipelines and what is seen of their sources. */
import { z } from 'zod';
import { AppError, invalid } from '../../pipelines/errors.ts';
import { parsePipeline } from '../../pipelines/parse.ts';
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
import { findPipeline, refuseHeld } from './find.ts';
import { putStatus } from './pipeline-status.ts';
import * as schemas from './schemas.ts';
import { checkSource } from './source-url.ts';

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
      const { warning } = await services.sources.firstSight(saved);
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
];

const shown = ({ services }: Pick<Deps, 'services'>, pipeline: Pipeline) =>
  present.pipeline(pipeline, services.runs.builds(pipeline.id, { limit: 1 })[0]);

function put(deps: Deps, project: Project, name: string, body: Body): Pipeline {
  const { db, vault, config, now } = deps;
  const { source, file, definition, poll, hookSecret } = body;
  const { credentials, ...spec } = source;
  checkSource(spec, config);
  checkDefinition(definition, config);
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
  if (credentials !== undefined) setCredentials(db, vault, id, credentials);
  if (hookSecret !== undefined) setHookSecret(db, vault, id, hookSecret);
  const find = () => findPipeline({ db, project, params: { pipeline: name } });
  putStatus(deps, before, find(), body.status);
  return find();
}

function checkDefinition(definition: string | null, config: Config): void {
  if (definition === null) return;
  const parsed = parsePipeline(definition);
  if (!parsed.ok) {
    const { errors } = parsed;
    const [first] = errors;
    throw new AppError('invalid', `definition: line ${first?.line}: ${first?.message}`, {
      field: 'definition',
      extra: { errors },
    });
  }
  for (const [name, source] of Object.entries(parsed.file.sources ?? {})) {
    try {
      checkSource(source, config);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      throw invalid(`definition: sources.${name}.url: ${error.message}`, 'definition');
    }
  }
}
