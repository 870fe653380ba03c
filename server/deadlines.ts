import type { Clock } from '../pipelines/ports.ts';

/** Named deadlines on the monotonic clock. Arming a name again moves it. They live in memory: a restart arms them anew. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #armed = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  arm(name: string, ms: number, call: () => void): void {
    this.disarm(name);
    const cancel = this.#clock.after(ms, () => {
      this.#armed.delete(name);
      call();
    });
    this.#armed.set(name, cancel);
  }

  disarm(...names: string[]): void {
    for (const name of names) {
      this.#armed.get(name)?.();
      this.#armed.delete(name);
    }
  }

  clear(): void {
    this.disarm(...this.#armed.keys());
  }
}
