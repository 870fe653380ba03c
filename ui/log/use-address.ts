import { useCallback, useRef } from 'react';
import { useLocation, useNavigate } from 'react-router';
import { extended, fragmentOf, type LineRange, parseFragment } from './fragment.ts';

const QUERY = 'q';

/** What of the viewer is in the address: the lines that are meant, and what is searched for. */
export interface Address {
  range: LineRange | null;
  query: string;
  hrefOf(line: number): string;
  pick(line: number, extend: boolean): void;
  search(query: string): void;
}

export function useAddress(name: string): Address {
  const { search, hash } = useLocation();
  const navigate = useNavigate();
  const range = parseFragment(hash, name);
  const go = (to: { search: string; hash: string }) => navigate(to, { replace: true, preventScrollReset: true });
  const latest = useRef({ range, search, go });
  latest.current = { range, search, go };
  // The same at each rendering: rows that have not changed need not be made again.
  const pick = useCallback(
    (line: number, extend: boolean) => {
      const now = latest.current;
      const picked = extend ? extended(now.range, line) : { from: line, to: line };
      void now.go({ search: now.search, hash: fragmentOf(name, picked) });
    },
    [name],
  );
  return {
    range,
    query: new URLSearchParams(search).get(QUERY) ?? '',
    hrefOf: (line) => fragmentOf(name, { from: line, to: line }),
    pick,
    search(query) {
      const params = new URLSearchParams(search);
      if (query === '') params.delete(QUERY);
      else params.set(QUERY, query);
      void go({ search: params.toString(), hash });
    },
  };
}
