/** Work that runs side by side. */
const PARALLEL = 4;

/**
 * At most four at a time. The first failure aborts the others, and is thrown once they have ended: nothing goes on
 * behind a step that is over. Answers in the order of `items`.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  const results: R[] = [];
  const queue = items.entries();
  const worker = async () => {
    for (const [index, item] of queue) {
      either.throwIfAborted();
      results[index] = await work(item, either);
    }
  };
  const workers = Array.from({ length: Math.min(PARALLEL, items.length) }, () =>
    worker().catch((error) => {
      if (!failure.signal.aborted) failure.abort(error);
    }),
  );
  await Promise.all(workers);
  either.throwIfAborted();
  return results;
}
