/** The folder an image is built from, as the tar that an engine takes. */
import { createHash } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import { createReadStream } from 'node:fs';
import { lstat, opendir, readFile, readlink, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import tar from 'tar-stream';
import { invalid } from '../../pipelines/errors.ts';

export interface ContextSpec {
  /** Relative to the workspace. */
  context: string;
  /** Relative to the workspace; null = `Dockerfile` of the context. */
  dockerfile: string | null;
  /** Text that stands in for a Dockerfile. */
  inline: string | null;
}

export interface BuildContext {
  /** The Dockerfile's name within the tar. */
  dockerfile: string;
  /** Text of the Dockerfile. */
  text: string;
  /** A new tar each time. The reader destroys it to end it early. */
  open(): Readable;
}

/**
 * Reads what a build needs. The Dockerfile always travels, under a name made of its content where it is not inside of
 * the context (so that an unchanged one changes no cache); the builder sees it there, in a `COPY .` too.
 * Throws `invalid` for anything that is missing, or outside of the workspace (also by way of a symbolic link).
 */
export async function buildContext(workspace: string, spec: ContextSpec): Promise<BuildContext> {
  if (/^(\w+:\/\/|git@|github\.com\/)/.test(spec.context)) {
    throw invalid(`the build context ${spec.context} is remote; only folders of the workspace can be built`, 'context');
  }
  const root = await inside(workspace, spec.context, 'build context', 'context');
  if (!(await lstat(root)).isDirectory()) throw invalid(`the build context ${spec.context} is not a folder`, 'context');
  if (spec.inline !== null) return describe(root, spec.inline, null, await ignoreText(workspace, root, null));

  const named = spec.dockerfile ?? path.join(spec.context, 'Dockerfile');
  const file = await inside(workspace, named, 'Dockerfile', 'dockerfile');
  if (!(await lstat(file)).isFile()) throw invalid(`the Dockerfile ${named} is not a file`, 'dockerfile');
  const relative = path.relative(root, file);
  const within = relative.startsWith(`..${path.sep}`) ? null : relative;
  const text = await readFile(file, 'utf8');
  return describe(root, text, within, await ignoreText(workspace, root, path.resolve(workspace, named)));
}

function describe(root: string, text: string, within: string | null, ignore: string): BuildContext {
  const filter = dockerignore(ignore);
  if (within) return { dockerfile: toSlash(within), text, open: () => pack(root, filter, toSlash(within), null) };
  const dockerfile = `.dockerfile.${createHash('sha256').update(text).digest('hex').slice(0, 20)}`;
  return { dockerfile, text, open: () => pack(root, filter, dockerfile, text) };
}

/** The real path of `relative` if it is there and in the workspace. */
async function inside(workspace: string, relative: string, what: string, field: string): Promise<string> {
  const root = await realpath(workspace);
  const real = await realpath(path.resolve(root, relative)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR' && error.code !== 'ELOOP') throw error;
    return null;
  });
  const target = real ?? path.resolve(root, relative);
  if (target !== root && !target.startsWith(root + path.sep)) {
    throw invalid(`the ${what} ${relative} is outside of the workspace`, field);
  }
  if (real === null) throw invalid(`there is no ${what} ${relative} in the workspace`, field);
  return real;
}

/** `<Dockerfile>.dockerignore` beside the Dockerfile, else `.dockerignore` of the context, else nothing. */
async function ignoreText(workspace: string, root: string, dockerfile: string | null): Promise<string> {
  const candidates = [...(dockerfile ? [`${dockerfile}.dockerignore`] : []), path.join(root, '.dockerignore')];
  for (const candidate of candidates) {
    const found = await lstat(candidate).catch(() => null);
    if (!found) continue;
    return readFile(await inside(workspace, candidate, 'ignore file', 'context'), 'utf8');
  }
  return '';
}

// ---- .dockerignore ---------------------------------------------------------------------------------------------------

export interface IgnoreFilter {
  ignores(path: string): boolean;
  /** Whether something below this ignored folder may be wanted all the same (`!`). */
  mayContain(folder: string): boolean;
}

/** Docker's own rules (moby/patternmatcher): the last pattern that matches a path or one of its folders decides. */
export function dockerignore(text: string): IgnoreFilter {
  const patterns = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap(readPattern);
  const folders = (file: string) => file.split('/').map((_, index, all) => all.slice(0, index + 1).join('/'));
  return {
    ignores(file) {
      let ignored = false;
      for (const { negated, regex } of patterns) {
        if (negated === ignored && folders(file).some((each) => regex.test(each))) ignored = !negated;
      }
      return ignored;
    },
    mayContain: (folder) =>
      patterns.some(
        ({ negated, literal }) => negated && (literal.startsWith(`${folder}/`) || `${folder}/`.startsWith(literal)),
      ),
  };
}

interface Pattern {
  negated: boolean;
  regex: RegExp;
  /** The pattern up to its first wildcard. */
  literal: string;
}

function readPattern(line: string): Pattern[] {
  if (line.startsWith('#')) return [];
  const trimmed = line.trim();
  if (trimmed === '') return [];
  const negated = trimmed.startsWith('!');
  const written = (negated ? trimmed.slice(1) : trimmed).trim();
  if (written === '') throw invalid(`.dockerignore: "${trimmed}" excludes nothing`, 'context');
  const clean = path.posix
    .normalize(written)
    .replace(/^\/(?=.)/, '')
    .replace(/(?<=.)\/$/, '');
  if (clean === '.') return []; // the context itself cannot be left out
  try {
    return [{ negated, regex: new RegExp(`^${regexSource(clean)}$`, 's'), literal: clean.replace(/[*?[\\].*$/s, '') }];
  } catch {
    throw invalid(`.dockerignore: "${trimmed}" is not a pattern`, 'context');
  }
}

function regexSource(pattern: string): string {
  // Alternatives in order: `**/` and `**` (at the end: anything), `*`, `?`, an escaped character, a regex's own ones.
  return pattern.replace(
    /\*\*+\/?|\*|\?|\\(.)|[.+(){}|$^]/gs,
    (match: string, escaped: string | undefined, at: number) => {
      if (match.startsWith('**')) return at + match.length === pattern.length ? '.*' : '(?:.*/)?';
      if (match === '*') return '[^/]*';
      if (match === '?') return '[^/]';
      if (escaped !== undefined) return /\w/.test(escaped) ? escaped : `\\${escaped}`;
      return match === '^' && pattern[at - 1] === '[' ? '^' : `\\${match}`;
    },
  );
}

// ---- tar -------------------------------------------------------------------------------------------------------------

/** Owner 0:0 as the docker CLI writes it; modes, times and symbolic links as they are. */
function pack(root: string, filter: IgnoreFilter, dockerfile: string, text: string | null): Readable {
  const out = tar.pack();
  const fill = async () => {
    if (text !== null) out.entry({ name: dockerfile, mode: 0o644, mtime: new Date(0) }, text);
    for await (const file of walk(root, '', filter, dockerfile)) {
      if (out.destroyed) return;
      await addEntry(out, root, file);
    }
    out.finalize();
  };
  fill().catch((error: Error) => out.destroy(error));
  return out as unknown as Readable;
}

/** Paths below `folder` that are wanted, `/`-separated; a folder comes before what is in it. */
async function* walk(root: string, folder: string, filter: IgnoreFilter, dockerfile: string): AsyncGenerator<string> {
  const entries: Dirent[] = [];
  for await (const entry of await opendir(path.join(root, folder))) entries.push(entry);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = folder === '' ? entry.name : `${folder}/${entry.name}`;
    const wanted = file === dockerfile || !filter.ignores(file);
    if (wanted) yield file;
    if (entry.isDirectory() && (wanted || filter.mayContain(file) || dockerfile.startsWith(`${file}/`))) {
      yield* walk(root, file, filter, dockerfile);
    }
  }
}

async function addEntry(out: tar.Pack, root: string, name: string): Promise<void> {
  const file = path.join(root, name);
  const stats = await lstat(file);
  const header = { name, mode: stats.mode & 0o7777, mtime: stats.mtime, uid: 0, gid: 0 };
  if (stats.isDirectory()) out.entry({ ...header, type: 'directory' });
  else if (stats.isSymbolicLink()) out.entry({ ...header, type: 'symlink', linkname: await readlink(file) });
  else if (stats.isFile()) await addFile(out, header, file, stats);
  // FIFOs, sockets and devices have no content to build from.
}

/** Bytes up to which a file is read at once: most files are small, and a stream for each costs more than its bytes. */
const SMALL = 256 * 1024;

async function addFile(
  out: tar.Pack,
  header: Partial<tar.Header> & { name: string },
  file: string,
  { size }: Stats,
): Promise<void> {
  if (size <= SMALL) {
    const content = await readFile(file);
    await promisify((done: (error?: Error | null) => void) => out.entry(header, content, done))();
    return;
  }
  // A file that grows while it is read is sent as long as it was; one that shrinks is an error of the tar.
  await pipeline(createReadStream(file, { end: size - 1 }), out.entry({ ...header, size }));
}

const toSlash = (file: string): string => file.split(path.sep).join('/');
