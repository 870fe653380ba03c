/**
 * One working copy per branch, brought to what is wanted and then copied: only what differs is transferred. Everything in it
 * can be had again from the server, so a damaged one is thrown away.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { allOrFirstFailure, copyFolder, emptyFolder } from './copy-folder.ts';
import type { Svn } from './svn-command.ts';
import { remoteError, SvnFailure } from './svn-errors.ts';

/** Working copies that are kept of one source: each holds every file twice. */
const MAX_COPIES = 16;

/** Who works on a working copy, by folder. Nothing in here rejects. */
const turns = new Map<string, Promise<unknown>>();
/** Where the working copies are, as far as this process has brought them there. */
const positions = new Map<string, string>();

/** Where something is: `url` as it was in `revision`. */
export interface Location {
  url: string;
  revision: string;
}

/**
 * Copies what is at a location, with `.svn`, into an empty or new folder. `name` tells apart what is worth a working copy of
 * its own. Externals are left out. Throws `RemoteError`.
 */
export async function checkOut(svn: Svn, name: string, at: Location, into: string): Promise<void> {
  const { cache } = svn.access;
  const id = createHash('sha256').update(name).digest('hex').slice(0, 16);
  const folder = join(cache, `svn-${id}`);
  await mkdir(cache, { recursive: true });
  await makeRoom(cache, folder);
  await alone(folder, async () => {
    svn.signal.throwIfAborted();
    if (await moved(svn, folder, at)) {
      const [clean] = await both(isClean(svn, folder), copyFolder(folder, into, svn.signal, { links: true }));
      if (clean) return;
      await emptyFolder(into);
    }
    await make(svn, folder, at);
    await copyFolder(folder, into, svn.signal, { links: true });
  });
}

/** Brings the working copy there; false where it is damaged, or there is none. */
async function moved(svn: Svn, folder: string, { url, revision }: Location): Promise<boolean> {
  const target = `${url}@${revision}`;
  if (!existsSync(join(folder, '.svn'))) return false;
  const now = new Date();
  await utimes(folder, now, now);
  if (positions.get(folder) === target) return true;
  positions.delete(folder);
  // By its URL and not by "update": it may have been elsewhere in that revision, and it may have been made anew since.
  const move = () => svn.transfer(['switch', '--quiet', '--ignore-ancestry', '--ignore-externals'], target, folder);
  try {
    await move().catch(async (error: unknown) => {
      if (!isLocked(error)) throw error;
      await svn.local(['cleanup'], folder);
      await move();
    });
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  }
  positions.set(folder, target);
  return true;
}

/** Whether all files are as svn has put them: one that is not would be kept as somebody's work. */
async function isClean(svn: Svn, folder: string): Promise<boolean> {
  try {
    return (await svn.local(['status', '--no-ignore', '--ignore-externals'], folder)) === '';
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  }
}

async function make(svn: Svn, folder: string, { url, revision }: Location): Promise<void> {
  positions.delete(folder);
  await rm(folder, { recursive: true, force: true });
  try {
    await svn.transfer(['checkout', '--quiet', '--ignore-externals'], `${url}@${revision}`, folder);
  } catch (error) {
    if (isDamage(error)) throw remoteError(error, url, svn.access.credentials !== null);
    throw error;
  }
  positions.set(folder, `${url}@${revision}`);
}

/** What a process that was killed has left. */
const isLocked = (error: unknown): boolean =>
  error instanceof SvnFailure && /E155004|E155037|E155009|E200033/.test(error.stderr);
/** A new working copy helps against damage, not against a machine that cannot write. */
const isDamage = (error: unknown): error is SvnFailure =>
  error instanceof SvnFailure && !/E0000(28|13|30)\b|no space left|permission denied/i.test(error.stderr);

/** Both answers, once both have ended. */
async function both<A, B>(one: Promise<A>, other: Promise<B>): Promise<[A, B]> {
  await allOrFirstFailure([one, other]);
  return [await one, await other];
}

/** Before another one is made: throws the one away that was not used for the longest time. */
async function makeRoom(cache: string, folder: string): Promise<void> {
  if (existsSync(folder)) return;
  const names = (await readdir(cache)).filter((name) => name.startsWith('svn-'));
  if (names.length < MAX_COPIES) return;
  const used = await Promise.all(
    names.map(async (name) => {
      const path = join(cache, name);
      return { path, at: (await stat(path).catch(() => null))?.mtimeMs ?? 0 };
    }),
  );
  const [oldest] = used.sort((a, b) => a.at - b.at);
  if (oldest) await alone(oldest.path, () => rm(oldest.path, { recursive: true, force: true }));
}

/** In this process, nobody else touches the folder meanwhile. */
function alone<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const turn = (turns.get(folder) ?? Promise.resolve()).then(work);
  const settled: Promise<unknown> = turn
    .then(
      () => undefined,
      () => undefined,
    )
    .then(() => {
      if (turns.get(folder) === settled) turns.delete(folder);
    });
  turns.set(folder, settled);
  return turn;
}
