/** The `image` step: builds images from Dockerfiles, pushes them, and reads their digests back from the registry. */
import type Docker from 'dockerode';
import { composeBuilds, type PlannedBuild } from '../../pipelines/compose/builds.ts';
import { RemoteError } from '../../pipelines/errors.ts';
import type { BuildPlan, BuiltImage, ImageStep } from '../../pipelines/model.ts';
import { BuildFailure, type BuildOutput, baseImages, buildImage } from '../tools/build.ts';
import { type BuildContext, buildContext } from '../tools/build-context.ts';
import { engineClient } from '../tools/engine.ts';
import { inParallel } from '../tools/parallel.ts';
import { pullImage, pushTag, type RegistryAccess } from '../tools/push.ts';
import { headDigest } from '../tools/registry.ts';
import { passed, type StepContext, type StepExecutor, type StepOutcome } from './step.ts';
import { textReader } from './workspace-files.ts';

interface Work extends RegistryAccess {
  engine: Docker;
  context: StepContext;
  /** Before the names of images that are not pushed. */
  plainPrefix: string;
  /** The one that is never overwritten comes first. */
  tags: string[];
}

/** A build whose files have been found; `output` marks its lines where several builds share the log. */
interface ReadyBuild extends PlannedBuild {
  files: BuildContext;
  output: BuildOutput;
}

/**
 * Nothing is pushed unless everything has been built. The local tags stay, so that a deployment on the same engine has
 * nothing to pull.
 */
export const imageStep: StepExecutor<ImageStep> = async (step, context) => {
  const { plan, credentials } = context.claim;
  if (plan.kind !== 'build') throw new Error('image steps belong to builds');
  const buildOnly = context.settings.buildOnly || plan.foreign;
  if (!plan.registry && !buildOnly)
    return failed(`the project has no registry: PUT /projects/${plan.project}/registry`);
  if (step.secrets.length > 0) context.log.notice('secrets are not handed to image builds; this step names some');

  const wanted = await plannedBuilds(step, plan, context);
  const builds = await Promise.all(wanted.map((build) => makeReady(build, wanted.length > 1, context)));
  const work: Work = {
    engine: engineClient(),
    context,
    registry: plan.registry ?? NO_REGISTRY,
    credentials: credentials.registry,
    // A stranger's image must not take the place of one that others build from.
    plainPrefix: plan.foreign ? 'slipway-foreign/' : '',
    tags: [...new Set([`${plan.pipeline}-${plan.number}.${context.attempt}`, ...extraTags(step).map(asTag)])],
  };
  try {
    await pullBases(work, builds);
    const ids = await inParallel(builds, context.signal, (build, signal) => buildOne(work, build, signal));
    if (buildOnly) {
      context.log.notice(
        plan.foreign ? 'not pushed: a pull request pushes nothing' : 'not pushed: the images stay on this engine',
      );
      return passed();
    }
    await context.effect('pushed');
    const built = builds.map((build, index) => ({ build, id: ids[index] ?? '' }));
    const pushed = await inParallel(built, context.signal, ({ build, id }, signal) => pushOne(work, build, id, signal));
    return passed({ images: pushed.flat() });
  } catch (error) {
    context.signal.throwIfAborted();
    if (error instanceof BuildFailure) return failed(error.message, error.exitCode);
    throw error;
  }
};

/** Of a build that pushes nothing: its images have plain names. */
const NO_REGISTRY: RegistryAccess['registry'] = { url: '', insecure: false };

const failed = (reason: string, exitCode: number | null = null): StepOutcome => ({
  result: 'failed',
  reason,
  exitCode,
});
const extraTags = ({ build }: ImageStep): string[] => ('tags' in build ? build.tags : []);

/** A branch's name may hold what a tag may not. */
const asTag = (tag: string): string =>
  tag
    .replace(/[^\w.-]/g, '-')
    .replace(/^[.-]+/, '')
    .slice(0, 128) || 'latest';

async function plannedBuilds({ build }: ImageStep, plan: BuildPlan, context: StepContext): Promise<PlannedBuild[]> {
  if (!('compose' in build)) {
    const { image, context: folder, dockerfile, target, args } = build;
    return [{ images: [{ name: image, service: null }], context: folder, dockerfile, inline: null, target, args }];
  }
  const { builds, unused } = await composeBuilds(build.compose, plan, await textReader(context.workspace));
  if (unused.length > 0) context.log.notice(`not taken into account: ${unused.join(', ')}`);
  return builds;
}

async function makeReady(build: PlannedBuild, several: boolean, context: StepContext): Promise<ReadyBuild> {
  const files = await buildContext(context.workspace, build);
  const prefix = several ? `${labelOf(build)} | ` : '';
  const { log } = context;
  const write = (lines: Buffer) => log.write(prefix ? prefixed(prefix, lines) : lines);
  return { ...build, files, output: { write, drained: () => log.drained() } };
}

/** Its services, or the image's name. */
const labelOf = ({ images }: PlannedBuild): string => images.map(({ name, service }) => service ?? name).join(',');

function prefixed(prefix: string, lines: Buffer): Buffer {
  // latin1 keeps every byte as it is.
  const mark = Buffer.from(prefix).toString('latin1');
  return Buffer.from(
    lines.toString('latin1').replace(/(^|\n)(?=[\s\S])/g, (newline) => newline + mark),
    'latin1',
  );
}

/** Base images of the project's own registry need its credentials; all others the builder pulls itself, anonymously. */
async function pullBases(work: Work, builds: readonly ReadyBuild[]): Promise<void> {
  const host = `${work.registry.url.split('/')[0]}/`;
  const bases = new Set(
    builds.flatMap(({ files, args }) => baseImages(files.text, args)).filter((name) => name.startsWith(host)),
  );
  const { log } = work.context;
  await inParallel([...bases], work.context.signal, (base, signal) => {
    log.notice(`pull ${base}`);
    return pullImage(work.engine, work, base, (line) => log.write(Buffer.from(`${line}\n`)), signal);
  });
}

async function buildOne(work: Work, build: ReadyBuild, signal: AbortSignal): Promise<string> {
  const [first] = build.images;
  if (!first) throw new Error('a build is for one image at least');
  const prefix = work.registry === NO_REGISTRY ? work.plainPrefix : `${work.registry.url}/`;
  const reference = `${prefix}${first.name}:${work.tags[0]}`;
  work.context.log.notice(`build ${first.name} from ${build.context} (${build.files.dockerfile})`);
  try {
    const { files: context, target, args } = build;
    return await buildImage(work.engine, { context, reference, target, args }, build.output, signal);
  } catch (error) {
    if (error instanceof BuildFailure && first.service)
      throw new BuildFailure(`${labelOf(build)}: ${error.message}`, error.exitCode);
    throw error;
  }
}

async function pushOne(work: Work, build: ReadyBuild, id: string, signal: AbortSignal): Promise<BuiltImage[]> {
  const pushed = new Map<string, Pushed>();
  const images: BuiltImage[] = [];
  for (const { name, service } of build.images) {
    const { digest, size } = pushed.get(name) ?? (await pushName(work, name, id, build.output, signal));
    pushed.set(name, { digest, size });
    const reference = `${work.registry.url}/${name}@${digest}`;
    images.push({ name, reference, digest, tags: work.tags, size, ...(service ? { service } : {}) });
  }
  return images;
}

interface Pushed {
  digest: string;
  size: number;
}

/** Pushes the image under all tags, and answers what the registry then says of it. */
async function pushName(
  work: Work,
  name: string,
  id: string,
  output: BuildOutput,
  signal: AbortSignal,
): Promise<Pushed> {
  const repository = `${work.registry.url}/${name}`;
  const [immutable = '', ...others] = work.tags;
  const push = async (tag: string) => {
    await work.engine.getImage(id).tag({ repo: repository, tag });
    work.context.log.notice(`push ${repository}:${tag}`);
    return pushTag(work.engine, work, repository, tag, (line) => output.write(Buffer.from(`${line}\n`)), signal);
  };
  const digest = await push(immutable);
  const { caFile } = work.context.settings;
  const found = await headDigest(work.registry, work.credentials, name, immutable, signal, { caFile });
  if (found?.digest !== digest) {
    throw new RemoteError(
      'registry',
      'protocol',
      `pushed ${name}:${immutable} as ${digest}, but the registry ${found ? `has ${found.digest}` : 'does not have it'}`,
    );
  }
  for (const tag of others) await push(tag);
  return found;
}
