/** The history of a Git repository, one step of its main line after the other. */
import { execFileSync } from 'node:child_process';

const MAX_BUFFER = 1024 ** 3;

export interface FileChange {
  status: 'A' | 'M' | 'D';
  path: string;
  /** Of the new content; absent for deletions. */
  blob: string;
}

export class History {
  readonly #gitDir: string;
  /** Commits of the first-parent line, oldest first. */
  readonly line: string[];

  constructor(gitDir: string, limit: number) {
    this.#gitDir = gitDir;
    const all = this.git('rev-list', '--first-parent', '--reverse', 'HEAD').trim().split('\n');
    this.line = all.slice(0, limit);
  }

  git(...args: string[]): string {
    return this.bytes(args).toString('utf8');
  }

  bytes(args: string[], input?: string): Buffer {
    const stdin = input === undefined ? {} : { input };
    return execFileSync('git', ['--git-dir', this.#gitDir, ...args], { maxBuffer: MAX_BUFFER, ...stdin });
  }

  /** All commits that `to` has and `from` has not, whichever line they are on. */
  between(from: string, to: string): string[] {
    return this.git('rev-list', `${from}..${to}`).split('\n').filter(Boolean);
  }

  /** Files that differ from the step before: symbolic links as files, submodules left out. */
  changes(from: string | null, to: string): FileChange[] {
    const range = from === null ? ['--root', to] : [from, to];
    const raw = this.git('diff-tree', '-r', '-z', '--no-renames', '--no-commit-id', ...range);
    const fields = raw.split('\0');
    const changes: FileChange[] = [];
    for (let index = 0; index + 1 < fields.length; index += 2) {
      const [, oldMode = '', newMode = '', , blob = '', status = ''] =
        /^:(\d+) (\d+) (\w+) (\w+) (\w)/.exec(fields[index] ?? '') ?? [];
      const path = fields[index + 1] ?? '';
      if (oldMode === '160000' || newMode === '160000' || path.includes('\uFFFD')) continue;
      changes.push({ status: status === 'T' ? 'M' : (status as FileChange['status']), path, blob });
    }
    return changes;
  }

  contents(blobs: readonly string[]): Map<string, Buffer> {
    const found = new Map<string, Buffer>();
    if (blobs.length === 0) return found;
    const output = this.bytes(['cat-file', '--batch'], `${blobs.join('\n')}\n`);
    for (let at = 0; at < output.length; ) {
      const end = output.indexOf(0x0a, at);
      const [id = '', , size = '0'] = output.subarray(at, end).toString().split(' ');
      found.set(id, output.subarray(end + 1, end + 1 + Number(size)));
      at = end + 1 + Number(size) + 1;
    }
    return found;
  }

  about(commit: string): { author: string; message: string; at: string } {
    const [author = '', at = '', ...message] = this.git('log', '-1', '--format=%an%n%cI%n%B', commit).split('\n');
    return { author, at: new Date(at).toISOString().replace('Z', '000Z'), message: message.join('\n').trim() };
  }
}
