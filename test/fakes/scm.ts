import { branchMatcher } from '../../pipelines/branches.ts';
import { invalid, RemoteError } from '../../pipelines/errors.ts';
import type { Change, External } from '../../pipelines/model.ts';
import type { Head, Pulse, Scm, SourceAccess } from '../../pipelines/ports.ts';

interface Commit extends Change {
  branch: string;
  contents: Record<string, string>;
}

/** Repositories in memory, by URL. */
export class FakeScms implements Scm {
  readonly #repositories = new Map<string, FakeScm>();
  /** Every pulse that was asked for, by URL. */
  readonly pulses: string[] = [];

  at(url: string): FakeScm {
    const found = this.#repositories.get(url) ?? new FakeScm();
    this.#repositories.set(url, found);
    return found;
  }

  #of({ source }: SourceAccess): FakeScm {
    return this.at(source.url);
  }

  async pulse(access: SourceAccess): Promise<Pulse> {
    this.pulses.push(access.source.url);
    return { ...(await this.#of(access).pulse()), root: access.source.url };
  }

  async heads(access: SourceAccess): Promise<Head[]> {
    const watched = branchMatcher(access.source.branches);
    return (await this.#of(access).heads()).filter(({ branch }) => watched(branch));
  }

  resolve = (access: SourceAccess, branch: string, revision: string): Promise<string> =>
    this.#of(access).resolve(access, branch, revision);
  log = (access: SourceAccess, range: { to: Head; not: Head[]; limit: number }): Promise<Change[]> =>
    this.#of(access).log(access, range);
  readFile = (access: SourceAccess, at: Head, path: string): Promise<string | null> =>
    this.#of(access).readFile(access, at, path);
  externals = async (): Promise<External[]> => [];
  checkout = async (): Promise<void> => {};
}

/** A repository in memory. */
export class FakeScm implements Omit<Scm, 'checkout'> {
  readonly commits: Commit[] = [];
  away = false;
  /** Happens once, while the next log is being read. */
  meanwhile: (() => unknown) | null = null;
  #made = 0;

  /** Answers the new revision. */
  commit(
    contents: Record<string, string>,
    options: Partial<Omit<Change, 'revision'>> & { branch?: string } = {},
  ): string {
    const branch = options.branch ?? 'main';
    const before = this.#of(branch).at(-1)?.contents ?? {};
    this.#made += 1;
    const revision = this.#made.toString(16).padStart(40, '0');
    this.commits.push({
      revision,
      branch,
      author: options.author ?? 'Dev',
      email: options.email ?? 'dev@example.com',
      message: options.message ?? `change ${this.commits.length + 1}`,
      at: 0,
      files: options.files ?? Object.keys(contents),
      ...(options.moreFiles ? { moreFiles: true } : {}),
      contents: { ...before, ...contents },
    });
    return revision;
  }

  /** Takes a branch away; its commits are no longer to be had. */
  deleteBranch(branch: string): void {
    for (let index = this.commits.length - 1; index >= 0; index--)
      if (this.commits[index]?.branch === branch) this.commits.splice(index, 1);
  }

  /** A commit on `main` that deletes a file. */
  remove(path: string): string {
    const revision = this.commit({ [path]: '' });
    delete this.commits.at(-1)?.contents[path];
    return revision;
  }

  #of(branch: string): Commit[] {
    if (this.away) throw new RemoteError('repository', 'unreachable', 'the repository is away');
    return this.commits.filter((commit) => commit.branch === branch);
  }

  async pulse(): Promise<Pulse> {
    const heads = await this.heads();
    return { root: 'fake', mark: JSON.stringify(heads), heads };
  }

  async externals(): Promise<External[]> {
    return [];
  }

  async heads(): Promise<Head[]> {
    const branches = [...new Set(this.commits.map(({ branch }) => branch))];
    return branches.map((branch) => ({ branch, revision: this.#of(branch).at(-1)?.revision ?? '' }));
  }

  async resolve(_access: unknown, branch: string, revision: string): Promise<string> {
    const found = this.#of(branch).find((commit) => commit.revision.startsWith(revision));
    if (!found) throw invalid(`there is no revision ${revision} on ${branch}`, 'revision');
    return found.revision;
  }

  async log(_access: unknown, range: { to: Head; not: Head[]; limit: number }): Promise<Change[]> {
    const { meanwhile } = this;
    this.meanwhile = null;
    await meanwhile?.();
    const own = this.#of(range.to.branch);
    const at = (head: Head) => own.findIndex(({ revision }) => revision === head.revision);
    const to = at(range.to);
    const from = Math.max(-1, ...range.not.map(at));
    const changes = own.slice(from + 1, to + 1).reverse();
    return changes.slice(0, range.limit).map(({ branch: _b, contents: _c, ...change }) => change);
  }

  async readFile(_access: unknown, at: { branch: string; revision: string }, path: string): Promise<string | null> {
    return this.#of(at.branch).find(({ revision }) => revision === at.revision)?.contents[path] ?? null;
  }
}
