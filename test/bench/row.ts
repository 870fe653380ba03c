/** A line of the table. */
import type { Installation } from './installation.ts';
import type { Spread } from './measure.ts';

export interface Row {
  name: string;
  /** What is done, and from where to where it is timed. */
  work: string;
  /** The same by a plain shell script; null where there is no such thing. In ms. */
  bare: Spread | null;
  ours: Spread;
  unit: 'ms' | 'MB' | '%';
  /** What is judged: `ratio` to bare, or our own median. */
  figure: { kind: 'ratio' | 'ms' | 'ms more' | 'MB' | '%'; value: number; atMost: number };
  notes: string[];
}

export interface Bench {
  name: string;
  measure(bench: { installation(): Promise<Installation>; runs: number }): Promise<Row[]>;
}
