/** A limit of time for one piece of work. */
export interface Deadline {
  signal: AbortSignal;
  /** The work is done: nothing is waited for any longer. */
  clear(): void;
}

/**
 * Its signal aborts as soon as one of `signals` does, with its reason, and otherwise after `ms`, with a `TimeoutError` as that of
 * `AbortSignal.timeout`. Does not keep the process alive.
 *
 * `AbortSignal.any([…, AbortSignal.timeout(ms)])` will not do: in Node 20 a combined signal refers to its sources weakly, so that
 * the timeout is garbage at once, and once it has been collected it never comes.
 */
export function deadline(ms: number, ...signals: AbortSignal[]): Deadline {
  const either = new AbortController();
  const listening = new AbortController();
  const stop = (reason: unknown) => {
    clear();
    either.abort(reason);
  };
  const over = () => stop(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
  const timer = setTimeout(over, ms);
  timer.unref();
  const clear = () => {
    clearTimeout(timer);
    listening.abort();
  };
  for (const signal of signals) {
    if (signal.aborted) stop(signal.reason);
    else signal.addEventListener('abort', () => stop(signal.reason), { once: true, signal: listening.signal });
  }
  return { signal: either.signal, clear };
}
