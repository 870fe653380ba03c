import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BlobStore } from '../../server/blobs.ts';
import { LogStore } from '../../server/logs.ts';

const REF = { runId: 7, step: 'unit', attempt: 1 };
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
let folder: string;
let logs: LogStore;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'slipway-logs-'));
  logs = new LogStore(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const written = (ref = REF) => readFileSync(path.join(folder, String(ref.runId), `${ref.step}.${ref.attempt}.log`));
async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all).toString();
}

describe('logs', () => {
  test('chunks that are doubled, overlapping and reordered leave the bytes as they were written', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 400 }),
        fc.infiniteStream(fc.nat()),
        fc.nat(1e6),
        async (bytes, numbers, runId) => {
          const ref = { ...REF, runId };
          await logs.release(runId);
          rmSync(path.join(folder, String(runId)), { recursive: true, force: true });
          let length = 0;
          while (length < bytes.length) {
            const at = (numbers.next().value as number) % (bytes.length + 20);
            const size = ((numbers.next().value as number) % 60) + 1;
            const answer = await logs.append(ref, at, bytes.subarray(at, at + size), 0);
            if (at > length) expect(answer).toBe(length);
            length = Math.max(answer, length);
            if (at > length) length = await logs.append(ref, length, bytes.subarray(length, length + size), 0);
          }
          expect(Buffer.compare(written(ref), Buffer.from(bytes))).toBe(0);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('closing checks length and hash, also after a restart in the middle', async () => {
    await logs.append(REF, 0, Buffer.from('hello '), 0);
    const later = new LogStore(folder);
    await later.append(REF, 6, Buffer.from('world'), 0);
    await expect(later.close(REF, 5, 'x')).rejects.toMatchObject({ code: 'conflict' });
    await later.close(REF, 11, sha256(Buffer.from('hello world')));
    await later.close(REF, 11, sha256(Buffer.from('hello world')));
    expect(later.stat(REF)).toEqual({ length: 11, closed: true });
  });

  test('a follower who joins late gets everything from the beginning, and ends when the log is closed', async () => {
    await logs.append(REF, 0, Buffer.from('one\n'), 0);
    const following = textOf(logs.follow(REF, 0, new AbortController().signal, () => false));
    await logs.append(REF, 4, Buffer.from('two\n'), 0);
    await logs.close(REF, 8, sha256(Buffer.from('one\ntwo\n')));
    expect(await following).toBe('one\ntwo\n');
  });

  test('search counts every line that matches and lists the first, with their byte offsets', async () => {
    const text = Array.from({ length: 5000 }, (_, i) => (i % 10 === 3 ? `Error ${i} é` : `fine ${i} é`)).join('\n');
    await logs.append(REF, 0, Buffer.from(text), 0);
    const found = await logs.search(REF, 'error', { limit: 2 });
    expect(found.count).toBe(500);
    expect(found.lines).toEqual([
      { line: 4, offset: Buffer.byteLength('fine 0 é\nfine 1 é\nfine 2 é\n'), text: 'Error 3 é' },
      expect.objectContaining({ line: 14 }),
    ]);
  });

  test('a log nobody wrote is not there, and is searched in vain', async () => {
    expect(logs.stat(REF)).toBeNull();
    expect(await logs.search(REF, 'x', { limit: 1 })).toEqual({ count: 0, lines: [] });
    expect(logs.tail(REF, 100)).toBe('');
  });
});

describe('blobs', () => {
  const chunks = async function* (...parts: string[]) {
    for (const part of parts) yield Buffer.from(part);
  };

  test('are kept by what they hold; storing again is harmless', async () => {
    const blobs = new BlobStore(folder);
    const hash = sha256(Buffer.from('ab'));
    await blobs.put(hash, chunks('a', 'b'));
    await blobs.put(hash, chunks('never read'));
    expect(await textOf(blobs.stream(hash))).toBe('ab');
  });

  test('with another content than their name says are refused and leave nothing', async () => {
    const blobs = new BlobStore(folder);
    const hash = sha256(Buffer.from('ab'));
    await expect(blobs.put(hash, chunks('x'))).rejects.toMatchObject({ code: 'invalid' });
    expect(blobs.has(hash)).toBe(false);
  });

  test.each(['../../etc/passwd', 'abc', ''])('a name such as %j is refused', async (name) => {
    await expect(new BlobStore(folder).put(name, chunks())).rejects.toMatchObject({ code: 'invalid' });
  });
});
