/** Files by content: release files and artifacts. Written to a temporary name, checked, then moved: what is there is whole. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { invalid, notFound } from '../pipelines/errors.ts';

const SHA256 = /^[0-9a-f]{64}$/;

export class BlobStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  #path(sha256: string): string {
    if (!SHA256.test(sha256)) throw invalid('a blob is named by the 64 hex digits of its sha256', 'sha256');
    return path.join(this.#folder, sha256.slice(0, 2), sha256);
  }

  has(sha256: string): boolean {
    return existsSync(this.#path(sha256));
  }

  async put(sha256: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const file = this.#path(sha256);
    if (existsSync(file)) return;
    await mkdir(path.dirname(file), { recursive: true });
    const draft = path.join(this.#folder, `draft-${randomUUID()}`);
    try {
      const actual = await writeHashed(draft, content);
      if (actual !== sha256) throw invalid(`the content has sha256 ${actual}, not ${sha256}`, 'sha256');
      await rename(draft, file);
    } finally {
      await rm(draft, { force: true });
    }
  }

  stream(sha256: string): Readable {
    const file = this.#path(sha256);
    if (!existsSync(file)) throw notFound(`there is no file with sha256 ${sha256}`);
    return createReadStream(file);
  }
}

async function writeHashed(file: string, content: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(file, 'wx');
  try {
    for await (const chunk of content) {
      hash.update(chunk);
      await handle.write(chunk);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return hash.digest('hex');
}
