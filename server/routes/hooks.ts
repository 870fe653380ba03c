/** Hooks of Git servers and of SVN: signed, taken once, and only ever a reason to look at the repository. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { AppError, notFound } from '../../pipelines/errors.ts';
import type { PushedImage } from '../../pipelines/watching.ts';
import { readBody } from '../hooks/body.ts';
import { HOOK_KINDS, type HookEvent, readHook } from '../hooks/read.ts';
import { readRegistryHook } from '../hooks/registry.ts';
import { type Deps, type Route, route } from '../route.ts';
import { recordAudit } from '../store/audit.ts';
import { hookSecret, hostOf, type Pipeline, pipelineByName } from '../store/pipelines.ts';
import { projectBySlug } from '../store/projects.ts';

const KINDS = [...HOOK_KINDS, 'registry'] as const;
/** What a pipeline without a secret, or no pipeline at all, is checked against: nobody knows it. */
const NOBODYS = randomBytes(32).toString('hex');
/** Refusals are written into the audit log so often, for a pipeline: whoever sends them needs no name. */
const AUDIT_INTERVAL = 60_000;

const HookReply = z.object({
  accepted: z.boolean().meta({ description: 'Whether the repository is looked at because of it' }),
  message: z.string(),
});

/** Made anew for each app: it remembers when a refusal was last written down. */
export function hookRoutes(): Route[] {
  const audited = new Map<number, number>();
  return [
    route({
      method: 'post',
      path: '/hooks/:kind/:project/:pipeline',
      summary: 'A signed hook of GitHub, GitLab, Gitea or `slipway hook install`, or the events of a registry',
      access: 'public',
      rawBody: true,
      reply: HookReply,
      status: 202,
      async handle({ request, params, ...deps }) {
        const kind = KINDS.find((each) => each === params.kind);
        if (kind === undefined) throw notFound(`there are hooks of ${KINDS.join(', ')}, not of ${params.kind}`);
        const raw = await readBody(request);
        const { db, vault, now } = deps;
        const project = projectBySlug(db, params.project);
        const pipeline = project && pipelineByName(db, project.id, params.pipeline);
        try {
          const secret = (pipeline && hookSecret(db, vault, pipeline.id)) ?? NOBODYS;
          if (kind === 'registry') {
            const images = readRegistryHook(request.headers, raw, secret);
            return takenImages(deps, existing(pipeline), images);
          }
          const event = readHook(kind, request.headers, raw, secret, now());
          return taken(deps, existing(pipeline), event);
        } catch (error) {
          if (pipeline && error instanceof AppError) refused(deps, audited, pipeline, kind, error);
          throw error;
        }
      },
    }),
  ];
}

function existing(pipeline: Pipeline | undefined): Pipeline {
  if (!pipeline) throw new Error('nobody can have signed for a pipeline that does not exist');
  return pipeline;
}

function takenImages(
  { services }: Pick<Deps, 'services'>,
  pipeline: Pipeline,
  images: readonly PushedImage[],
): z.infer<typeof HookReply> {
  const count = services.sources.imagesPushed(pipeline, images);
  if (count > 0) return { accepted: true, message: 'the first branch is built anew' };
  return { accepted: false, message: 'none of these pushes is new, of another pipeline, and meant by on.images' };
}

function taken({ services }: Pick<Deps, 'services'>, pipeline: Pipeline, event: HookEvent): z.infer<typeof HookReply> {
  const { kind, refs } = event;
  const nothing = (message: string) => ({ accepted: false, message });
  if (kind === 'ping') return nothing('it works: pushes will be looked at');
  if (kind === 'other') return nothing(`nothing is built for the event ${event.event}`);
  const builds = refs.some((ref) => ref.kind !== 'pull-request' || ref.action === 'opened' || ref.action === 'updated');
  if (!builds) return nothing('nothing is built for this change of a pull request');
  switch (services.sources.hook(pipeline, event)) {
    case 'off':
      return nothing('the pipeline file has on: {push: false}');
    case 'before':
      return nothing(`delivery ${event.delivery} was taken before`);
    case 'taken':
      return { accepted: true, message: `the repository is looked at now${strangeness(pipeline, event)}` };
  }
}

/** A note for who set the hook up, where it comes from another place than the pipeline's source. */
function strangeness({ source }: Pipeline, { repositories }: HookEvent): string {
  const addresses = repositories.filter((each) => /^(https?|ssh|git):|@/.test(each));
  if (addresses.length === 0 || addresses.some((each) => nameOf(each) === nameOf(source.url))) return '';
  return `; but it tells of ${addresses[0]}, and this pipeline watches ${source.url} on ${hostOf(source.url)}`;
}

const nameOf = (url: string): string => (url.split(/[/:]/).at(-1) ?? '').replace(/\.git$/, '').toLowerCase();

function refused(
  { db, now }: Pick<Deps, 'db' | 'now'>,
  audited: Map<number, number>,
  pipeline: Pipeline,
  kind: string,
  error: AppError,
): void {
  if (now() - (audited.get(pipeline.id) ?? -AUDIT_INTERVAL) < AUDIT_INTERVAL) return;
  audited.set(pipeline.id, now());
  const { projectId, name } = pipeline;
  const data = { refused: error.message };
  recordAudit(db, { at: now(), actor: `${kind} hook`, action: 'POST /hooks', projectId, target: name, data });
}
