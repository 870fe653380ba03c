import { useLayoutEffect, useState } from 'react';
import { maxTop, ROW } from './rows.ts';
import type { Scroll } from './use-scroll.ts';

export interface Follow {
  following: boolean;
  /** Lines that came since the reader scrolled up. */
  unseen: number;
  start(): void;
  stop(): void;
  /** The reader scrolled so far. */
  moved(by: number): void;
}

/** Stays at the end of a log that grows. Scrolling up stops it, scrolling to the end starts it again. */
export function useFollow(scroll: Scroll, total: number, live: boolean, atFirst: boolean): Follow {
  const [stoppedAt, setStoppedAt] = useState<number | null>(atFirst ? null : 0);
  const { scrollTo, geometry, position } = scroll;
  const { viewport } = geometry;
  const following = live && stoppedAt === null;
  useLayoutEffect(() => {
    if (following && total > 0 && viewport > 0) scrollTo(Number.POSITIVE_INFINITY);
  }, [following, total, viewport, scrollTo]);

  const start = () => {
    setStoppedAt(null);
    scrollTo(Number.POSITIVE_INFINITY);
  };
  const stop = () => setStoppedAt((before) => before ?? total);
  return {
    following,
    unseen: stoppedAt === null || stoppedAt === 0 ? 0 : total - stoppedAt,
    start,
    stop,
    moved(by) {
      if (by < 0) stop();
      else if (by > 0 && live && position.top + by >= maxTop(geometry) - ROW) setStoppedAt(null);
    },
  };
}
