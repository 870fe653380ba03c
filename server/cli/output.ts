/** Printing: text for people, one JSON value for scripts. */
import type { Status, StepResult } from '../../pipelines/model.ts';

const ansi = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2, bold: 1 } as const;
export type Style = keyof typeof ansi;

const coloured = Boolean(process.stdout.isTTY) && !process.env.NO_COLOR;
export const paint = (style: Style, text: string): string =>
  coloured ? `\u001b[${ansi[style]}m${text}\u001b[0m` : text;

export const printJson = (value: unknown): void => console.log(JSON.stringify(value, null, 2));

interface Badge {
  mark: string;
  style: Style;
}
const badges: Record<StepResult | Status, Badge> = {
  passed: { mark: '✓', style: 'green' },
  failed: { mark: '✗', style: 'red' },
  errored: { mark: '!', style: 'red' },
  cancelled: { mark: '⊘', style: 'dim' },
  skipped: { mark: '–', style: 'dim' },
  running: { mark: '◔', style: 'cyan' },
  queued: { mark: '◌', style: 'dim' },
  waiting: { mark: '✋', style: 'yellow' },
  finished: { mark: '✓', style: 'green' },
};

/** A shape and a word, coloured on a terminal: `✓ passed`. */
export function state(of: { status: Status; result: StepResult | null }): string {
  const word = of.result ?? of.status;
  return paint(badges[word].style, `${badges[word].mark} ${word}`);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes that `paint` writes
const width = (text: string): number => [...text.replace(/\u001b\[\d+m/g, '')].length;

/** Columns as wide as their widest cell; the last one is not padded. */
export function table(rows: string[][]): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => width(row[i] ?? ''))));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - width(cell)))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

/** `3 min`, `2 h`, `9 d`. */
export function age(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} d`;
}
