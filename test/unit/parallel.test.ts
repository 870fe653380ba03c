import { expect, test } from 'vitest';
import { inTurn } from '../../runner/steps/turns.ts';
import { inParallel } from '../../runner/tools/parallel.ts';

const never = new AbortController().signal;

function textLog() {
  const lines: string[] = [];
  return {
    lines,
    write: (bytes: Uint8Array) => void lines.push(Buffer.from(bytes).toString()),
    notice: (text: string) => void lines.push(`» ${text}`),
  };
}

test('at most four at a time; answers in the order of what was asked', async () => {
  let running = 0;
  let most = 0;
  const squares = await inParallel([1, 2, 3, 4, 5, 6, 7], never, async (number) => {
    most = Math.max(most, ++running);
    await new Promise(setImmediate);
    running--;
    return number * number;
  });
  expect(squares).toEqual([1, 4, 9, 16, 25, 36, 49]);
  expect(most).toBe(4);
});

test('the first failure aborts the others, and is thrown when they have ended', async () => {
  const ended: string[] = [];
  const work = (item: string, signal: AbortSignal) =>
    new Promise((_, reject) => {
      if (item === 'bad') return reject(new Error('bad'));
      signal.addEventListener('abort', () => {
        ended.push(item);
        reject(signal.reason);
      });
    });
  await expect(inParallel(['a', 'b', 'bad', 'c', 'late'], never, work)).rejects.toThrow('bad');
  expect(ended).toEqual(['a', 'b', 'c']);
});

test('lines come in the order of the items, as soon as those before have ended', () => {
  const log = textLog();
  const [first, second, third] = inTurn(log, ['a', 'b', 'c']);
  third?.notice('c');
  second?.write(Buffer.from('b'));
  first?.notice('a');
  expect(log.lines).toEqual(['» a']);
  third?.end();
  first?.end();
  expect(log.lines).toEqual(['» a', 'b']);
  second?.notice('a');
  second?.notice('more');
  second?.end();
  expect(log.lines).toEqual(['» a', 'b', '» more', '» c']);
});
