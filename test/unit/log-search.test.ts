import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { complaints, containing, searchLog } from '../../server/log-search.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'slipway-search-'));
  file = path.join(folder, 'log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('searching a log', () => {
  test('finds what looking at each line finds', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom('a', 'AB', 'b', 'é', 'İ', ''), { maxLength: 40 }), async (words) => {
        const lines = Array.from({ length: 8 }, (_, i) => words.filter((_, at) => at % 8 === i).join(''));
        writeFileSync(file, lines.join('\n'));
        const expected = lines.flatMap((text, i) => (text.toLowerCase().includes('ab') ? [i + 1] : []));
        const found = await searchLog(file, containing('Ab'), { limit: 100 });
        expect(found.count).toBe(expected.length);
        expect(found.lines.map(({ line }) => line)).toEqual(expected);
        for (const { line, offset, text } of found.lines) {
          expect(text).toBe(lines[line - 1]);
          expect(offset).toBe(
            Buffer.byteLength(
              lines
                .slice(0, line - 1)
                .map((each) => `${each}\n`)
                .join(''),
            ),
          );
        }
      }),
    );
  });

  test('counts a line of many megabytes once, also where the match lies across the pieces it is read in', async () => {
    const piece = 1 << 20;
    const long = `${'.'.repeat(piece - 3)}needle${'.'.repeat(3 * piece)}needle${'.'.repeat(piece)}`;
    writeFileSync(file, `first\n${long}\nneedle at the end\n`);
    const { count, lines } = await searchLog(file, containing('needle'), { limit: 10 });
    expect(count).toBe(2);
    expect(lines.map(({ line, offset }) => [line, offset])).toEqual([
      [2, 6],
      [3, 6 + long.length + 1],
    ]);
  });

  test('lists what comes after a line, and still counts all', async () => {
    writeFileSync(file, 'x\n'.repeat(100));
    const { count, lines } = await searchLog(file, containing('x'), { limit: 2, from: 51 });
    expect(count).toBe(100);
    expect(lines.map(({ line }) => line)).toEqual([51, 52]);
  });
});

describe('a line that looks like an error', () => {
  const isOne = async (line: string): Promise<boolean> => {
    writeFileSync(file, `${line}\n`);
    return (await searchLog(file, complaints, { limit: 1 })).count === 1;
  };

  test.each([
    'cart.ts(7,3): error TS2322: no such thing',
    '\x1b[31mERROR\x1b[0m in the middle',
    'java.lang.NullPointerException: x',
    'Traceback (most recent call last):',
    '--- FAIL: TestCart (0.00s)',
    'make: *** [Makefile:3: all] Error 2',
    'sh: frobnicate: not found',
    '✗ adds to the cart',
    'npm ERR! code ERESOLVE error',
  ])('%s', async (line) => expect(await isOne(line)).toBe(true));

  test.each([
    '0 errors so far',
    'Tests: 12 passed, 0 failed',
    'finished without errors',
    '<img onerror="x">',
    'errors: 0',
    'compiling error-handler.ts… done'.replace('error-handler', 'mirror'),
  ])('not: %s', async (line) => expect(await isOne(line)).toBe(false));
});
