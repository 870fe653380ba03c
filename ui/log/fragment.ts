/** `#unit:L733-L740`: lines of a step's log in an address. */
export interface LineRange {
  from: number;
  to: number;
}

export function parseFragment(hash: string, name: string): LineRange | null {
  const [, found, from, to = from] = /^#(.+):L(\d{1,12})(?:-L?(\d{1,12}))?$/.exec(decodeURIComponent(hash)) ?? [];
  if (found !== name) return null;
  const [low = 0, high = 0] = [Number(from), Number(to)].sort((a, b) => a - b);
  return low > 0 ? { from: low, to: high } : null;
}

export const fragmentOf = (name: string, { from, to }: LineRange): string =>
  `#${name}:L${from}${to === from ? '' : `-L${to}`}`;

/** The step that an address points into. */
export const nameInFragment = (hash: string): string | null => /^#([a-z][a-z0-9-]*):L\d/.exec(hash)?.[1] ?? null;

/** With shift, from where the range begins to the line that was clicked. */
export function extended(range: LineRange | null, line: number): LineRange {
  if (!range) return { from: line, to: line };
  return line < range.from ? { from: line, to: range.to } : { from: range.from, to: line };
}
