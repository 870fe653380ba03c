import { type KeyboardEvent, type RefObject, useEffect } from 'react';
import css from './log.module.css';
import { LogLine } from './log-line.tsx';
import type { LogSource } from './log-source.ts';
import { heightOf, ROW, rowsAt } from './rows.ts';
import type { Address } from './use-address.ts';
import type { Scroll } from './use-scroll.ts';
import { type Times, timeOf } from './use-times.ts';
import type { LogText } from './words.ts';

interface Props {
  t: LogText;
  box: RefObject<HTMLDivElement | null>;
  source: LogSource;
  scroll: Scroll;
  times: Times;
  query: string;
  address: Address;
  current: number | null;
  onMoved(by: number): void;
  onMore(number: number): void;
}

const ENDS: Record<string, number> = { Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY };

/** The rows in sight, in an element as high as all of them would be. */
export function LogRows({ t, box, source, scroll, times, query, address, current, onMoved, onMore }: Props) {
  const { geometry, position, onScroll, scrollTo } = scroll;
  const { first, count } = rowsAt(position.top, geometry);
  const { range } = address;
  useEffect(() => source.want(first + 1, first + count), [source, first, count]);
  // At once: browsers glide there, through millions of lines.
  const press = (event: KeyboardEvent) => {
    const end = ENDS[event.key];
    if (end === undefined || event.target !== box.current) return;
    event.preventDefault();
    scrollTo(end);
    onMoved(end);
  };
  const numbers = Array.from({ length: count }, (_, index) => first + index + 1);
  const offset = Math.round(position.scroll - (position.top - first * ROW));
  return (
    <div
      ref={box}
      className={css.rows}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, and must do so by keyboard
      tabIndex={0}
      role="log"
      aria-live="off"
      onScroll={() => onMoved(onScroll())}
      onKeyDown={press}
    >
      <div className={css.height} style={{ height: heightOf(geometry) }}>
        <div className={css.window} style={{ transform: `translateY(${offset}px)` }}>
          {numbers.map((number) => (
            <LogLine
              key={number}
              number={number}
              line={source.line(number)}
              time={timeOf(source, number, times)}
              query={query}
              selected={range !== null && number >= range.from && number <= range.to}
              current={number === current}
              href={address.hrefOf(number)}
              t={t}
              onPick={address.pick}
              onMore={onMore}
            />
          ))}
        </div>
      </div>
    </div>
  );
}
