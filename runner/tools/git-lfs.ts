/**
 * Git LFS: files of which a repository holds only a pointer. Their content is asked for by Slipway itself, not by the
 * `git-lfs` program, so that no filter, hook or `.lfsconfig` of a repository has any say in it.
 */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { chmod, copyFile, lstat, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { invalid } from '../../pipelines/errors.ts';
import type { Git } from './git-command.ts';
import { askDownloads, type Download, endpointOf, type LfsObject, saveObject } from './git-lfs-api.ts';
import type { LfsHttp } from './git-lfs-http.ts';
import { mirrorFolder } from './git-mirror.ts';
import { inParallel } from './parallel.ts';
import type { ScmOptions } from './scm-options.ts';

/** A pointer is shorter, see https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md */
const MAX_POINTER = 1024;
const MAX_OBJECT = 8 * 1024 ** 3;
const MAX_FILES = 50_000;
/** Objects that one question asks for: links to them do not last long. */
const BATCH = 100;
const DAY_MS = 24 * 60 * 60_000;
const FIELD = 'source.lfs';

/** A file of the workspace that is to be replaced. */
interface Pointer extends LfsObject {
  path: string;
  mode: number;
}

/** Replaces the pointers in a checkout by the files they mean. Throws `invalid` and `RemoteError`. */
export async function fetchLfs(git: Git, folder: string, options: ScmOptions): Promise<void> {
  const place = { folder, gitDir: join(folder, '.git') };
  const tracked = await git.local(['ls-files', '-z', '--cached', '--', ':(attr:filter=lfs)'], place);
  const paths = tracked.split('\0').filter(Boolean);
  if (paths.length > MAX_FILES) throw invalid(`the revision has more than ${MAX_FILES} files in LFS`, FIELD);
  const found = await inParallel(paths, git.signal, (path) => readPointer(folder, path));
  const pointers = found.filter((each) => each !== null);
  if (pointers.length === 0) return;
  // A store for each repository: who may name the objects of one may not have those of another.
  const store = `${mirrorFolder(git.access)}-lfs`;
  await fetchMissing({ access: git.access, options, signal: git.signal }, store, pointers);
  await inParallel(pointers, git.signal, (pointer) => replace(folder, store, pointer));
  // Their entries in the index are of the pointers: without this, git would find each of them modified.
  const replaced = `${pointers.map(({ path }) => path).join('\0')}\0`;
  await git.local(['update-index', '-z', '--assume-unchanged', '--stdin'], place, replaced);
}

/** Null for a file that is none. */
async function readPointer(folder: string, path: string): Promise<Pointer | null> {
  const name = join(folder, path);
  const is = await lstat(name);
  if (!is.isFile() || is.size === 0 || is.size > MAX_POINTER) return null;
  const file = await open(name, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    return parsePointer(path, await file.readFile('utf8'), is);
  } finally {
    await file.close();
  }
}

function parsePointer(path: string, text: string, { mode }: Stats): Pointer | null {
  const [version, ...lines] = text.replaceAll('\r\n', '\n').split('\n');
  if (version !== 'version https://git-lfs.github.com/spec/v1') return null;
  const values = new Map(lines.map((line) => line.split(' ', 2) as [string, string]));
  const oid = /^sha256:([0-9a-f]{64})$/.exec(values.get('oid') ?? '')?.[1];
  const size = /^\d{1,15}$/.test(values.get('size') ?? '') ? Number(values.get('size')) : null;
  if (oid === undefined || size === null) throw refused(path, 'has no valid oid and size');
  if ([...values.keys()].some((key) => key.startsWith('ext-')))
    throw refused(path, 'needs an LFS extension, which is a program; none are run');
  if (size > MAX_OBJECT) throw refused(path, `is of ${size} bytes; at most ${MAX_OBJECT} are fetched`);
  return { path, oid, size, mode };
}

async function fetchMissing(http: LfsHttp, store: string, pointers: readonly Pointer[]): Promise<void> {
  const missing = new Map<string, Pointer>();
  for (const pointer of pointers) if (!(await isStored(store, pointer))) missing.set(pointer.oid, pointer);
  if (missing.size === 0) return;
  const endpoint = endpointOf(http.access.source.url);
  await sweep(store);
  const objects = [...missing.values()];
  for (let first = 0; first < objects.length; first += BATCH) {
    const downloads = await askDownloads(http, endpoint, objects.slice(first, first + BATCH));
    await inParallel(downloads, http.signal, (each, signal) => fetchObject({ ...http, signal }, store, each));
  }
}

const stored = (store: string, oid: string): string => join(store, oid.slice(0, 2), oid);
const unfinished = (store: string): string => join(store, 'unfinished');

async function isStored(store: string, { oid, size }: LfsObject): Promise<boolean> {
  const is = await stat(stored(store, oid)).catch(() => null);
  return is?.isFile() === true && is.size === size;
}

/** Nothing is found in the store that has not come whole. */
async function fetchObject(http: LfsHttp, store: string, download: Download): Promise<void> {
  const part = join(unfinished(store), randomUUID());
  const file = stored(store, download.oid);
  await mkdir(dirname(file), { recursive: true });
  try {
    await saveObject(http, download, part);
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

/** What a process that was killed has left. */
async function sweep(store: string): Promise<void> {
  await mkdir(unfinished(store), { recursive: true });
  for (const name of await readdir(unfinished(store))) {
    const file = join(unfinished(store), name);
    const is = await stat(file).catch(() => null);
    if (is && is.mtimeMs < Date.now() - DAY_MS) await rm(file, { force: true });
  }
}

/** Copied: a step may do to its workspace what it likes. */
async function replace(folder: string, store: string, pointer: Pointer): Promise<void> {
  if (!(await isStored(store, pointer)))
    throw refused(pointer.path, 'gives its object another size than a second pointer');
  const file = join(folder, pointer.path);
  await rm(file);
  await copyFile(stored(store, pointer.oid), file, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(file, pointer.mode & 0o777);
}

const refused = (path: string, why: string) => invalid(`the LFS pointer ${JSON.stringify(path)} ${why}`, FIELD);
