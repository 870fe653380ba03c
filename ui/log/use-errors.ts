import { useEffect, useState } from 'react';
import { type Search, useSearch } from './use-search.ts';

const ERRORS = { find: 'errors' } as const;

/** Lines that look like errors; asked for when somebody wants to see one. `go` gets the line, or null where there is none. */
export function useErrors(
  url: string,
  atOnce: boolean,
  currentLine: number,
  go: (line: number | null) => void,
): { errors: Search; next(): void } {
  const [asked, setAsked] = useState(atOnce);
  const [wanted, setWanted] = useState(atOnce);
  const errors = useSearch(url, asked ? ERRORS : null);
  const known = errors.count !== null;
  // biome-ignore lint/correctness/useExhaustiveDependencies: once they are known, and not whenever one scrolls
  useEffect(() => {
    if (!wanted || !known) return;
    setWanted(false);
    void errors.stepFrom(currentLine).then(go);
  }, [wanted, known]);
  return {
    errors,
    next() {
      setAsked(true);
      setWanted(true);
    },
  };
}
