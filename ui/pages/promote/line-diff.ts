/** Which lines of a text went and which came: the longest common subsequence, as `diff` does it. */
export interface Line {
  sign: '+' | '-' | ' ';
  text: string;
  /** Number of the line in its text, from 0. */
  at: number;
}

/** Lines kept in sight around a change. */
const AROUND = 2;
/** Longer texts are shown as replaced: the table grows with the product. */
const LARGEST = 4_000_000;

/** Changed lines with a few around them; empty where the texts are equal. */
export function lineDiff(from: string, to: string): Line[] {
  if (from === to) return [];
  const [a, b] = [from.split('\n'), to.split('\n')];
  const lines = a.length * b.length > LARGEST ? replaced(a, b) : walk(a, b, lengths(a, b));
  return lines.filter((_, index) => lines.slice(Math.max(0, index - AROUND), index + AROUND + 1).some(isChange));
}

const isChange = ({ sign }: Line): boolean => sign !== ' ';

const replaced = (a: string[], b: string[]): Line[] => [
  ...a.map((text, at) => ({ sign: '-' as const, text, at })),
  ...b.map((text, at) => ({ sign: '+' as const, text, at })),
];

/** `[i * width + j]`: length of the longest common subsequence of `a` from i and `b` from j. */
function lengths(a: string[], b: string[]): Uint32Array {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => table[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      table[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  return table;
}

function walk(a: string[], b: string[], table: Uint32Array): Line[] {
  const width = b.length + 1;
  const at = (i: number, j: number) => table[i * width + j] ?? 0;
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]];
    if (left !== undefined && left === right) {
      lines.push({ sign: ' ', text: left, at: i });
      i += 1;
      j += 1;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push({ sign: '-', text: left, at: i });
      i += 1;
    } else {
      lines.push({ sign: '+', text: right ?? '', at: j });
      j += 1;
    }
  }
  return lines;
}
