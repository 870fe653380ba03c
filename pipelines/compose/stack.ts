/** The one reading of a stack's compose files, for the steps that build its images and for the release that pins them. */
import { posix } from 'node:path';
import { invalid } from '../errors.ts';
import type { BuildPlan, ReleasePlan } from '../model.ts';
import { type ComposeDocument, EMPTY, Tagged } from './document.ts';
import { withDefaults } from './env-file.ts';
import { type Lookup, lookupIn } from './interpolate.ts';
import { directoryOf, loadCompose } from './load.ts';
import { mergeCompose } from './merge.ts';
import { isBuilt } from './pin.ts';
import { insideWorkspace } from './references.ts';
import { active } from './render.ts';

/** Text of a file of the workspace, or null where there is none. `where` names in errors what asked for it. */
export type ReadText = (path: string, where: string) => Promise<string | null>;

/** The files of a stack, as `release:` names them. */
export type StackFiles = Pick<ReleasePlan, 'compose' | 'overrides'>;

export interface StackOverride {
  environment: string;
  file: string;
  /** What it says itself, tags included. */
  doc: ComposeDocument;
  /** The stack as that environment starts it. */
  full: ComposeDocument;
}

export interface Stack {
  /** The folder in the workspace that relative paths start from. */
  directory: string;
  /** The files as one, with the services that some environment starts. */
  base: ComposeDocument;
  overrides: StackOverride[];
  /** The stack as it is started: without an override, and with each. */
  started: ComposeDocument[];
  /** Variables of a build: the plan's environment, below it `.env`. Names of images are filled in with these. */
  lookup: Lookup;
  /** `.env` alone: all that a deployment will know of them. */
  defaults: Lookup;
}

/** Throws `invalid` for files that are missing or no compose files; `where` names what asked for them. */
export async function readStack(
  { compose, overrides }: StackFiles,
  env: Record<string, string>,
  read: ReadText,
  where: string,
): Promise<Stack> {
  const directory = directoryOf(compose[0] ?? '');
  const load = async (files: readonly string[], asker: string) => loadCompose(files, requiring(read, asker), directory);
  const written = mergeCompose(EMPTY, await load(compose, where));
  const loaded = await Promise.all(
    Object.entries(overrides).map(async ([environment, file]) => {
      const doc = await load([file], `release.overrides.${environment}`);
      return { environment, file, doc, full: active(mergeCompose(written, doc)) };
    }),
  );
  // A service that no environment starts needs no image; one that some override takes out of its profile does.
  const started = [active(written), ...loaded.map(({ full }) => full)];
  const envFile = envDefaults(directory);
  const text = await read(envFile, envFile);
  return {
    directory,
    base: only(written, started),
    overrides: loaded.map((override) => ({ ...override, doc: only(override.doc, [override.full]) })),
    started,
    lookup: withDefaults(lookupIn(env), text, envFile),
    defaults: withDefaults(() => undefined, text, envFile),
  };
}

/**
 * The stack that an image step's compose file belongs to: the release's, if it names that file, else the file alone.
 * `doc` is what the stack makes of the services to which the file itself gives a `build:`.
 */
export async function readStackOf(
  file: string,
  { env, release }: Pick<BuildPlan, 'env' | 'release'>,
  read: ReadText,
  where: string,
): Promise<Stack & { doc: ComposeDocument }> {
  const same = (other: string) => posix.normalize(other) === posix.normalize(file);
  const named = release && [...release.compose, ...Object.values(release.overrides)].some(same);
  const stack = named
    ? await readStack(release, env, read, 'release.compose')
    : await readStack({ compose: [file], overrides: {} }, env, read, where);
  const own = mergeCompose(EMPTY, await loadCompose([file], requiring(read, where), stack.directory));
  const whole = release?.compose.some(same)
    ? stack.base
    : (stack.overrides.find((override) => same(override.file))?.full ?? stack.base);
  const builds = Object.entries(own.services).filter(([, service]) => isBuilt(service));
  return { ...stack, doc: only(whole, [{ ...own, services: Object.fromEntries(builds) }]) };
}

/** `.env` beside the compose file: default values of variables, here and at every deployment. */
export const envDefaults = (directory: string): string => insideWorkspace(directory, '.env', '.env');

const requiring = (read: ReadText, where: string) => async (file: string) => {
  const text = await read(file, where);
  if (text === null) throw invalid(`${where}: the workspace has no ${file}`, where);
  return text;
};

/** `doc` without the services that none of `others` has. What an override resets is in none of them, and stays. */
function only(doc: ComposeDocument, others: readonly ComposeDocument[]): ComposeDocument {
  const isThere = (name: string) => others.some(({ services }) => Object.hasOwn(services, name));
  const services = Object.entries(doc.services).filter(
    ([name, service]) => isThere(name) || (service as unknown) instanceof Tagged,
  );
  return { ...doc, services: Object.fromEntries(services) };
}
