import { useCallback, useEffect, useLayoutEffect, useRef, useState } from 'react';
import type { LineRange } from './fragment.ts';
import { topShowing } from './rows.ts';
import type { Follow } from './use-follow.ts';
import type { Scroll } from './use-scroll.ts';

/** Going to a line: also one that an address names, before the log is there. `line` is where one went last. */
export function useJump(
  scroll: Scroll,
  follow: Follow,
  range: LineRange | null,
): { line: number | null; to(line: number): void } {
  const [target, setTarget] = useState<{ line: number } | null>(null);
  const picked = range?.from ?? null;
  const { geometry, position, scrollTo } = scroll;
  const ready = geometry.viewport > 0 && geometry.total > 0;
  const latest = useRef({ geometry, position, follow });
  latest.current = { geometry, position, follow };

  const to = useCallback((line: number) => setTarget({ line }), []);
  useEffect(() => {
    if (picked !== null) to(picked);
  }, [picked, to]);
  useLayoutEffect(() => {
    if (!target || !ready) return;
    const now = latest.current;
    now.follow.stop();
    scrollTo(topShowing(target.line - 1, now.position.top, now.geometry));
  }, [target, ready, scrollTo]);
  return { line: target?.line ?? null, to };
}
