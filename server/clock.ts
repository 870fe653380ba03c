import type { Clock } from '../pipelines/ports.ts';

/** The machine's clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
  after: (ms, call) => {
    // A timer holds 31 bits of milliseconds, about 24 days.
    const timer = setTimeout(call, Math.min(Math.max(ms, 0), 2 ** 31 - 1));
    timer.unref();
    return () => clearTimeout(timer);
  },
};
