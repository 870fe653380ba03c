/** Which images `build: {compose: FILE}` asks for, as the Compose specification means a service's `build:`. */
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { interpolateTree } from '../../pipelines/compose/interpolate.ts';
import { invalid } from '../../pipelines/errors.ts';
import { readYaml } from '../../pipelines/yaml.ts';

/** One image to build; several services may share it. */
export interface PlannedBuild {
  /** Services of the compose file, with the image each wants; a single build has none. */
  images: { name: string; service: string | null }[];
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

type Mapping = Record<string, unknown>;
const KNOWN = new Set(['context', 'dockerfile', 'dockerfile_inline', 'args', 'target']);

/** Reads `file` of the workspace. Variables come from `env` only. Throws `invalid` naming the service and key at fault. */
export async function composeBuilds(
  workspace: string,
  file: string,
  project: string,
  env: Record<string, string>,
): Promise<ComposeBuilds> {
  const text = await readInside(workspace, file);
  return parseComposeBuilds(text, { file, project, env });
}

export function parseComposeBuilds(
  text: string,
  { file, project, env }: { file: string; project: string; env: Record<string, string> },
): ComposeBuilds {
  const document = readYaml(text, { tags: 'ignore' }).value;
  const services = isMapping(document) ? document.services : undefined;
  if (!isMapping(services)) throw invalid(`${file} has no services`, 'services');
  const folder = path.posix.dirname(file);
  const shared = new Map<string, PlannedBuild>();
  const unused: string[] = [];
  for (const [service, value] of Object.entries(services)) {
    if (!isMapping(value) || value.build === undefined || value.build === null) continue;
    const field = `services.${service}`;
    const lookup = (name: string) => env[name];
    const build = interpolateTree({ [field]: { build: value.build } }, lookup)[field]?.build;
    const image = interpolateTree({ [field]: { image: value.image } }, lookup)[field]?.image;
    const settings = isMapping(build) ? build : { context: build };
    const planned = { ...readBuild(settings, `${field}.build`, folder, env), images: [] };
    const key = JSON.stringify(planned);
    const first = shared.get(key) ?? planned;
    shared.set(key, first);
    first.images.push({ name: imageName(image, `${project}/${service}`, field), service });
    unused.push(
      ...Object.keys(settings)
        .filter((name) => !KNOWN.has(name))
        .map((name) => `${service}.build.${name}`),
    );
  }
  const builds = [...shared.values()];
  if (builds.length === 0) throw invalid(`no service in ${file} has build:`, 'services');
  refuseClashes(builds);
  return { builds, unused };
}

function readBuild(build: Mapping, field: string, folder: string, env: Record<string, string>) {
  const context = text(build.context, `${field}.context`) ?? '.';
  const dockerfile = text(build.dockerfile, `${field}.dockerfile`);
  const inline = text(build.dockerfile_inline, `${field}.dockerfile_inline`);
  if (dockerfile !== null && inline !== null) {
    throw invalid(`${field} has both dockerfile and dockerfile_inline: only one of them can be meant`, field);
  }
  const remote = /^(\w+:\/\/|git@)/.test(context);
  const base = remote ? context : path.posix.join(folder, context).replace(/(?<=.)\/$/, '');
  return {
    context: base,
    // Compose's path of a Dockerfile starts from the context.
    dockerfile: dockerfile === null ? null : path.posix.join(base, dockerfile),
    inline,
    target: text(build.target, `${field}.target`),
    args: readArgs(build.args, `${field}.args`, env),
  };
}

/** A map, or a list of `NAME=value`; without a value, the environment's. */
function readArgs(args: unknown, field: string, env: Record<string, string>): Record<string, string> {
  if (args === undefined || args === null) return {};
  const pairs: [string, unknown][] = Array.isArray(args)
    ? args.map((item) => splitPair(text(item, field) ?? ''))
    : isMapping(args)
      ? Object.entries(args)
      : fail(`${field} must be a map or a list of NAME=value`, field);
  const values = pairs.map(([name, value]) => [name, scalar(value, `${field}.${name}`) ?? env[name]] as const);
  return Object.fromEntries(
    values
      .filter((pair): pair is readonly [string, string] => pair[1] !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

function splitPair(pair: string): [string, string | undefined] {
  const at = pair.indexOf('=');
  return at < 0 ? [pair, undefined] : [pair.slice(0, at), pair.slice(at + 1)];
}

/** The part of `image:` that names the repository: without a registry's host, without tag or digest. */
export function imageName(image: unknown, otherwise: string, field: string): string {
  const given = text(image, `${field}.image`) ?? otherwise;
  const [first = '', ...rest] = given
    .replace(/@.*$/, '')
    .replace(/:[^/:]*$/, '')
    .split('/');
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  const name = (isHost ? rest : [first, ...rest]).join('/').toLowerCase();
  if (!/^[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(\/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*$/.test(name)) {
    throw invalid(
      `${field}: "${given}" is no name of an image; give the service an image: of its own`,
      `${field}.image`,
    );
  }
  return name;
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

async function readInside(workspace: string, file: string): Promise<string> {
  const root = await realpath(workspace);
  const real = await realpath(path.resolve(root, file)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR' && error.code !== 'ELOOP') throw error;
    throw invalid(`there is no compose file ${file} in the workspace`, 'compose');
  });
  if (!real.startsWith(root + path.sep))
    throw invalid(`the compose file ${file} is outside of the workspace`, 'compose');
  return readFile(real, 'utf8');
}

const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function fail(message: string, field: string): never {
  throw invalid(message, field);
}

function scalar(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object') return fail(`${field} must be a single value`, field);
  return String(value);
}

const text = (value: unknown, field: string): string | null => scalar(value, field) ?? null;
