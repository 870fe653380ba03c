/** Copies a folder of many files without a process for it: starting one costs more than copying a small repository. */
import { constants } from 'node:fs';
import { copyFile, mkdir, readdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';

/** As many as the thread pool of Node works on at a time, and some that wait for it. */
const AT_ONCE = 16;

/**
 * Copies the files and folders in `from` into the folder `to`; where the file system can, it shares their blocks until one is
 * written to. Special files are left out, and so are symbolic links unless `links` says otherwise: those point where they did.
 * After an abort, or where one copy fails, none goes on.
 */
export async function copyFolder(
  from: string,
  to: string,
  signal: AbortSignal,
  { links = false }: { links?: boolean } = {},
): Promise<void> {
  await mkdir(to, { recursive: true });
  const files: string[] = [];
  // Level by level, all of one at once: waiting for each folder in turn took longer than copying the files.
  for (let level = ['']; level.length > 0; ) {
    signal.throwIfAborted();
    const listed = await Promise.all(level.map((folder) => readdir(join(from, folder), { withFileTypes: true })));
    const works: Promise<unknown>[] = [];
    const next: string[] = [];
    for (const [index, entries] of listed.entries()) {
      for (const entry of entries) {
        const name = join(level[index] ?? '', entry.name);
        if (entry.isFile()) files.push(name);
        else if (entry.isDirectory()) {
          next.push(name);
          works.push(mkdir(join(to, name), { recursive: true }));
        } else if (links && entry.isSymbolicLink())
          works.push(readlink(join(from, name)).then((target) => symlink(target, join(to, name))));
      }
    }
    await allOrFirstFailure(works);
    level = next;
  }
  let broken = false;
  const copyOneByOne = async () => {
    for (let name = files.pop(); name !== undefined && !broken; name = files.pop()) {
      signal.throwIfAborted();
      await copyFile(join(from, name), join(to, name), constants.COPYFILE_FICLONE);
    }
  };
  const copying = Array.from({ length: AT_ONCE }, () =>
    copyOneByOne().catch((error: unknown) => {
      broken = true;
      throw error;
    }),
  );
  await allOrFirstFailure(copying);
}

/** Resolves when all have ended, and only then throws what the first that failed threw: nothing goes on afterwards. */
export async function allOrFirstFailure(works: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(works);
  await Promise.all(works);
}

/** Removes all that is in a folder. */
export async function emptyFolder(folder: string): Promise<void> {
  for (const entry of await readdir(folder)) await rm(join(folder, entry), { recursive: true, force: true });
}
