/** Git as a source: what is there, what changed, one file of it, or all of it at an exact revision. */
import { createHash } from 'node:crypto';
import { branchMatcher } from '../../pipelines/branches.ts';
import { invalid } from '../../pipelines/errors.ts';
import type { Change, External } from '../../pipelines/model.ts';
import type { Head, Pulse, Scm, SourceAccess } from '../../pipelines/ports.ts';
import { checkOut, withMirror } from './git-checkout.ts';
import { withGit } from './git-command.ts';
import { GitFailure } from './git-errors.ts';
import { LOG_FORMAT, parseLog } from './git-log.ts';
import { type GitMirror, localReference } from './git-mirror.ts';
import { checkBranch, checkSourceUrl } from './git-url.ts';
import type { ScmOptions } from './scm-options.ts';
import { SharedQuestions } from './shared-questions.ts';
import { checkPath, KeptFiles, MAX_FILE } from './source-file.ts';

const FULL = /^([0-9a-f]{40}|[0-9a-f]{64})$/;

export class GitScm implements Scm {
  private readonly options: ScmOptions;
  private readonly files = new KeptFiles();
  private readonly listings = new SharedQuestions<string>();

  constructor(options: ScmOptions) {
    this.options = options;
  }

  async pulse(access: SourceAccess, signal: AbortSignal): Promise<Pulse> {
    const { url, branches } = access.source;
    const listing = await this.listing(access, signal);
    const scope = scopeOf(branches).join(' ');
    return {
      root: JSON.stringify([url, scope, access.credentials]),
      mark: createHash('sha256').update(listing).digest('hex'),
      heads: parseListing(listing),
    };
  }

  async heads(access: SourceAccess, signal: AbortSignal): Promise<Head[]> {
    const watched = branchMatcher(access.source.branches);
    return parseListing(await this.listing(access, signal)).filter(({ branch }) => watched(branch));
  }

  private listing(access: SourceAccess, signal: AbortSignal): Promise<string> {
    const { url, branches } = access.source;
    checkSourceUrl(url, this.options);
    const scope = scopeOf(branches);
    const key = JSON.stringify([access.cache, url, access.credentials, scope]);
    const ask = (until: AbortSignal) =>
      withGit(this.options, access, until, (git) => git.ask(['ls-remote', ...scope, '--', url]));
    return this.listings.ask(key, ask, signal);
  }

  async resolve(access: SourceAccess, branch: string, revision: string, signal: AbortSignal): Promise<string> {
    checkBranch(branch);
    const wanted = revision.toLowerCase();
    if (!/^[0-9a-f]{4,64}$/.test(wanted)) {
      throw invalid('a revision must be a commit id of 4 to 64 hexadecimal digits', 'revision');
    }
    return this.withMirror(access, signal, async (mirror) => {
      const known = await findOnBranch(mirror, branch, wanted);
      if (known !== null) return known;
      await mirror.fetch(branch);
      const found = await findOnBranch(mirror, branch, wanted);
      if (found === null) throw invalid(`there is no revision ${wanted} on branch ${branch}`, 'revision');
      return found;
    });
  }

  async log(
    access: SourceAccess,
    range: { to: Head; not: Head[]; limit: number },
    signal: AbortSignal,
  ): Promise<Change[]> {
    checkRevision(range.to.revision);
    const not = range.not.map(({ revision }) => revision);
    not.forEach(checkRevision);
    if (not.includes(range.to.revision)) return [];
    return this.withMirror(access, signal, async (mirror) => {
      await mirror.require(range.to);
      const without = (await mirror.commits(not)).map((revision) => `^${revision}`);
      const limit = `--max-count=${Math.trunc(range.limit)}`;
      return parseLog(await mirror.run(['log', ...LOG_FORMAT, limit, range.to.revision, ...without, '--']));
    });
  }

  async readFile(access: SourceAccess, at: Head, path: string, signal: AbortSignal): Promise<string | null> {
    checkRevision(at.revision);
    checkSourceUrl(access.source.url, this.options);
    const file = checkPath(path);
    const key = JSON.stringify([access.cache, access.source.url, at.revision, file]);
    const before = this.files.get(key);
    if (before !== undefined) return before;
    const text = await this.withMirror(access, signal, async (mirror) => {
      await mirror.require(at);
      const entry = await mirror.run(['ls-tree', '-z', '-l', '--full-tree', at.revision, '--', file]);
      const [mode, type, id, size] = entry.split('\t', 1)[0]?.split(/ +/) ?? [];
      if (type !== 'blob' || id === undefined) return null;
      if (mode === '120000')
        throw invalid(`${path} is a symbolic link at ${at.revision}; expected a file of its own`, 'path');
      if (Number(size) > MAX_FILE)
        throw invalid(`${path} has ${size} bytes at ${at.revision}; at most ${MAX_FILE} are read`, 'path');
      return mirror.run(['cat-file', 'blob', id]);
    });
    if (text !== null) this.files.keep(key, text);
    return text;
  }

  /** Submodules and LFS files are pinned by the revision itself. */
  async externals(): Promise<External[]> {
    return [];
  }

  async checkout(access: SourceAccess, at: Head, into: string, signal: AbortSignal): Promise<void> {
    checkRevision(at.revision);
    await checkOut(this.options, access, at, into, signal);
  }

  private withMirror<T>(
    access: SourceAccess,
    signal: AbortSignal,
    work: (mirror: GitMirror) => Promise<T>,
  ): Promise<T> {
    return withMirror(this.options, access, signal, work);
  }
}

/** What `ls-remote` is to list: branches, and tags or all references where a pattern speaks of them. */
function scopeOf(patterns: readonly string[]): string[] {
  const references = patterns.map((pattern) => pattern.replace(/^!/, '')).filter((each) => each.startsWith('refs/'));
  if (references.length === 0) return ['--heads'];
  return references.every((each) => each.startsWith('refs/tags/')) ? ['--heads', '--tags'] : [];
}

/** The heads of a listing. An annotated tag is the commit it is of (`^{}`), which follows the tag itself. */
function parseListing(listing: string): Head[] {
  const heads = new Map<string, string>();
  for (const line of listing.split('\n')) {
    const [, revision, name] = /^([0-9a-f]{40,64})\t(refs\/.+?)(?:\^\{\})?$/.exec(line) ?? [];
    if (revision === undefined || name === undefined) continue;
    const branch = name.startsWith('refs/heads/') ? name.slice('refs/heads/'.length) : name;
    if (name.startsWith('refs/heads/refs/')) continue; // it would pass for another reference
    heads.set(branch, revision);
  }
  return [...heads].map(([branch, revision]) => ({ branch, revision }));
}

/**
 * The commit with this id that the branch contains. Only ids count, never names of branches or tags that look like one;
 * and only the branch's own commits, since what a build may have (secrets, environments) depends on its branch.
 */
async function findOnBranch(mirror: GitMirror, branch: string, revision: string): Promise<string | null> {
  const ids = FULL.test(revision)
    ? [revision]
    : (await mirror.run(['rev-parse', `--disambiguate=${revision}`])).split('\n').filter(Boolean);
  const onBranch: string[] = [];
  for (const id of await mirror.commits(ids)) {
    if (await contains(mirror, branch, id)) onBranch.push(id);
  }
  if (onBranch.length > 1)
    throw invalid(`revision ${revision} is ambiguous on branch ${branch}: give more digits`, 'revision');
  return onBranch[0] ?? null;
}

async function contains(mirror: GitMirror, branch: string, id: string): Promise<boolean> {
  try {
    // Not `merge-base --is-ancestor`: simple-git waits 50 ms more for a command that prints nothing.
    const missing = await mirror.run(['rev-list', '--count', '--max-count=1', id, `^${localReference(branch)}`, '--']);
    return missing.trim() === '0';
  } catch (error) {
    if (error instanceof GitFailure && /bad revision/i.test(error.stderr)) return false; // no such branch (yet)
    throw error;
  }
}

function checkRevision(revision: string): void {
  if (!FULL.test(revision)) throw invalid('expected the full id of a commit, 40 hexadecimal digits', 'revision');
}
