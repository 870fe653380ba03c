/**
 * Which rows are in sight. The log is `total` rows high ("top" is a position in it, in px); the element that is scrolled is
 * lower where browsers could not make it so high ("scroll" is a position in that). Small moves go as far in the log as in the
 * element; the thumb of the scroll bar jumps in proportion.
 */
export const ROW = 20;
/** Chromium ends an element at 33.5 million px, Firefox at 17.9 million. */
export const MAX_HEIGHT = 8_000_000;
const OVERSCAN = 10;

export interface Geometry {
  /** Rows. */
  total: number;
  /** Height of what is in sight, px. */
  viewport: number;
}

export interface Position {
  top: number;
  scroll: number;
}

export const heightOf = ({ total }: Geometry): number => Math.min(total * ROW, MAX_HEIGHT);
export const maxTop = ({ total, viewport }: Geometry): number => Math.max(0, total * ROW - viewport);
const maxScroll = (geometry: Geometry): number => Math.max(0, heightOf(geometry) - geometry.viewport);
const clamp = (value: number, high: number): number => Math.min(Math.max(value, 0), high);

/** Near both ends one px is one px, so that the first and last rows can be reached by wheel; between, in proportion. */
const edgeOf = (geometry: Geometry): number => Math.min(2 * geometry.viewport, maxScroll(geometry) / 2);

export const toScroll = (top: number, geometry: Geometry): number =>
  mapped(top, maxTop(geometry), maxScroll(geometry), edgeOf(geometry));
export const toTop = (scroll: number, geometry: Geometry): number =>
  mapped(scroll, maxScroll(geometry), maxTop(geometry), edgeOf(geometry));

function mapped(value: number, from: number, to: number, edge: number): number {
  if (value <= edge || from === to) return clamp(value, to);
  if (value >= from - edge) return clamp(to - (from - value), to);
  return edge + ((value - edge) / (from - 2 * edge)) * (to - 2 * edge);
}

export function positionAt(top: number, geometry: Geometry): Position {
  const clamped = clamp(top, maxTop(geometry));
  return { top: clamped, scroll: toScroll(clamped, geometry) };
}

/** After the element was scrolled. Where the answer's `scroll` is another than given, the element is to be put there. */
export function scrolled(before: Position, scroll: number, geometry: Geometry): Position {
  const moved = scroll - before.scroll;
  if (heightOf(geometry) < MAX_HEIGHT || Math.abs(moved) > 2 * geometry.viewport)
    return { top: toTop(scroll, geometry), scroll };
  const top = clamp(before.top + moved, maxTop(geometry));
  const atEnd = scroll <= 0 || scroll >= maxScroll(geometry);
  const isEnd = top === 0 || top === maxTop(geometry);
  return atEnd || isEnd ? positionAt(top, geometry) : { top, scroll };
}

/** The rows to mount, counted from 0, with some on either side of what is in sight. */
export function rowsAt(top: number, { total, viewport }: Geometry): { first: number; count: number } {
  const first = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
  const last = Math.min(total, Math.ceil((top + viewport) / ROW) + OVERSCAN);
  return { first, count: Math.max(0, last - first) };
}

/** Where to scroll so that a row is in the upper third; unchanged where it is in sight. */
export function topShowing(row: number, top: number, { viewport }: Geometry): number {
  const at = row * ROW;
  const inSight = at >= top + ROW && at + 2 * ROW <= top + viewport;
  return inSight ? top : Math.max(0, Math.round((at - viewport / 3) / ROW) * ROW);
}
