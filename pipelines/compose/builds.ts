/** Which images `build: {compose: FILE}` asks for, as the Compose specification means a service's `build:`. */
import { AppError, invalid } from '../errors.ts';
import type { BuildPlan } from '../model.ts';
import { type ComposeMap, isMap, type Service } from './document.ts';
import { interpolateTree, type Lookup } from './interpolate.ts';
import { isRemoteContext } from './load.ts';
import { normalise } from './merge.ts';
import { builtName, isBuilt } from './pin.ts';
import { insideWorkspace } from './references.ts';
import { type ReadText, readStackOf } from './stack.ts';

/** One image to build; several services may share it. */
export interface PlannedBuild {
  /** Services of the compose file, with the image each wants; a single build has none. */
  images: { name: string; service: string | null }[];
  /** Relative to the workspace, as is `dockerfile`. */
  context: string;
  dockerfile: string | null;
  inline: string | null;
  target: string | null;
  args: Record<string, string>;
}

export interface ComposeBuilds {
  builds: PlannedBuild[];
  /** Keys of `build:` that are left out of account, as `service.key`. */
  unused: string[];
}

const KNOWN = new Set(['context', 'dockerfile', 'dockerfile_inline', 'args', 'target']);

/** Every service with `build:` in `file` that is ever started. Throws `invalid` naming the service and key at fault. */
export async function composeBuilds(
  file: string,
  plan: Pick<BuildPlan, 'project' | 'registry' | 'env' | 'release'>,
  read: ReadText,
): Promise<ComposeBuilds> {
  const { doc, directory, lookup } = await readStackOf(file, plan, read, 'build.compose');
  const shared = new Map<string, PlannedBuild>();
  const unused: string[] = [];
  for (const [service, written] of Object.entries(doc.services).filter(([, service]) => isBuilt(service))) {
    const field = `services.${service}`;
    const { build, image } = filled(field, normalise(written), lookup);
    const settings = isMap(build) ? build : {};
    const planned = { ...readBuild(settings, `${field}.build`, directory, lookup), images: [] };
    const key = JSON.stringify(planned);
    const first = shared.get(key) ?? planned;
    shared.set(key, first);
    first.images.push({ name: imageName(image, service, plan), service });
    const ignored = Object.keys(settings).filter((name) => !KNOWN.has(name));
    unused.push(...ignored.map((name) => `${service}.build.${name}`));
  }
  const builds = [...shared.values()];
  if (builds.length === 0) throw invalid(`no service in ${file} that is ever started has build:`, 'services');
  refuseClashes(builds);
  return { builds, unused };
}

/** Of the rest of the service, variables may be unknown until it is deployed. */
function filled(field: string, { build, image }: Service, lookup: Lookup): ComposeMap {
  return interpolateTree({ [field]: { build, image } }, lookup)[field] ?? {};
}

function readBuild(build: ComposeMap, field: string, directory: string, lookup: Lookup) {
  const context = text(build.context, `${field}.context`) ?? '.';
  const dockerfile = text(build.dockerfile, `${field}.dockerfile`);
  const inline = text(build.dockerfile_inline, `${field}.dockerfile_inline`);
  if (dockerfile !== null && inline !== null) {
    throw invalid(`${field} has both dockerfile and dockerfile_inline: only one of them can be meant`, field);
  }
  if (isRemoteContext(context)) {
    throw invalid(`${field}.context: ${context} is remote: only folders of the workspace can be built`, field);
  }
  const folder = insideWorkspace(directory, context, `${field}.context`);
  return {
    context: folder === '' ? '.' : folder,
    // Compose's path of a Dockerfile starts from the context.
    dockerfile: dockerfile === null ? null : insideWorkspace(folder, dockerfile, `${field}.dockerfile`),
    inline,
    target: text(build.target, `${field}.target`),
    args: readArgs(build.args, `${field}.args`, lookup),
  };
}

/** In order of name, so that builds that are the same look the same. What has no value takes the environment's. */
function readArgs(args: unknown, field: string, lookup: Lookup): Record<string, string> {
  if (args === undefined || args === null) return {};
  if (!isMap(args)) throw invalid(`${field} must be a map or a list of NAME=value`, field);
  const values = Object.entries(args).flatMap(([name, written]): [string, string][] => {
    const value = text(written, `${field}.${name}`) ?? lookup(name);
    return value === undefined ? [] : [[name, value]];
  });
  return Object.fromEntries(values.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function imageName(image: unknown, service: string, plan: Pick<BuildPlan, 'project' | 'registry'>): string {
  const field = `services.${service}.image`;
  const given = text(image, field)?.trim() ?? '';
  try {
    return builtName(given === '' ? `${plan.project}/${service}` : given, plan.registry?.url ?? null);
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    throw invalid(`${field}: ${thrown.message}: give the service an image: of its own`, field);
  }
}

function refuseClashes(builds: readonly PlannedBuild[]): void {
  const seen = new Map<string, { service: string | null; build: PlannedBuild }>();
  for (const build of builds) {
    for (const { name, service } of build.images) {
      const other = seen.get(name);
      if (other && other.build !== build) {
        throw invalid(
          `services ${other.service} and ${service} build ${name} in different ways`,
          `services.${service}.image`,
        );
      }
      seen.set(name, { service, build });
    }
  }
}

function text(value: unknown, field: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'object') throw invalid(`${field} must be a single value`, field);
  return String(value);
}
