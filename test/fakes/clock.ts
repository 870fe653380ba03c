import type { Clock } from '../../pipelines/ports.ts';

/** A clock that moves only when told. Timers due on the way are called in their order. */
export class FakeClock implements Clock {
  #wall: number;
  #mono = 0;
  #timers: { at: number; call: () => void }[] = [];

  constructor(wall = Date.parse('2026-01-01T00:00:00Z')) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  mono(): number {
    return this.#mono;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.#mono + Math.max(0, ms), call };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  /** Moves both clocks on. */
  advance(ms: number): void {
    const end = this.#mono + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#wall += next.at - this.#mono;
      this.#mono = next.at;
      next.call();
    }
    this.#wall += end - this.#mono;
    this.#mono = end;
  }

  /** The wall clock alone jumps, as when somebody sets it. */
  jump(ms: number): void {
    this.#wall += ms;
  }
}
