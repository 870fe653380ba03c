/** Times as people say them; the exact one is a hover away. */
import { useSyncExternalStore } from 'react';
import { useLanguage } from '../i18n/text.tsx';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Epoch ms, told once a second to whoever shows it. */
export function useNow(): number {
  return useSyncExternalStore(onTick, currentSecond);
}
const currentSecond = () => Math.floor(Date.now() / SECOND) * SECOND;
function onTick(changed: () => void): () => void {
  const timer = setInterval(changed, SECOND);
  return () => clearInterval(timer);
}

/** How long ago. */
export function Ago({ at }: { at: string }) {
  const { language } = useLanguage();
  const past = Date.parse(at) - useNow();
  return (
    <time dateTime={at} title={new Date(at).toLocaleString(language)}>
      {relative(past, language)}
    </time>
  );
}

function relative(difference: number, language: string): string {
  const format = new Intl.RelativeTimeFormat(language, { numeric: 'auto', style: 'short' });
  const size = Math.abs(difference);
  if (size < 45 * SECOND) return format.format(0, 'second');
  if (size < HOUR) return format.format(Math.round(difference / MINUTE), 'minute');
  if (size < DAY) return format.format(Math.round(difference / HOUR), 'hour');
  return format.format(Math.round(difference / DAY), 'day');
}

/** How long until then: `42 s`, `3 m 05 s`; `over` once it has come. */
export function Countdown({ to, over }: { to: string; over: string }) {
  const { language } = useLanguage();
  const left = Math.ceil((Date.parse(to) - useNow()) / SECOND) * SECOND;
  return (
    <time dateTime={to} title={new Date(to).toLocaleString(language)}>
      {left <= 0 ? over : left < 10 * SECOND ? `${left / SECOND} s` : duration(left)}
    </time>
  );
}

/** From `from` to `to`; to now, and counting, where it has not ended. */
export function Duration({ from, to }: { from: string | null; to: string | null }) {
  if (from === null) return <span className="muted">–</span>;
  return to === null ? <Counting from={from} /> : <span>{duration(Date.parse(to) - Date.parse(from))}</span>;
}

function Counting({ from }: { from: string }) {
  return <span>{duration(Math.max(0, useNow() - Date.parse(from)))}</span>;
}

/** `1.4 s`, `42 s`, `3 m 05 s`, `2 h 10 m`. */
export function duration(ms: number): string {
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.round(ms / SECOND)} s`;
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} m ${two((ms % MINUTE) / SECOND)} s`;
  return `${Math.floor(ms / HOUR)} h ${two((ms % HOUR) / MINUTE)} m`;
}
