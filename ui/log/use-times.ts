import { useState } from 'react';
import type { LogSource } from './log-source.ts';
import { clockInWords, elapsedInWords } from './units.ts';

export const TIMES = ['off', 'elapsed', 'absolute'] as const;
export type Times = (typeof TIMES)[number];

const STORED = 'slipway.log.times';

/** How the reader likes the times of lines; kept in the browser. */
export function useTimes(): [times: Times, choose: (times: Times) => void] {
  const [times, setTimes] = useState<Times>(() => TIMES.find((each) => each === localStorage.getItem(STORED)) ?? 'off');
  const choose = (next: Times) => {
    localStorage.setItem(STORED, next);
    setTimes(next);
  };
  return [times, choose];
}

export const nextTimes = (times: Times): Times => TIMES[(TIMES.indexOf(times) + 1) % TIMES.length] ?? 'off';

/** Null where no times are shown, '' where this line's is not known. Elapsed is since the first line came in. */
export function timeOf(source: LogSource, number: number, times: Times): string | null {
  if (times === 'off') return null;
  const at = source.line(number)?.at ?? null;
  if (at === null) return '';
  return times === 'absolute' ? clockInWords(at) : elapsedInWords(at - (source.startedAt ?? at));
}
