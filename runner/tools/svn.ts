/** SVN as a source: what is there, what changed, one file of it, or all of it at an exact revision. */
import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, invalid, RemoteError } from '../../pipelines/errors.ts';
import type { Change, External } from '../../pipelines/model.ts';
import type { Head, Pulse, Scm, SourceAccess } from '../../pipelines/ports.ts';
import { emptyFolder } from './copy-folder.ts';
import type { ScmOptions } from './scm-options.ts';
import { SharedQuestions } from './shared-questions.ts';
import { checkPath, KeptFiles, MAX_FILE } from './source-file.ts';
import { type Info, infoOf, lookAt, parseProperties } from './svn-answers.ts';
import { findHeads } from './svn-branches.ts';
import { type Svn, withSvn } from './svn-command.ts';
import { Externals } from './svn-definitions.ts';
import { isMissing } from './svn-errors.ts';
import { checkExternal } from './svn-externals.ts';
import { parseLog, toChange } from './svn-log.ts';
import { below, branchPath, checkSvnUrl, pathBelow } from './svn-url.ts';
import { checkOut } from './svn-working-copy.ts';

const DECIMAL = /^[1-9]\d{0,9}$/;

export class SvnScm implements Scm {
  private readonly options: ScmOptions;
  private readonly files = new KeptFiles();
  private readonly questions = new SharedQuestions<Info>();
  private readonly listings = new SharedQuestions<Head[]>();
  private readonly found = new Externals();
  /** URLs of repositories by source; renewed by every pulse. */
  private readonly roots = new Map<string, string>();

  constructor(options: ScmOptions) {
    this.options = options;
  }

  async pulse(access: SourceAccess, signal: AbortSignal): Promise<Pulse> {
    const info = await this.top(access, signal);
    return {
      root: JSON.stringify([info.root, info.uuid, access.credentials]),
      mark: String(info.revision),
      heads: null,
    };
  }

  async heads(access: SourceAccess, signal: AbortSignal): Promise<Head[]> {
    const { url, branches } = access.source;
    checkSvnUrl(url, this.options);
    const ask = (until: AbortSignal) => this.with(access, until, (svn) => findHeads(svn, url, branches));
    return this.listings.ask(JSON.stringify([access.cache, url, access.credentials, branches]), ask, signal);
  }

  /**
   * The revision that last changed the branch, as it was at the one asked for: the same content under one name. The branch must
   * have been at its path by then.
   */
  async resolve(access: SourceAccess, branch: string, revision: string, signal: AbortSignal): Promise<string> {
    const url = below(access.source.url, branchPath(branch));
    const wanted = /^r?0*([1-9]\d{0,9})$/i.exec(revision.trim())?.[1];
    if (wanted === undefined) throw invalid('a revision must be a number, such as 4821 or r4821', 'revision');
    return this.with(access, signal, async (svn) => {
      const [then] = await lookAt(svn, [`${url}@${wanted}`]);
      if (then?.kind === 'dir') return String(then.lastChanged);
      // A head whose last change was before a folder above it was copied or moved here.
      const [now] = await lookAt(svn, [`${url}@HEAD`]);
      if (now?.kind === 'dir' && String(now.lastChanged) === wanted) return wanted;
      throw invalid(`there is no branch ${branch} at revision ${wanted}`, 'revision');
    });
  }

  /** Of the branch itself, since it was last made: what it was copied from had its own builds. A merge is one revision. */
  async log(
    access: SourceAccess,
    range: { to: Head; not: Head[]; limit: number },
    signal: AbortSignal,
  ): Promise<Change[]> {
    const { to, limit } = range;
    checkRevision(to.revision);
    const branch = branchPath(to.branch);
    const built = range.not.filter((head) => DECIMAL.test(head.revision) && branchPath(head.branch) === branch);
    return this.with(access, signal, async (svn) => {
      const since = await newest(svn, built, Number(to.revision));
      if (since === Number(to.revision)) return [];
      const root = await this.rootOf(access, signal);
      return this.at(svn, to, async (url) => {
        // Not from `since + 1`: svn refuses a revision that is not there yet. And what was made anew since then begins later.
        const args = ['log', '--xml', '--verbose', '--stop-on-copy', `--limit=${Math.max(1, Math.trunc(limit))}`];
        const entries = parseLog(
          await svn.ask([...args, `--revision=${to.revision}:${since}`], [`${url}@${to.revision}`]),
        );
        const folder = pathBelow(url, root) ?? '';
        return entries.filter(({ revision }) => revision > since).map((entry) => toChange(entry, folder));
      });
    });
  }

  async readFile(access: SourceAccess, at: Head, path: string, signal: AbortSignal): Promise<string | null> {
    checkRevision(at.revision);
    const file = checkPath(path);
    const key = JSON.stringify([access.cache, access.source.url, at, file]);
    const before = this.files.get(key);
    if (before !== undefined) return before;
    const text = await this.with(access, signal, (svn) =>
      this.at(svn, at, (url) => readText(svn, url, at.revision, file)),
    );
    if (text !== null) this.files.keep(key, text);
    return text;
  }

  async externals(access: SourceAccess, at: Head, signal: AbortSignal): Promise<External[]> {
    checkRevision(at.revision);
    return this.with(access, signal, async (svn) =>
      this.found.of(svn, await this.at(svn, at, (url) => infoOf(svn, `${url}@${at.revision}`))),
    );
  }

  async checkout(
    access: SourceAccess,
    at: Head & { externals?: External[] },
    into: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { branch, revision, externals = [] } = at;
    checkRevision(revision);
    await this.with(access, signal, async (svn) => {
      try {
        const name = below(access.source.url, branchPath(branch));
        await this.at(svn, at, (url) => checkOut(svn, name, { url, revision }, into));
        for (const external of externals) await addExternal(svn, external, into);
      } catch (error) {
        await emptyFolder(into);
        throw error;
      }
    });
  }

  private with<T>(access: SourceAccess, signal: AbortSignal, use: (svn: Svn) => Promise<T>): Promise<T> {
    checkSvnUrl(access.source.url, this.options);
    return withSvn(this.options, access, signal, use);
  }

  private async top(access: SourceAccess, signal: AbortSignal): Promise<Info> {
    const { url } = access.source;
    const ask = (until: AbortSignal) => this.with(access, until, (svn) => infoOf(svn, `${below(url, '')}@HEAD`));
    const info = await this.questions.ask(JSON.stringify([access.cache, url, access.credentials]), ask, signal);
    this.roots.set(url, info.root);
    return info;
  }

  private async rootOf(access: SourceAccess, signal: AbortSignal): Promise<string> {
    return this.roots.get(access.source.url) ?? (await this.top(access, signal)).root;
  }

  /**
   * Asks about the branch where it was in that revision. That is at its path, unless a folder above it was copied or moved there
   * and the branch itself has not changed since.
   */
  private async at<T>(svn: Svn, { branch, revision }: Head, ask: (url: string) => Promise<T>): Promise<T> {
    const url = below(svn.access.source.url, branchPath(branch));
    try {
      return await ask(url);
    } catch (error) {
      if (!isMissing(error)) throw error;
      const [then] = await lookAt(svn, [`${url}@HEAD`], revision);
      if (then && then.url !== url) return ask(then.url);
      const gone = `revision ${revision} of ${branch} is gone from ${svn.access.source.url}: build the branch's present head`;
      throw new RemoteError('repository', 'not-found', gone, error);
    }
  }
}

/** The newest of these before `to`, 0 for none. One after it means that there is nothing to tell, unless it never was. */
async function newest(svn: Svn, heads: Head[], to: number): Promise<number> {
  const revisions = heads.map(({ revision }) => Number(revision));
  const after = revisions.filter((revision) => revision > to);
  for (const revision of after) {
    if ((await lookAt(svn, [`${below(svn.access.source.url, '')}@${revision}`])).length > 0) return to;
  }
  return Math.max(0, ...revisions.filter((revision) => revision <= to));
}

/** Null where the branch is there but the file is not. Throws where the branch is not. */
async function readText(svn: Svn, branch: string, revision: string, path: string): Promise<string | null> {
  const url = `${below(branch, path)}@${revision}`;
  const tooLong = invalid(`${path} has more bytes at ${revision} than the ${MAX_FILE} that are read`, 'path');
  let text: string;
  try {
    text = await svn.ask(['cat'], [url], { bytes: MAX_FILE, error: tooLong });
  } catch (error) {
    if (!isMissing(error)) throw error;
    await infoOf(svn, `${branch}@${revision}`);
    return null;
  }
  // What svn keeps of a symbolic link is a file that begins so.
  if (text.startsWith('link ') && parseProperties(await svn.look(['propget', '--xml', 'svn:special'], [url])).size > 0)
    throw invalid(`${path} is a symbolic link at ${revision}; expected a file of its own`, 'path');
  return text;
}

/** Over nothing that is there, and through no link: what a repository brings could lead out of the workspace. */
async function addExternal(svn: Svn, { path, url, revision }: External, into: string): Promise<void> {
  checkExternal(path, url, svn.access.source, svn.options);
  checkRevision(revision);
  const parts = path.split('/');
  let place = into;
  for (const [index, part] of parts.entries()) {
    place = join(place, part);
    const there = await lstat(place).catch(() => null);
    const isLast = index === parts.length - 1;
    if (['', '.', '..'].includes(part) || (there !== null && (isLast || !there.isDirectory())))
      throw new AppError('invalid', `the external ${path} cannot be put there: the repository itself has ${part}`);
    if (there === null && !isLast) await mkdir(place);
  }
  const { kind } = await infoOf(svn, `${url}@${revision}`);
  if (kind === 'dir') await checkOut(svn, url, { url, revision }, place);
  // The last "@" begins a revision, also in a path.
  else await svn.transfer(['export', '--quiet'], `${url}@${revision}`, `${place}@`);
}

function checkRevision(revision: string): void {
  if (!DECIMAL.test(revision)) throw invalid('expected the number of a revision', 'revision');
}
