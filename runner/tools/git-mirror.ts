/**
 * One bare mirror per repository: asked first, fetched into only where it lacks what is wanted. Everything in it can be had
 * again from the server, so a damaged one is thrown away.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isForeign } from '../../pipelines/branches.ts';
import { invalid, RemoteError } from '../../pipelines/errors.ts';
import type { Head, SourceAccess } from '../../pipelines/ports.ts';
import { allOrFirstFailure, copyFolder } from './copy-folder.ts';
import type { Git } from './git-command.ts';
import { configValue } from './git-environment.ts';
import { GitFailure } from './git-errors.ts';
import { isCode } from './processes.ts';
import { longTransfer, unlessAborted } from './transfers.ts';

const BRANCHES = '+refs/heads/*:refs/remotes/origin/*';
/** Progress is told so that a transfer is not taken for silence; a server may be a shallow clone itself. */
const FETCH = [
  '--no-tags',
  '--progress',
  '--update-shallow',
  '--no-write-fetch-head',
  '--no-auto-maintenance',
  '--no-recurse-submodules',
];
const MAX_LOOSE = 1_000;
const MAX_PACKS = 20;
/** Files of single references, and their folders. */
const MAX_REFERENCES = 100;

/** Where the mirror keeps a branch, or what is watched like one. */
export function localReference(branch: string): string {
  if (isForeign(branch)) return branch.replace('refs/', 'refs/other/');
  return branch.startsWith('refs/') ? branch : `refs/remotes/origin/${branch}`;
}

/** By URL: after a source has moved, nothing of the former repository is taken for the new one's. */
export function mirrorFolder({ source, cache }: SourceAccess): string {
  return join(cache, `git-${createHash('sha256').update(source.url).digest('hex').slice(0, 16)}`);
}

/** Who works on a mirror: changing it is done alone, reading all of it beside other readers. Nothing in here rejects. */
interface Turns {
  change: Promise<unknown>;
  readers: Set<Promise<unknown>>;
}

const turns = new Map<string, Turns>();
/** Commits that are known to be in a mirror: what is there stays, but for a collection of garbage or a new mirror. */
const known = new Map<string, Set<string>>();

export class GitMirror {
  readonly folder: string;
  private readonly git: Git;

  constructor(git: Git) {
    this.git = git;
    this.folder = mirrorFolder(git.access);
  }

  /** Runs `work` on the mirror; where that shows damage, once more on a new one. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    await this.alone(() => this.create());
    try {
      return await work();
    } catch (error) {
      // A new mirror helps against damage, not against a machine that cannot write.
      if (!(error instanceof GitFailure) || /no space left|permission denied/i.test(error.stderr)) throw error;
      await this.alone(async () => {
        await rm(this.folder, { recursive: true, force: true });
        await this.create();
      });
      return await work();
    }
  }

  async run(args: string[], input?: string): Promise<string> {
    return this.git.local(args, { folder: this.folder, gitDir: this.folder }, input);
  }

  /** Those of these objects that are commits here. */
  async commits(ids: readonly string[]): Promise<string[]> {
    const here = this.known();
    const unknown = ids.filter((id) => !here.has(id));
    if (unknown.length > 0) for (const id of await this.look(unknown)) here.add(id);
    return ids.filter((id) => here.has(id));
  }

  private async look(ids: readonly string[]): Promise<string[]> {
    const input = `${ids.join('\n')}\n`;
    const lines = (await this.run(['cat-file', '--batch-check=%(objecttype) %(objectname)'], input)).split('\n');
    return lines.filter((line) => line.startsWith('commit ')).map((line) => line.slice('commit '.length));
  }

  private known(): Set<string> {
    const here = known.get(this.folder) ?? new Set();
    known.set(this.folder, here);
    return here;
  }

  /**
   * Sees to it that a commit is here: fetches branches and tags, then the commit by itself. Where it is gone from the server,
   * the error says that `remedy` helps.
   */
  async require(head: Head, remedy = "build the branch's present head"): Promise<void> {
    if ((await this.commits([head.revision])).length > 0) return;
    await this.transfer((mirror) => mirror.bring(head, remedy));
  }

  private async bring({ branch, revision }: Head, remedy: string): Promise<void> {
    if (this.known().has(revision)) return; // brought for somebody else meanwhile
    const here = async () => (await this.commits([revision])).length > 0;
    await this.fetchHeads(branch);
    if ((await this.headOf(branch)) === revision) this.known().add(revision);
    if (await here()) return;
    await this.fetchCommit(revision, remedy);
    if (await here()) return;
    // A tag may be of a file or a folder.
    const other = `${revision} of ${this.git.access.source.url} is not a commit`;
    throw new RemoteError('repository', 'not-found', other);
  }

  /** The commit of a branch, as far as a file of its own tells: a fetch writes one. */
  private async headOf(branch: string): Promise<string | null> {
    if (branch === '' || branch.startsWith('refs/')) return null; // a tag may be of something else than a commit
    try {
      return (await readFile(join(this.folder, localReference(branch)), 'utf8')).trim();
    } catch (error) {
      if (isCode(error, 'ENOENT', 'EISDIR', 'ENOTDIR')) return null;
      throw error;
    }
  }

  /** Brings branches, tags and this branch up to date. */
  async fetch(branch: string): Promise<void> {
    await this.transfer((mirror) => mirror.fetchHeads(branch));
  }

  /**
   * Changes the mirror alone, and goes on when whoever asked waits no longer: what takes longer than a question may is there
   * for those who ask next. Only limits of its own end it.
   */
  private async transfer(work: (mirror: GitMirror) => Promise<void>): Promise<void> {
    const { signal, access } = this.git;
    const done = this.alone(async () => {
      signal.throwIfAborted(); // nobody has waited until its turn
      await longTransfer((until) => this.git.apart(until, (git) => work(new GitMirror(git))));
    });
    await unlessAborted(done, signal, access.source.url);
  }

  /**
   * Makes `folder/.git` a repository of its own with all that is in the mirror and the source as its origin, and checks
   * `revision` out beside it: from the mirror, so that neither waits for the other.
   */
  async cloneTo(folder: string, revision: string): Promise<void> {
    const gitDir = join(folder, '.git');
    await mkdir(gitDir);
    // The mirror keeps branches as origin's, so that its copy is a clone, for which git would take five processes.
    // Copied, not hard-linked and not shared by alternates: a step may do to its workspace what it likes, as root of a
    // container that sees nothing but the workspace.
    const workTree = { folder, index: join(gitDir, 'index') };
    await this.reading(() =>
      allOrFirstFailure([
        copyFolder(this.folder, gitDir, this.git.signal),
        this.git
          .local(['read-tree', '-m', '-u', revision], { folder, gitDir: this.folder, workTree })
          .catch(refusePath),
      ]),
    );
    const config = (await readFile(join(gitDir, 'config'), 'utf8')).replace('bare = true', 'bare = false');
    const url = configValue(this.git.access.source.url);
    await writeFile(join(gitDir, 'config'), `${config}[remote "origin"]\n\turl = ${url}\n\tfetch = ${BRANCHES}\n`);
    await writeFile(join(gitDir, 'HEAD'), `${revision}\n`);
  }

  private async fetchHeads(branch: string): Promise<void> {
    const packs = await readdir(join(this.folder, 'objects/pack')).catch(() => null);
    if (packs?.length === 0) {
      await this.fetchFirst();
      if (!isForeign(branch)) return;
    }
    const other = isForeign(branch) ? [`+${branch}:${localReference(branch)}`] : [];
    const refs = [BRANCHES, '+refs/tags/*:refs/tags/*', ...other];
    await this.git.transfer(['fetch', '--prune', ...FETCH, '--', this.git.access.source.url, ...refs], this.folder);
    await this.tidy();
  }

  /**
   * All at once into a mirror that has nothing yet. Not by `git fetch`, which reads everything a second time to see whether it
   * is complete, and writes a file for each branch.
   */
  private async fetchFirst(): Promise<void> {
    const clone = `${this.folder}.first`;
    await rm(clone, { recursive: true, force: true });
    try {
      await this.git.clone([
        '--no-checkout',
        '--progress',
        '--origin',
        'origin',
        '--',
        this.git.access.source.url,
        clone,
      ]);
      // Moved file by file, so that the mirror is one at any moment; and an index after its pack, which git looks for then.
      const pack = 'objects/pack';
      const names = (await readdir(join(clone, '.git', pack))).map((name) => join(pack, name));
      const files = [
        ...names.filter((name) => !name.endsWith('.idx')),
        ...names.filter((name) => name.endsWith('.idx')),
      ];
      for (const name of ['shallow', ...files, 'packed-refs']) {
        const from = join(clone, '.git', name);
        if (existsSync(from)) await rename(from, join(this.folder, name));
      }
    } finally {
      await rm(clone, { recursive: true, force: true });
    }
  }

  /** Every fetch adds files, of objects and of references, and every checkout copies them. */
  private async tidy(): Promise<void> {
    const references = await readdir(join(this.folder, 'refs'), { recursive: true });
    if (references.length > MAX_REFERENCES) await this.run(['pack-refs', '--all']);
    const objects = join(this.folder, 'objects');
    const packs = (await readdir(join(objects, 'pack'))).filter((name) => name.endsWith('.pack')).length;
    // As git estimates it: ids are spread evenly over 256 folders.
    const loose = 256 * (existsSync(join(objects, '17')) ? (await readdir(join(objects, '17'))).length : 0);
    if (loose <= MAX_LOOSE && packs <= MAX_PACKS) return;
    await this.run(['gc']);
    known.delete(this.folder);
  }

  private async fetchCommit(revision: string, remedy: string): Promise<void> {
    try {
      // Kept under a reference, so that it is not garbage here, too.
      const refs = `${revision}:refs/slipway/${revision}`;
      await this.git.transfer(['fetch', ...FETCH, '--', this.git.access.source.url, refs], this.folder);
    } catch (error) {
      if (!(error instanceof RemoteError) || !['not-found', 'refused', 'protocol'].includes(error.fault)) throw error;
      const gone = `revision ${revision} is gone from ${this.git.access.source.url} (superseded by a force-push?): ${remedy}`;
      throw new RemoteError('repository', 'not-found', gone, error);
    }
  }

  private async create(): Promise<void> {
    if (existsSync(join(this.folder, 'HEAD'))) return;
    known.delete(this.folder);
    const unfinished = `${this.folder}.new`;
    await rm(unfinished, { recursive: true, force: true });
    await rm(this.folder, { recursive: true, force: true });
    await mkdir(unfinished, { recursive: true });
    await this.git.local(['init', '--bare', '--', unfinished], { folder: unfinished, gitDir: null });
    await rename(unfinished, this.folder);
  }

  /** Changes the mirror: in this process, nobody else changes or copies it meanwhile. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turns();
    const turn = Promise.all([mine.change, ...mine.readers]).then(work);
    mine.change = settled(turn);
    return turn;
  }

  /** Reads what a fetch or a collection of garbage would take away meanwhile. */
  private reading<T>(work: () => Promise<T>): Promise<T> {
    const { change, readers } = this.turns();
    const turn = change.then(work);
    const reader: Promise<unknown> = settled(turn).then(() => readers.delete(reader));
    readers.add(reader);
    return turn;
  }

  private turns(): Turns {
    const mine = turns.get(this.folder) ?? { change: Promise.resolve(), readers: new Set() };
    turns.set(this.folder, mine);
    return mine;
  }
}

/** A revision that brings a `.git` or `..` is the fault of its author, not of the mirror. */
function refusePath(error: unknown): never {
  const path = error instanceof GitFailure ? /invalid path '(.*)'/.exec(error.stderr)?.[1] : undefined;
  throw path === undefined
    ? error
    : invalid(`git refuses the revision: invalid path ${JSON.stringify(path)}`, 'revision');
}

const settled = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    () => undefined,
  );
