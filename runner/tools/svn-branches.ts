/** Which folders of a repository are branches: those that are named, and what patterns find level by level. */
import { branchMatcher } from '../../pipelines/branches.ts';
import { AppError } from '../../pipelines/errors.ts';
import { compileGlob } from '../../pipelines/glob.ts';
import type { Head } from '../../pipelines/ports.ts';
import { infoOf, listFolders, lookAt } from './svn-answers.ts';
import type { Svn } from './svn-command.ts';
import { below, branchPath, tidyBranch } from './svn-url.ts';

const MAX_BRANCHES = 5_000;
/** Folders that one svn process lists. */
const AT_ONCE = 50;
const SPECIAL = /[*?{\\]/;

interface Folder {
  path: string;
  lastChanged: number;
}

/**
 * The heads of the branches below `url` that `patterns` mean. `**` finds the outermost folders that hold files: `trunk`,
 * `branches/team/x`, but neither `branches` nor what is below a branch. Throws `not-found` where there is no `url`.
 */
export async function findHeads(svn: Svn, url: string, patterns: readonly string[]): Promise<Head[]> {
  const tidy = patterns.map(tidyBranch);
  const watched = branchMatcher(tidy);
  const positive = tidy.filter((pattern) => !pattern.startsWith('!'));
  const globs = positive.filter((pattern) => SPECIAL.test(pattern));
  const found = await findNamed(
    svn,
    url,
    positive.filter((pattern) => !SPECIAL.test(pattern)),
  );
  for (const glob of positive.length === 0 ? ['**'] : globs.flatMap(alternatives)) {
    for (const { path, lastChanged } of await walk(svn, url, glob)) found.set(path, String(lastChanged));
    if (found.size > MAX_BRANCHES) throw tooMany();
  }
  if (found.size === 0) await infoOf(svn, `${below(url, '')}@HEAD`);
  return [...found].filter(([branch]) => watched(branch)).map(([branch, revision]) => ({ branch, revision }));
}

/** One question for all of them, which the answers can only be told apart by where none is missing. */
async function findNamed(svn: Svn, url: string, branches: readonly string[]): Promise<Map<string, string>> {
  const heads = new Map<string, string>();
  const urlOf = (branch: string) => `${below(url, branchPath(branch))}@HEAD`;
  const all = branches.length === 0 ? [] : await lookAt(svn, branches.map(urlOf));
  for (const [index, branch] of branches.entries()) {
    const [info] = all.length === branches.length ? [all[index]] : await lookAt(svn, [urlOf(branch)]);
    if (info?.kind === 'dir') heads.set(branch, String(info.lastChanged));
  }
  return heads;
}

/** Level by level, in each only what the pattern allows. Finds all that match, and perhaps more. */
async function walk(svn: Svn, url: string, pattern: string): Promise<Folder[]> {
  const parts = pattern.split('/');
  let level: Folder[] = [{ path: '', lastChanged: 0 }];
  for (const [index, part] of parts.entries()) {
    if (part === '**') return wander(svn, url, level, compileGlob(pattern), index === parts.length - 1);
    if (SPECIAL.test(part)) {
      // What is escaped is found by the whole pattern, afterwards.
      const matches = part.includes('\\') ? () => true : compileGlob(part);
      const listed = await foldersIn(svn, url, level);
      level = listed.flatMap(({ folders }) =>
        folders.filter(({ path }) => matches(path.slice(path.lastIndexOf('/') + 1))),
      );
    } else {
      level = level.map(({ path, lastChanged }) => ({ path: joined(path, part), lastChanged }));
      if (index === parts.length - 1) level = await present(svn, url, level);
    }
    if (level.length > MAX_BRANCHES) throw tooMany();
  }
  return level;
}

/** What `**` finds below these folders: see `findHeads`; where more follows it, what matches and is not below such. */
async function wander(
  svn: Svn,
  url: string,
  from: Folder[],
  matches: (path: string) => boolean,
  anything: boolean,
): Promise<Folder[]> {
  const found: Folder[] = [];
  let seen = 0;
  for (let open = from, first = true; open.length > 0; first = false) {
    seen += open.length;
    if (seen + found.length > MAX_BRANCHES) throw tooMany();
    const listed = await foldersIn(svn, url, open);
    open = [];
    for (const { folder, folders, holdsFiles } of listed) {
      if (!first && matches(folder.path) && (holdsFiles || !anything)) found.push(folder);
      else if (first || !holdsFiles) open.push(...folders);
    }
  }
  return found;
}

async function foldersIn(svn: Svn, url: string, parents: Folder[]) {
  const results: { folder: Folder; folders: Folder[]; holdsFiles: boolean }[] = [];
  for (let at = 0; at < parents.length; at += AT_ONCE) {
    const some = parents.slice(at, at + AT_ONCE);
    const lists = await listFolders(
      svn,
      some.map(({ path }) => `${below(url, path)}@HEAD`),
    );
    for (const [index, folder] of some.entries()) {
      const entries = lists[index] ?? [];
      const folders = entries
        .filter(({ kind }) => kind === 'dir')
        .map(({ name, lastChanged }) => ({ path: joined(folder.path, name), lastChanged }));
      results.push({ folder, folders, holdsFiles: folders.length < entries.length });
    }
  }
  return results;
}

/** Those of these folders that exist: with a name after a wildcard, that can only be asked. */
async function present(svn: Svn, url: string, folders: Folder[]): Promise<Folder[]> {
  const heads = new Map<string, string>();
  for (let at = 0; at < folders.length; at += AT_ONCE) {
    const paths = folders.slice(at, at + AT_ONCE).map(({ path }) => path);
    for (const [path, revision] of await findNamed(svn, url, paths)) heads.set(path, revision);
  }
  return [...heads].map(([path, revision]) => ({ path, lastChanged: Number(revision) }));
}

/** Every reading of the braces, since they may span levels: `{trunk,branches/*}`. */
function alternatives(pattern: string): string[] {
  const [whole, before = '', inside = '', after = ''] = /^(.*?)\{([^{}]*,[^{}]*)\}(.*)$/s.exec(pattern) ?? [];
  if (whole === undefined || pattern.includes('\\')) return [pattern];
  return inside.split(',').flatMap((choice) => alternatives(`${before}${choice}${after}`));
}

const joined = (folder: string, name: string): string => (folder === '' ? name : `${folder}/${name}`);
const tooMany = () =>
  new AppError('too_large', `source.branches means more than ${MAX_BRANCHES} folders: narrow the patterns`, {
    field: 'source.branches',
  });
