import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { describe, expect, test } from 'vitest';
import { deadline } from '../../runner/tools/deadline.ts';

v8.setFlagsFromString('--expose_gc');
const collect = vm.runInNewContext('gc') as () => void;

describe('a deadline', () => {
  test('comes, also where garbage is collected meanwhile', async () => {
    const { signal } = deadline(100, new AbortController().signal);
    const came = new Promise<unknown>((resolve) =>
      signal.addEventListener('abort', () => resolve((signal.reason as Error).name)),
    );
    for (let round = 0; round < 5; round += 1) {
      collect();
      await sleep(10);
    }
    expect(await came).toBe('TimeoutError');
  });

  test('ends sooner with the reason of another signal, and keeps the first reason', async () => {
    const stop = new AbortController();
    const { signal } = deadline(20, stop.signal);
    stop.abort(new Error('stopped by a test'));
    expect(signal.reason).toMatchObject({ message: 'stopped by a test' });
    await sleep(40);
    expect(signal.reason).toMatchObject({ message: 'stopped by a test' });
  });

  test('that was cleared never comes', async () => {
    const stop = new AbortController();
    const { signal, clear } = deadline(10, stop.signal);
    clear();
    stop.abort();
    await sleep(30);
    expect(signal.aborted).toBe(false);
  });

  test('has come where the other signal had', () => {
    expect(deadline(60_000, AbortSignal.abort(new Error('before'))).signal.reason).toMatchObject({ message: 'before' });
  });
});
