import type { Queue } from '../../pipelines/ports.ts';

/** In memory, within one process. What is lost with it is found again by the reaper. */
export class LocalQueue implements Queue {
  readonly #consumers = new Set<{ pools: string[]; handle: () => void }>();

  dispatch(hint: { runId: number; attempt: number; pool: string }): void {
    for (const { pools, handle } of this.#consumers) if (pools.includes(hint.pool)) setImmediate(handle);
  }

  consume(pools: string[], handle: () => void): void {
    this.#consumers.add({ pools, handle });
  }

  async close(): Promise<void> {
    this.#consumers.clear();
  }
}
