import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LINE_BYTES } from '../../server/log-index.ts';
import { LogStore } from '../../server/logs.ts';

const REF = { runId: 7, step: 'unit', attempt: 1 };
let folder: string;
let file: string;
let logs: LogStore;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'slipway-lines-'));
  mkdirSync(path.join(folder, '7'));
  file = path.join(folder, '7', 'unit.1.log');
  logs = new LogStore(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function print(text: string | Buffer): void {
  appendFileSync(file, text);
  appendFileSync(`${file}.times`, '');
}
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `line ${from + i}\n`).join('');
const textOf = async (from: number, to: number, store = logs) =>
  (await store.lines(REF, from, to)).items.map(({ text }) => text);

describe('the lines of a log', () => {
  test('are those that splitting the text gives, wherever they are read and however the log grew', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('\n', 'a', 'bc\n', 'é', '\n\n\n', 'x'.repeat(300), '\n'.repeat(260)), {
          maxLength: 30,
        }),
        fc.nat(2_000),
        fc.nat(300),
        async (parts, skip, count) => {
          for (const each of [file, `${file}.times`, `${file}.lines`]) rmSync(each, { force: true });
          const store = new LogStore(folder);
          for (const part of parts) {
            print(part);
            await store.count(REF);
          }
          const text = parts.join('');
          const lines = text.split('\n');
          if (lines.at(-1) === '') lines.pop();
          for (const reader of [store, new LogStore(folder)]) {
            expect(await reader.count(REF)).toMatchObject({ lines: lines.length, bytes: Buffer.byteLength(text) });
            if (parts.length > 0)
              expect(await textOf(skip + 1, skip + 1 + count, reader)).toEqual(lines.slice(skip, skip + 1 + count));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test('are found again by another process from what lies beside the log', async () => {
    print(numbered(1, 1000));
    await logs.count(REF);
    expect(readFileSync(`${file}.lines`)).toHaveLength(3 * 8);
    const later = new LogStore(folder);
    print(numbered(1001, 1030));
    expect(await textOf(1023, 1026, later)).toEqual(['line 1023', 'line 1024', 'line 1025', 'line 1026']);
    expect(readFileSync(`${file}.lines`)).toHaveLength(4 * 8);
  });

  test.each([
    ['is ahead of the log', () => truncateSync(file, 900)],
    ['was cut in the middle', () => truncateSync(`${file}.lines`, 13)],
    ['is not about this log', () => writeFileSync(`${file}.lines`, Buffer.alloc(24, 1))],
  ])('are counted anew where the index %s', async (_, spoil) => {
    print(numbered(1, 1000));
    await logs.count(REF);
    spoil();
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    const later = new LogStore(folder);
    expect((await later.count(REF)).lines).toBe(lines.length);
    expect(await textOf(lines.length, lines.length, later)).toEqual(lines.slice(-1));
  });

  test('that are very long are cut between characters, and say how long they are', async () => {
    print(`short\n${'é'.repeat(LINE_BYTES)}!\nafter\n`);
    const { items } = await logs.lines(REF, 1, 3);
    expect(items.map(({ text }) => text)).toEqual(['short', 'é'.repeat(LINE_BYTES / 2), 'after']);
    expect(items[1]).toMatchObject({ offset: 6, bytes: 2 * LINE_BYTES + 1 });
  });

  test('bear the time when their first byte came in', async () => {
    await logs.append(REF, 0, Buffer.from('one\ntwo\nth'), 1000);
    await logs.append(REF, 10, Buffer.from('ree\nfour\n'), 2000);
    const { items } = await logs.lines(REF, 1, 4);
    expect(items.map(({ at }) => at)).toEqual([1000, 1000, 1000, 2000]);
    await logs.release(REF.runId);
  });

  test('are told while the log grows, until no more will come', async () => {
    let over = false;
    const told: number[] = [];
    for await (const { lines } of logs.watch(REF, new AbortController().signal, () => over)) {
      told.push(lines);
      if (lines < 3) await logs.append(REF, lines * 2, Buffer.from('x\n'), 0);
      else over = true;
    }
    expect(told).toEqual([0, 1, 2, 3]);
    await logs.release(REF.runId);
  });
});
