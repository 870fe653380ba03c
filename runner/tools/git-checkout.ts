/** Files of an exact revision: the repository's own, those of its submodules, and what LFS keeps for either. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isForeign } from '../../pipelines/branches.ts';
import { AppError, invalid, RemoteError } from '../../pipelines/errors.ts';
import type { Head, SourceAccess } from '../../pipelines/ports.ts';
import { emptyFolder } from './copy-folder.ts';
import { type Git, withGit } from './git-command.ts';
import { fetchLfs } from './git-lfs.ts';
import { GitMirror } from './git-mirror.ts';
import { accessToSubmodule, checkPlace, readSubmodules, type Submodule } from './git-submodules.ts';
import { checkSourceUrl } from './git-url.ts';
import { inParallel } from './parallel.ts';
import type { ScmOptions } from './scm-options.ts';

/** Submodules in submodules, counted from the source. */
const MAX_DEPTH = 5;
const MAX_SUBMODULES = 100;

/** A folder that is filled with one revision of one repository. */
interface Tree {
  access: SourceAccess;
  at: Head;
  folder: string;
  /** Below the workspace, `''` for the source itself. */
  path: string;
  depth: number;
  /** Why it is fetched without the source's credentials; null where it is not. */
  withheld: string | null;
}

/** What the trees of one checkout have in common. */
interface Checkout {
  options: ScmOptions;
  source: SourceAccess['source'];
  /** Of a pull request: a stranger may have written what is checked out. */
  foreign: boolean;
  /** How many there are so far. */
  submodules: number;
}

/** Fills an empty folder; after a failure it is empty again. */
export async function checkOut(
  options: ScmOptions,
  access: SourceAccess,
  at: Head,
  into: string,
  signal: AbortSignal,
): Promise<void> {
  const checkout: Checkout = { options, source: access.source, foreign: isForeign(at.branch), submodules: 0 };
  try {
    await fillAll(checkout, { access, at, folder: into, path: '', depth: 0, withheld: null }, signal);
  } catch (error) {
    await emptyFolder(into);
    throw error;
  }
}

/** Gives `work` the mirror of the repository, and once more a new one where the first shows damage. */
export function withMirror<T>(
  options: ScmOptions,
  access: SourceAccess,
  signal: AbortSignal,
  work: (mirror: GitMirror, git: Git) => Promise<T>,
): Promise<T> {
  checkSourceUrl(access.source.url, options);
  return withGit(options, access, signal, (git) => {
    const mirror = new GitMirror(git);
    return mirror.use(() => work(mirror, git));
  });
}

/** A tree and all that are below it. Each is refused, if it is, before anything of it is asked for. */
async function fillAll(checkout: Checkout, tree: Tree, signal: AbortSignal): Promise<void> {
  const submodules = await fill(checkout, tree, signal).catch((error: unknown) => {
    throw tree.depth === 0 ? error : naming(tree, error);
  });
  checkout.submodules += submodules.length;
  if (checkout.submodules > MAX_SUBMODULES)
    throw invalid(`${tree.path || 'the revision'} brings it to more than ${MAX_SUBMODULES} submodules`, FIELD);
  const trees: Tree[] = [];
  for (const submodule of submodules) trees.push(await treeOf(checkout, tree, submodule));
  // One after the other below the first level: four at a time at each of five levels would be a thousand processes.
  if (tree.depth > 0) for (const each of trees) await fillAll(checkout, each, signal);
  else await inParallel(trees, signal, (each, until) => fillAll(checkout, each, until));
}

const FIELD = 'source.submodules';

async function fill({ options, source }: Checkout, tree: Tree, signal: AbortSignal): Promise<Submodule[]> {
  const { access, at, folder, depth } = tree;
  const remedy =
    depth === 0 ? "build the branch's present head" : 'push it there, or let the revision name one that is there';
  return withMirror(options, access, signal, async (mirror, git) => {
    await mirror.require(at, remedy);
    try {
      await mirror.cloneTo(folder, at.revision);
      if (source.lfs) await fetchLfs(git, folder, options);
      return source.submodules ? await readSubmodules(mirror, folder, at.revision) : [];
    } catch (error) {
      await emptyFolder(folder);
      throw error;
    }
  });
}

/** Throws `invalid` where the submodule is not allowed. */
async function treeOf(checkout: Checkout, parent: Tree, submodule: Submodule): Promise<Tree> {
  const path = parent.path === '' ? submodule.path : `${parent.path}/${submodule.path}`;
  // It need not be on any branch.
  const tree = { at: { branch: '', revision: submodule.revision }, path, depth: parent.depth + 1 };
  try {
    if (tree.depth > MAX_DEPTH) throw invalid(`submodules lie in one another at most ${MAX_DEPTH} deep`, FIELD);
    const access = accessToSubmodule(checkout, parent.access, submodule);
    const folder = join(parent.folder, submodule.path);
    await checkPlace(parent.folder, submodule.path);
    if ((await readdir(folder)).length > 0) throw invalid('there are files of the repository in its folder', FIELD);
    const withheld =
      parent.withheld ?? (access.credentials === parent.access.credentials ? null : whyWithheld(checkout));
    return { ...tree, access, folder, withheld };
  } catch (error) {
    throw naming(tree, error);
  }
}

const whyWithheld = ({ foreign, source }: Checkout): string =>
  foreign
    ? 'submodules of a pull request are fetched without credentials'
    : `the credentials are for the server of ${source.url} alone: a relative URL ("../x.git") leads there`;

/** The error with the submodule's name in front; where credentials were kept from its server, it says so. */
function naming({ path, withheld }: { path: string; withheld?: string | null }, error: unknown): unknown {
  if (!(error instanceof AppError)) return error;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it replaces
  const shown = path.slice(0, 200).replace(/[\x00-\x1f\x7f]/g, '?');
  const auth = error instanceof RemoteError && error.fault === 'auth';
  const message = `the submodule "${shown}": ${error.message}${auth && withheld ? `; ${withheld}` : ''}`;
  if (error instanceof RemoteError) return new RemoteError(error.party, error.fault, message, error);
  return new AppError(error.code, message, { field: error.field ?? FIELD, cause: error });
}
