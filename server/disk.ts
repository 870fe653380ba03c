import { statfs } from 'node:fs/promises';

/** Below this nothing new is taken in. */
export const MIN_FREE = 1 << 30;

/** Watches the free space below the data folder, so that a nearly full disk stops intake before it breaks the database. */
export class DiskGuard {
  readonly #folder: string;
  #free = Number.POSITIVE_INFINITY;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async check(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#folder);
    this.#free = bavail * bsize;
  }

  /** Bytes, as of the last check. */
  get free(): number {
    return this.#free;
  }

  get open(): boolean {
    return this.#free >= MIN_FREE;
  }
}
