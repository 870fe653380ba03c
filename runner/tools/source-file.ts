/** Reading one file of a repository. */
import { posix } from 'node:path';
import { invalid } from '../../pipelines/errors.ts';

/** Bytes of a file that is read. */
export const MAX_FILE = 256 * 1024;
const KEPT_FILES = 32;

/** The path without `./` and doubled slashes. Throws `invalid` (field `path`) unless it is of a file inside. */
export function checkPath(path: string): string {
  const normal = posix.normalize(path);
  if (
    path === '' ||
    path.includes('\0') ||
    normal.startsWith('/') ||
    normal.split('/').includes('..') ||
    normal.endsWith('/') ||
    normal === '.'
  ) {
    throw invalid(`"${path.replaceAll('\0', '?')}" is not the path of a file inside the repository`, 'path');
  }
  return normal;
}

/** Texts of files at exact revisions, which never change: retries and further builds of a revision ask for them again. */
export class KeptFiles {
  readonly #texts = new Map<string, string>();

  get(key: string): string | undefined {
    return this.#texts.get(key);
  }

  keep(key: string, text: string): void {
    const [oldest] = this.#texts.keys();
    if (oldest !== undefined && this.#texts.size >= KEPT_FILES) this.#texts.delete(oldest);
    this.#texts.set(key, text);
  }
}
