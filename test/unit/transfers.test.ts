import { expect, it } from 'vitest';
import { deadline } from '../../runner/tools/deadline.ts';
import { endTransfers, longTransfer, unlessAborted } from '../../runner/tools/transfers.ts';

const URL = 'https://git.example/large.git';

it('who waits no longer is told, and the transfer goes on for those who ask next', async () => {
  let finish = (_: string) => {};
  const transfer = longTransfer(
    () =>
      new Promise<string>((resolve) => {
        finish = resolve;
      }),
  );
  const { signal } = deadline(1);
  await expect(unlessAborted(transfer, signal, URL)).rejects.toMatchObject({
    fault: 'timeout',
    message: expect.stringContaining('still being fetched'),
  });
  await expect(unlessAborted(transfer, AbortSignal.abort(new Error('cancelled')), URL)).rejects.toThrow('cancelled');
  const next = unlessAborted(transfer, new AbortController().signal, URL);
  finish('there');
  expect(await next).toBe('there');
});

it('a failure reaches who waits, and troubles nobody where nobody does', async () => {
  const fail = () => longTransfer(() => Promise.reject(new Error('refused')));
  await expect(unlessAborted(fail(), new AbortController().signal, URL)).rejects.toThrow('refused');
  await expect(unlessAborted(fail(), AbortSignal.abort(new Error('gone')), URL)).rejects.toThrow('gone');
});

it('all end when the process is to end, and that waits for them', async () => {
  let ended = false;
  longTransfer(
    (signal) =>
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () =>
          setTimeout(() => {
            ended = true;
            resolve();
          }, 5),
        );
      }),
  );
  await endTransfers();
  expect(ended).toBe(true);
});
