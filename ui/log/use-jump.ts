import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { LineRange } from './fragment.ts';
import { topShowing } from './rows.ts';
import type { Follow } from './use-follow.ts';
import type { Scroll } from './use-scroll.ts';

interface Jump {
  /** Where one went last. */
  line: number | null;
  /** `reveal`: the page is scrolled, too, where it does not show the log. */
  to(line: number, reveal?: boolean): void;
}

/** Going to a line: also one that an address names, before the log is there. */
export function useJump(
  box: RefObject<HTMLElement | null>,
  scroll: Scroll,
  follow: Follow,
  range: LineRange | null,
): Jump {
  const [target, setTarget] = useState<{ line: number; reveal: boolean } | null>(null);
  const picked = range?.from ?? null;
  const { geometry, position, scrollTo } = scroll;
  const ready = geometry.viewport > 0 && geometry.total > 0;
  const latest = useRef({ geometry, position, follow });
  latest.current = { geometry, position, follow };

  const to = useCallback((line: number, reveal = true) => setTarget({ line, reveal }), []);
  useEffect(() => {
    if (picked !== null) to(picked);
  }, [picked, to]);
  useLayoutEffect(() => {
    if (!target || !ready) return;
    const now = latest.current;
    now.follow.stop();
    scrollTo(topShowing(target.line - 1, now.position.top, now.geometry));
    if (target.reveal) box.current?.scrollIntoView({ block: 'nearest' });
  }, [box, target, ready, scrollTo]);
  return { line: target?.line ?? null, to };
}
