/** Collects the release of a build that has passed: the compose text, every image by digest, and the files they need. */
import { type ComposeDocument, parseCompose, stringifyCompose } from '../../pipelines/compose/document.ts';
import { type PinContext, pin, thirdPartyImages } from '../../pipelines/compose/pin.ts';
import { type Reference, references } from '../../pipelines/compose/references.ts';
import { envDefaults, readStack } from '../../pipelines/compose/stack.ts';
import type { BuildPlan, InspectStep, ReleaseContent, ReleaseImage, ReleasePlan } from '../../pipelines/model.ts';
import { engineClient } from '../tools/engine.ts';
import { inParallel } from '../tools/parallel.ts';
import { bundle } from './bundle.ts';
import { passed, type StepContext, type StepExecutor } from './step.ts';
import { resolveImage } from './third-party.ts';
import { inTurn, type Turn } from './turns.ts';
import { textReader } from './workspace-files.ts';

/** Executes inspect steps of the workspace. */
export const releaseStep: StepExecutor<InspectStep> = async (_step, context) => {
  const { plan } = context.claim;
  if (plan.kind !== 'build' || !plan.release) throw new Error('only a build with a release has a workspace to inspect');
  return passed({ release: await collect(plan, plan.release, context) });
};

async function collect(plan: BuildPlan, release: ReleasePlan, context: StepContext): Promise<ReleaseContent> {
  const { workspace, log, blobs, signal } = context;
  const stack = await readStack(release, plan.env, await textReader(workspace), 'release.compose');
  const { base, overrides, directory } = stack;

  const pins: PinContext = { built: context.images, registry: plan.registry?.url ?? null, lookup: stack.lookup };
  const docs = [base, ...overrides.map(({ doc }) => doc)];
  const resolved = await resolveImages(thirdPartyImages(docs, pins), plan, context);
  const pinnedBase = pin(base, pins, resolved);
  const pinnedOverrides = overrides.map(({ environment, doc }) => ({ environment, ...pin(doc, pins, resolved, base) }));
  const images = unique([...pinnedBase.images, ...pinnedOverrides.flatMap((override) => override.images)]);
  for (const { name, digest } of images) log.notice(`pinned ${name} to ${digest}`);

  const wanted = [envFileOf(directory), ...stack.started.flatMap((doc) => references(doc, directory, stack.defaults))];
  const { files, missing } = await bundle(workspace, release.files, wanted, blobs, signal);
  for (const path of new Set(missing.map((reference) => reference.path))) {
    log.notice(`${path} is not in the workspace: services that mount it get a volume of the stack`);
  }
  if (files.length > 0) log.notice(`bundled ${files.length} files`);
  return {
    compose: frozen(pinnedBase.doc),
    overrides: Object.fromEntries(pinnedOverrides.map(({ environment, doc }) => [environment, frozen(doc)])),
    files,
    images,
    directory,
  };
}

/** The text of the release. What no deployment could read later is better found out now. */
function frozen(doc: ComposeDocument): string {
  const text = stringifyCompose(doc);
  parseCompose(text, 'release.compose, merged');
  return text;
}

async function resolveImages(
  names: readonly string[],
  plan: BuildPlan,
  { claim, settings, log, effect, signal }: StepContext,
): Promise<Map<string, ReleaseImage>> {
  let pushed: Promise<void> | null = null;
  const beforePush = () => {
    pushed ??= effect('pushed');
    return pushed;
  };
  const resolve = async ({ item: name, notice, write, end }: Turn<string>, signal: AbortSignal) => {
    try {
      const image = await resolveImage(name, {
        engine: engineClient(null),
        project: plan.project,
        registry: plan.registry,
        credentials: claim.credentials.registry,
        caFile: settings.caFile,
        notice,
        write,
        beforePush,
        signal,
      });
      return [name, image] as const;
    } finally {
      end();
    }
  };
  return new Map(await inParallel(inTurn(log, names), signal, resolve));
}

/** Variables have the values of `.env` at every deployment, too. */
const envFileOf = (directory: string): Reference => ({
  path: envDefaults(directory),
  where: '.env',
  kind: 'env',
  required: false,
});

const unique = (images: readonly ReleaseImage[]): ReleaseImage[] => [
  ...new Map(images.map((image) => [`${image.name} ${image.reference}`, image])).values(),
];
