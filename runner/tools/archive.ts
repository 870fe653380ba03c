/** Files in and out of containers, as the tar streams that the engine's API speaks. */
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import tar from 'tar-stream';
import { AppError } from '../../pipelines/errors.ts';

export interface ArchiveFile {
  /** `/`-separated, relative to the folder that is packed or read. */
  path: string;
  content: Buffer;
  mode?: number;
}

export interface ArchiveFolder {
  path: string;
  folder: true;
  mode: number;
  owner: { uid: number; gid: number };
}

/** What an entry of an archive takes beside its content. */
const BLOCK = 512;

/** A tar stream of these; folders are given to their owner even where they exist. */
export function pack(entries: readonly (ArchiveFile | ArchiveFolder)[]): Readable {
  const stream = tar.pack();
  for (const entry of entries) {
    if ('folder' in entry) stream.entry({ name: entry.path, type: 'directory', mode: entry.mode, ...entry.owner });
    else stream.entry({ name: entry.path, mode: entry.mode ?? 0o644 }, entry.content);
  }
  stream.finalize();
  return stream as unknown as Readable;
}

/**
 * The regular files below `path` of a container, running or not, one at a time; links and devices are passed over.
 * A path that is not there has no files. Throws `too_large` beyond `maxBytes` in total.
 */
export async function* readFromContainer(
  container: Docker.Container,
  path: string,
  maxBytes: number,
  signal?: AbortSignal,
): AsyncGenerator<ArchiveFile> {
  const stream = await getArchive(container, path, signal);
  if (!stream) return;
  const extract = tar.extract();
  stream.on('error', (error) => extract.destroy(error)).pipe(extract);
  try {
    let total = 0;
    for await (const entry of extract) {
      const { name, type, size = 0, mode } = entry.header;
      // Empty files cost something, too: there may be millions of them.
      total += size + BLOCK;
      if (total > maxBytes) throw new AppError('too_large', `${path} holds more than ${maxBytes} bytes`);
      if (type !== 'file') {
        entry.resume();
        continue;
      }
      const content = await buffer(entry);
      yield { path: withoutTop(name), content, ...(mode === undefined ? {} : { mode }) };
    }
  } finally {
    (stream as Readable).destroy();
  }
}

/** The engine names entries after the last part of the path that was asked for; for a single file that is all there is. */
const withoutTop = (name: string): string => (name.includes('/') ? name.slice(name.indexOf('/') + 1) : name);

async function getArchive(
  container: Docker.Container,
  path: string,
  signal?: AbortSignal,
): Promise<NodeJS.ReadableStream | null> {
  try {
    return await container.getArchive({ path, ...(signal ? { abortSignal: signal } : {}) });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return null;
    throw error;
  }
}
