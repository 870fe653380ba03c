import { useEffect, useState } from 'react';
import { get } from '../api/client.ts';
import { type LogMatches, withQuery } from './log-source.ts';

/** What is looked for: words of the reader's, or what looks like an error. */
export type Looking = { search: string } | { find: 'errors' };

export interface Search {
  /** Null before the server has answered. */
  count: number | null;
  /** Which match is the current one, from 1; 0 before the first. */
  at: number;
  error: unknown;
  /** Answers the line to go to, or null where there is none further in this direction. */
  step(direction: 1 | -1): Promise<number | null>;
  /** The first match after this line, or the very first where there is none. */
  stepFrom(line: number): Promise<number | null>;
}

const PAGE = 100;
const TYPING = 200;

/** The server searches the whole log and counts all; matches are listed in pages, as one goes through them. */
export function useSearch(url: string, looking: Looking | null): Search {
  const key = looking === null ? null : JSON.stringify(looking);
  const [state, setState] = useState(EMPTY);
  useEffect(() => {
    setState(EMPTY);
    if (key === null) return;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const found = await ask(url, JSON.parse(key), 0, abort.signal);
        setState({ ...EMPTY, key, count: found.count, lines: found.lines.map(({ line }) => line) });
      } catch (error) {
        if (!abort.signal.aborted) setState({ ...EMPTY, key, error });
      }
    }, TYPING);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [url, key]);

  async function go(at: number): Promise<number | null> {
    if (looking === null || at < 1 || at > (state.count ?? 0)) return null;
    let { lines } = state;
    if (at > lines.length) {
      const more = await ask(url, looking, lines.at(-1) ?? 0);
      lines = [...lines, ...more.lines.map(({ line }) => line)];
    }
    setState({ ...state, lines, at });
    return lines[at - 1] ?? null;
  }

  return {
    count: state.count,
    at: state.at,
    error: state.error,
    step: (direction) => go(state.at + direction),
    stepFrom: (line) => go(Math.max(1, state.lines.findIndex((each) => each > line) + 1)),
  };
}

interface State {
  key: string | null;
  count: number | null;
  lines: number[];
  at: number;
  error: unknown;
}
const EMPTY: State = { key: null, count: null, lines: [], at: 0, error: null };

const ask = (url: string, looking: Looking, after: number, signal?: AbortSignal): Promise<LogMatches> =>
  get<LogMatches>(withQuery(url, { ...looking, after, limit: PAGE }), signal);
