/** Branches and the other references that are watched like them, as people name them. */
import type { Translate } from '../i18n/catalog.ts';

type BranchText = Translate<'branch.tag' | 'branch.pull' | 'branch.merge'>;

/** `main`, `tag v1`, `pull request 7`: what `branchLabel` of pipelines/branches.ts says, in the reader's language. */
export function branchLabel(t: BranchText, branch: string): string {
  const [, tag] = /^refs\/tags\/(.+)$/.exec(branch) ?? [];
  if (tag !== undefined) return t('branch.tag', { name: tag });
  const [, kind, number] = /^refs\/(pull|merge-requests)\/(\d+)\//.exec(branch) ?? [];
  if (number === undefined) return branch;
  return t(kind === 'pull' ? 'branch.pull' : 'branch.merge', { number });
}

/** The head of a pull or merge request may be a stranger's: such builds get no secrets, push nothing and release nothing. */
export const isForeign = (branch: string): boolean => branch.startsWith('refs/') && !branch.startsWith('refs/tags/');
