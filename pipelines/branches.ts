/**
 * Branches, and the other references that can be watched like them: `refs/tags/v1`, `refs/pull/7/head`. Those are always named
 * in full, so that none can pass for a branch.
 */
import { compileGlob } from './glob.ts';
import { matchesAny } from './patterns.ts';

const isReference = (text: string): boolean => text.startsWith('refs/');

/** The patterns that may speak of this branch: only one that begins with `refs/` means another reference. */
const speakingOf = (patterns: readonly string[], branch: string): string[] =>
  patterns.filter((pattern) => isReference(pattern.replace(/^!/, '')) === isReference(branch));

/** Whether a branch is meant by `patterns`, as `matchesAny` reads them. */
export function matchesBranch(patterns: readonly string[], branch: string): boolean {
  const speaking = speakingOf(patterns, branch);
  // Nothing said of references is nothing allowed; of branches, a list that only takes out starts from all of them.
  return isReference(branch) && speaking.every((pattern) => pattern.startsWith('!'))
    ? false
    : matchesAny(speaking, branch);
}

/** As `matchesBranch`, for many branches; a pattern is also the very name it spells, which may look like a pattern: `$(id)`. */
export function branchMatcher(patterns: readonly string[]): (branch: string) => boolean {
  const takesOut = patterns.some((pattern) => pattern.startsWith('!'));
  if (takesOut) return (branch) => patterns.includes(branch) || matchesBranch(patterns, branch);
  const globs = patterns.map((pattern) => ({ reference: isReference(pattern), matches: compileGlob(pattern) }));
  return (branch) =>
    patterns.includes(branch) ||
    globs.some(({ reference, matches }) => reference === isReference(branch) && matches(branch));
}

/** `v1` of `refs/tags/v1`; null for anything else. */
export const tagOf = (branch: string): string | null =>
  branch.startsWith('refs/tags/') ? branch.slice('refs/tags/'.length) : null;

/**
 * Whether the code may be a stranger's: the head of a pull or merge request can be pushed by people who may not push branches.
 * Such builds get no secrets, push nothing and release nothing.
 */
export const isForeign = (branch: string): boolean => isReference(branch) && tagOf(branch) === null;

/** As people name it: `main`, `tag v1`, `pull request 7`. */
export function branchLabel(branch: string): string {
  const tag = tagOf(branch);
  if (tag !== null) return `tag ${tag}`;
  const [, kind, number] = /^refs\/(pull|merge-requests)\/(\d+)\//.exec(branch) ?? [];
  if (number === undefined) return branch;
  return `${kind === 'pull' ? 'pull request' : 'merge request'} ${number}`;
}
