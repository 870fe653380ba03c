/** Transfers that may take longer than whoever began them waits. */
import { RemoteError } from '../../pipelines/errors.ts';

const closing = new AbortController();
const open = new Set<Promise<unknown>>();

/** Runs `work` with a signal that aborts when the process is to end, and not before. */
export function longTransfer<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const transfer = work(closing.signal);
  const settled: Promise<unknown> = transfer.then(
    () => open.delete(settled),
    () => open.delete(settled),
  );
  open.add(settled);
  return transfer;
}

/** Ends them all, and resolves when no process of theirs is left. None can be begun afterwards. */
export async function endTransfers(): Promise<void> {
  closing.abort(new Error('shutting down'));
  await Promise.all(open);
}

/**
 * Waits for the transfer, or until `signal` aborts; then the transfer goes on, and its failure is nobody's. Throws `RemoteError`
 * where the time to wait was over.
 */
export function unlessAborted<T>(transfer: Promise<T>, signal: AbortSignal, url: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(isTimeout(signal.reason) ? stillAtIt(url) : signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    transfer.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

const isTimeout = (reason: unknown): boolean => reason instanceof Error && reason.name === 'TimeoutError';

const stillAtIt = (url: string): RemoteError =>
  new RemoteError('repository', 'timeout', `the repository ${url} is still being fetched: try again in a while`);
