import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { type Geometry, maxTop, type Position, positionAt, scrolled } from './rows.ts';

/** The thumb is put where it belongs once the wheel has come to rest. */
const REST = 150;

export interface Scroll {
  geometry: Geometry;
  position: Position;
  /** To be called when the element was scrolled; answers how far the log moved, px. */
  onScroll(): number;
  scrollTo(top: number): void;
}

/** Keeps the position in a log of `total` rows together with the scroll position of `element`. */
export function useScroll(element: RefObject<HTMLElement | null>, total: number): Scroll {
  const [viewport, setViewport] = useState(0);
  const [position, setPosition] = useState<Position>({ top: 0, scroll: 0 });
  const now = useRef(position);
  /** Where the element is to be put; null while the reader moves it, whom that would stop. */
  const demanded = useRef<number | null>(null);
  const rest = useRef<ReturnType<typeof setTimeout>>(undefined);
  const geometry = { total, viewport };
  const latest = useRef(geometry);
  latest.current = geometry;

  const put = useCallback(
    (next: Position) => {
      if (Math.abs((element.current?.scrollTop ?? 0) - next.scroll) >= 1) demanded.current = next.scroll;
      now.current = next;
      setPosition(next);
    },
    [element],
  );

  useLayoutEffect(() => {
    const box = element.current;
    if (!box) return;
    setViewport(box.clientHeight);
    const observer = new ResizeObserver(() => {
      const { top } = now.current;
      const atEnd = top > 0 && top >= maxTop(latest.current);
      latest.current = { ...latest.current, viewport: box.clientHeight };
      setViewport(box.clientHeight);
      // Who is at the end stays there: what one came to see would go below the edge.
      if (atEnd) put(positionAt(Number.POSITIVE_INFINITY, latest.current));
    });
    observer.observe(box);
    return () => observer.disconnect();
  }, [element, put]);
  useEffect(() => () => clearTimeout(rest.current), []);

  // After rendering, when the element is as high as it has to be.
  // biome-ignore lint/correctness/useExhaustiveDependencies: a demand comes with a new position
  useLayoutEffect(() => {
    if (element.current && demanded.current !== null) element.current.scrollTop = demanded.current;
    demanded.current = null;
  }, [element, position]);

  const scrollTo = useCallback((top: number) => put(positionAt(top, latest.current)), [put]);
  const onScroll = useCallback(() => {
    const box = element.current;
    const before = now.current;
    // Our own doing, which browsers round.
    if (!box || Math.abs(box.scrollTop - before.scroll) < 1) return 0;
    put(scrolled(before, box.scrollTop, latest.current));
    clearTimeout(rest.current);
    rest.current = setTimeout(() => put(positionAt(now.current.top, latest.current)), REST);
    return now.current.top - before.top;
  }, [element, put]);
  return { geometry, position, onScroll, scrollTo };
}
