/** Files of the workspace, which a repository's own links cannot lead out of. */
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { insideWorkspace } from '../../pipelines/compose/references.ts';
import type { ReadText } from '../../pipelines/compose/stack.ts';
import { invalid } from '../../pipelines/errors.ts';

const MAX_TEXT = 256 * 1024;

/** Reads text of at most 256 KiB. Throws `invalid` for what is outside, too large or no regular file. */
export async function textReader(workspace: string): Promise<ReadText> {
  const root = await realpath(workspace);
  return async (file, where) => {
    const relative = insideWorkspace('', file, where);
    const real = await realInside(root, relative, where);
    if (real === null) return null;
    return readText(real, `${where}: ${relative}`, where);
  };
}

/** By descriptor: a step that runs beside this may put a pipe or a link in the file's place meanwhile. */
async function readText(real: string, what: string, where: string): Promise<string> {
  const file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const info = await file.stat();
    if (!info.isFile()) throw invalid(`${what} is not a regular file`, where);
    if (info.size > MAX_TEXT) throw invalid(`${what} is larger than 256 KiB`, where);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/**
 * Where a path of the workspace really is; null where there is nothing. `root` is a real path itself. Throws `invalid`
 * where that is outside.
 */
export async function realInside(root: string, relative: string, where: string): Promise<string | null> {
  try {
    const real = await realpath(path.join(root, relative));
    if (real !== root && !real.startsWith(`${root}${path.sep}`)) {
      throw invalid(`${where}: ${relative} leads out of the workspace`, where);
    }
    return real;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    if (code === 'ELOOP') throw invalid(`${where}: ${relative} is a link to itself`, where);
    throw error;
  }
}
