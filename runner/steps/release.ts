/** Collects the release of a build that has passed: the compose text, every image by digest, and the files they need. */
import { readFile, realpath, stat } from 'node:fs/promises';
import {
  type ComposeDocument,
  EMPTY,
  parseCompose,
  stringifyCompose,
  Tagged,
} from '../../pipelines/compose/document.ts';
import { parseEnvFile } from '../../pipelines/compose/env-file.ts';
import type { Lookup } from '../../pipelines/compose/interpolate.ts';
import { directoryOf, loadCompose } from '../../pipelines/compose/load.ts';
import { mergeCompose } from '../../pipelines/compose/merge.ts';
import { type PinContext, pin, thirdPartyImages } from '../../pipelines/compose/pin.ts';
import { insideWorkspace, type Reference, references } from '../../pipelines/compose/references.ts';
import { active } from '../../pipelines/compose/render.ts';
import { invalid } from '../../pipelines/errors.ts';
import type { BuildPlan, InspectStep, ReleaseContent, ReleaseImage, ReleasePlan } from '../../pipelines/model.ts';
import { engineClient } from '../tools/engine.ts';
import { bundle, realInside } from './bundle.ts';
import { passed, type StepContext, type StepExecutor } from './step.ts';
import { resolveImage } from './third-party.ts';

/** Executes inspect steps of the workspace. */
export const releaseStep: StepExecutor<InspectStep> = async (_step, context) => {
  const { plan } = context.claim;
  if (plan.kind !== 'build' || !plan.release) throw new Error('only a build with a release has a workspace to inspect');
  return passed({ release: await collect(plan, plan.release, context) });
};

async function collect(plan: BuildPlan, release: ReleasePlan, context: StepContext): Promise<ReleaseContent> {
  const root = await realpath(context.workspace);
  const directory = directoryOf(release.compose[0] ?? '');
  const read = async (file: string) => {
    const text = await readText(root, file, 'release.compose');
    if (text === null) throw invalid(`release.compose: the workspace has no ${file}`, 'release.compose');
    return text;
  };
  const written = mergeCompose(EMPTY, await loadCompose(release.compose, read));
  const lookup = await defaults(root, directory);
  const environments = await Promise.all(
    Object.entries(release.overrides).map(async ([environment, file]) => {
      const override = await loadCompose([file], read, directory);
      return { environment, override, full: active(mergeCompose(written, override)) };
    }),
  );
  // A service that no environment starts needs no image; one that some override takes out of its profile does.
  const started = [active(written), ...environments.map(({ full }) => full)];
  const base = only(written, started);

  const pins: PinContext = { built: context.images, registry: plan.registry?.url ?? null, lookup };
  const overrides = environments.map(({ environment, override, full }) => ({
    environment,
    doc: only(override, [full]),
  }));
  const docs = [base, ...overrides.map(({ doc }) => doc)];
  const resolved = await resolveImages(thirdPartyImages(docs, pins), plan, context);
  const pinnedBase = pin(base, pins, resolved);
  const pinnedOverrides = overrides.map(({ environment, doc }) => ({ environment, ...pin(doc, pins, resolved, base) }));
  const images = unique([...pinnedBase.images, ...pinnedOverrides.flatMap((override) => override.images)]);
  for (const { name, digest } of images) context.log.notice(`pinned ${name} to ${digest}`);

  const wanted = started.flatMap((doc) => references(doc, directory, lookup));
  const { files, missing } = await bundle(
    root,
    release.files,
    [envDefaults(directory), ...wanted],
    context.blobs,
    context.signal,
  );
  for (const path of new Set(missing.map((reference) => reference.path))) {
    context.log.notice(`${path} is not in the workspace: services that mount it get a volume of the stack`);
  }
  if (files.length > 0) context.log.notice(`bundled ${files.length} files`);
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

/** `doc` without the services that none of `started` has. What an override resets is in none of them, and stays. */
function only(doc: ComposeDocument, started: readonly ComposeDocument[]): ComposeDocument {
  const isStarted = (name: string) => started.some(({ services }) => Object.hasOwn(services, name));
  const services = Object.entries(doc.services).filter(
    ([name, service]) => isStarted(name) || (service as unknown) instanceof Tagged,
  );
  return { ...doc, services: Object.fromEntries(services) };
}

async function resolveImages(
  names: readonly string[],
  plan: BuildPlan,
  { claim, settings, log, effect, signal }: StepContext,
): Promise<Map<string, ReleaseImage>> {
  const resolved = new Map<string, ReleaseImage>();
  for (const name of names) {
    signal.throwIfAborted();
    const image = await resolveImage(name, {
      engine: engineClient(null),
      project: plan.project,
      registry: plan.registry,
      credentials: claim.credentials.registry,
      caFile: settings.caFile,
      notice: log.notice,
      write: log.write.bind(log),
      beforePush: () => effect('pushed'),
      signal,
    });
    resolved.set(name, image);
  }
  return resolved;
}

/** `.env` beside the compose file: default values of variables, here and at every deployment. */
const envDefaults = (directory: string): Reference => ({
  path: insideWorkspace(directory, '.env', '.env'),
  where: '.env',
  kind: 'env',
  required: false,
});

async function defaults(root: string, directory: string): Promise<Lookup> {
  const { path } = envDefaults(directory);
  const values = parseEnvFile((await readText(root, path, path)) ?? '', path, () => undefined);
  return (name) => (Object.hasOwn(values, name) ? (values[name] ?? undefined) : undefined);
}

const MAX_TEXT = 256 * 1024;

/** Text of a file of the workspace, or null where there is none. */
async function readText(root: string, file: string, where: string): Promise<string | null> {
  const path = insideWorkspace('', file, where);
  const real = await realInside(root, path, where);
  if (real === null) return null;
  const info = await stat(real);
  if (!info.isFile()) throw invalid(`${where}: ${path} is not a regular file`, where);
  if (info.size > MAX_TEXT) throw invalid(`${where}: ${path} is larger than 256 KiB`, where);
  return readFile(real, 'utf8');
}

const unique = (images: readonly ReleaseImage[]): ReleaseImage[] => [
  ...new Map(images.map((image) => [`${image.name} ${image.reference}`, image])).values(),
];
