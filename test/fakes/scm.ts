import { invalid, RemoteError } from '../../pipelines/errors.ts';
import type { Change } from '../../pipelines/model.ts';
import type { Head, Scm } from '../../pipelines/ports.ts';

interface Commit extends Change {
  branch: string;
  contents: Record<string, string>;
}

/** A repository in memory. */
export class FakeScm implements Scm {
  readonly commits: Commit[] = [];
  away = false;

  /** Answers the new revision. */
  commit(
    contents: Record<string, string>,
    options: { branch?: string; email?: string; message?: string } = {},
  ): string {
    const branch = options.branch ?? 'main';
    const before = this.#of(branch).at(-1)?.contents ?? {};
    const revision = (this.commits.length + 1).toString(16).padStart(40, '0');
    this.commits.push({
      revision,
      branch,
      author: 'Dev',
      email: options.email ?? 'dev@example.com',
      message: options.message ?? `change ${this.commits.length + 1}`,
      at: 0,
      files: Object.keys(contents),
      contents: { ...before, ...contents },
    });
    return revision;
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

  async heads(): Promise<Head[]> {
    const branches = [...new Set(this.commits.map(({ branch }) => branch))];
    return branches.map((branch) => ({ branch, revision: this.#of(branch).at(-1)?.revision ?? '' }));
  }

  async resolve(_access: unknown, branch: string, revision: string): Promise<string> {
    const found = this.#of(branch).find((commit) => commit.revision.startsWith(revision));
    if (!found) throw invalid(`there is no revision ${revision} on ${branch}`, 'revision');
    return found.revision;
  }

  async log(_access: unknown, range: { to: string; not: string[]; branch: string; limit: number }): Promise<Change[]> {
    const own = this.#of(range.branch);
    const to = own.findIndex(({ revision }) => revision === range.to);
    const from = Math.max(-1, ...range.not.map((each) => own.findIndex(({ revision }) => revision === each)));
    const changes = own.slice(from + 1, to + 1).reverse();
    return changes.slice(0, range.limit).map(({ branch: _b, contents: _c, ...change }) => change);
  }

  async readFile(_access: unknown, at: { branch: string; revision: string }, path: string): Promise<string | null> {
    return this.#of(at.branch).find(({ revision }) => revision === at.revision)?.contents[path] ?? null;
  }

  async checkout(): Promise<void> {}
}
