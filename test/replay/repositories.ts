/** Where a history is replayed to: each `step` brings the next commit of its main line. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FileChange, History } from './history.ts';

export interface Target {
  kind: 'git' | 'svn';
  url: string;
  branch: string;
  /** Brings the commit at this place of the main line; answers the revisions that are new with it. */
  step(index: number): string[];
}

/** A bare repository with all the objects, whose one branch moves along. */
export function gitTarget(history: History, gitDir: string, folder: string): Target {
  const dir = join(folder, 'replay.git');
  execFileSync('git', ['clone', '-q', '--bare', '--no-tags', '--shared', gitDir, dir]);
  const git = (...args: string[]) => execFileSync('git', ['--git-dir', dir, ...args], { encoding: 'utf8' });
  for (const name of git('for-each-ref', '--format=%(refname)').split('\n').filter(Boolean))
    git('update-ref', '-d', name);
  git('symbolic-ref', 'HEAD', 'refs/heads/main');
  return {
    kind: 'git',
    url: `file://${dir}`,
    branch: 'main',
    step(index) {
      const commit = history.line[index] ?? '';
      git('update-ref', 'refs/heads/main', commit);
      const before = history.line[index - 1];
      return before === undefined ? [] : history.between(before, commit);
    },
  };
}

/** A repository with `trunk`; a commit is loaded as a dump of one revision. */
export function svnTarget(history: History, folder: string): Target {
  const dir = join(folder, 'replay-svn');
  execFileSync('svnadmin', ['create', dir]);
  const tree = new Tree();
  const load = (revision: number, dump: Buffer[]) => {
    const header = Buffer.from('SVN-fs-dump-format-version: 2\n\n');
    execFileSync('svnadmin', ['load', '-q', '--bypass-prop-validation', dir], {
      input: Buffer.concat([header, ...dump]),
    });
    return String(revision);
  };
  mkdirSync(folder, { recursive: true });
  load(1, [
    revisionRecord(1, { author: 'replay', message: 'trunk', at: '2000-01-01T00:00:00.000000Z' }),
    node('trunk', 'dir', 'add'),
  ]);
  return {
    kind: 'svn',
    url: `file://${dir}`,
    branch: 'trunk',
    step(index) {
      const commit = history.line[index] ?? '';
      const changes = history.changes(history.line[index - 1] ?? null, commit);
      const contents = history.contents(changes.filter(({ status }) => status !== 'D').map(({ blob }) => blob));
      const nodes = tree.apply(changes, contents);
      const revision = index + 2;
      // A commit that touches nothing is none for SVN, as far as the branch is concerned: its note is changed instead.
      const some = nodes.length > 0 ? nodes : [tree.note(String(revision))];
      return [load(revision, [revisionRecord(revision, history.about(commit)), ...some])];
    },
  };
}

/** What is in trunk, so that folders come and go as SVN wants them to. */
class Tree {
  readonly #files = new Set<string>();
  readonly #folders = new Map<string, number>();

  apply(changes: readonly FileChange[], contents: ReadonlyMap<string, Buffer>): Buffer[] {
    const nodes: Buffer[] = [];
    const gone = changes.filter(({ status, path }) => status === 'D' && this.#files.has(path));
    for (const { path } of gone) nodes.push(...this.#remove(path));
    for (const { path, blob, status } of changes)
      if (status !== 'D') nodes.push(...this.#write(path, contents.get(blob)));
    return nodes;
  }

  note(text: string): Buffer {
    const known = this.#files.has('.replay');
    this.#files.add('.replay');
    return node('trunk/.replay', 'file', known ? 'change' : 'add', Buffer.from(text));
  }

  #write(path: string, content: Buffer = Buffer.alloc(0)): Buffer[] {
    const known = this.#files.has(path);
    const nodes: Buffer[] = [];
    if (!known) {
      for (const folder of foldersOf(path)) {
        const count = this.#folders.get(folder) ?? 0;
        if (count === 0) nodes.push(node(`trunk/${folder}`, 'dir', 'add'));
        this.#folders.set(folder, count + 1);
      }
      this.#files.add(path);
    }
    return [...nodes, node(`trunk/${path}`, 'file', known ? 'change' : 'add', content)];
  }

  #remove(path: string): Buffer[] {
    this.#files.delete(path);
    const nodes = [node(`trunk/${path}`, null, 'delete')];
    for (const folder of foldersOf(path).reverse()) {
      const left = (this.#folders.get(folder) ?? 1) - 1;
      this.#folders.set(folder, left);
      if (left === 0) nodes.push(node(`trunk/${folder}`, null, 'delete'));
    }
    return nodes;
  }
}

const foldersOf = (path: string): string[] => {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
};

/** See https://svn.apache.org/repos/asf/subversion/trunk/notes/dump-load-format.txt */
function node(
  path: string,
  kind: 'file' | 'dir' | null,
  action: 'add' | 'change' | 'delete',
  content?: Buffer,
): Buffer {
  const lines = [`Node-path: ${path}`, ...(kind ? [`Node-kind: ${kind}`] : []), `Node-action: ${action}`];
  if (content) lines.push(`Text-content-length: ${content.length}`, `Content-length: ${content.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\n')}\n\n`), content ?? Buffer.alloc(0), Buffer.from('\n\n')]);
}

function revisionRecord(
  revision: number,
  { author, message, at }: { author: string; message: string; at: string },
): Buffer {
  const values = { 'svn:author': author, 'svn:date': at, 'svn:log': message };
  const properties = Object.entries(values)
    .map(([name, value]) => `K ${name.length}\n${name}\nV ${Buffer.byteLength(value)}\n${value}\n`)
    .join('');
  const body = Buffer.from(`${properties}PROPS-END\n`);
  const head = `Revision-number: ${revision}\nProp-content-length: ${body.length}\nContent-length: ${body.length}\n\n`;
  return Buffer.concat([Buffer.from(head), body, Buffer.from('\n')]);
}
