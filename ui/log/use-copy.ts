import { useState } from 'react';
import { segmentsOf, textOf } from './ansi.ts';
import type { LineRange } from './fragment.ts';
import type { LogSource } from './log-source.ts';

const MOST = 1_024;
const SHOWN_DONE = 2_000;

/** Copies the selected lines, as they are read. Browsers give the clipboard to pages of a secure origin only. */
export function useCopy(source: LogSource, range: LineRange | null): { act: (() => void) | null; done: boolean } {
  const [done, setDone] = useState(false);
  async function copy({ from, to }: LineRange) {
    const lines = await source.text(from, Math.min(to, from + MOST - 1));
    await navigator.clipboard.writeText(lines.map((line) => textOf(segmentsOf(line))).join('\n'));
    setDone(true);
    setTimeout(() => setDone(false), SHOWN_DONE);
  }
  return { act: range && navigator.clipboard ? () => void copy(range) : null, done };
}
