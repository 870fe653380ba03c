import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { LogSource } from './log-source.ts';

/** The log at `url`, read as long as this is mounted; renders again whenever there is more. */
export function useLog(url: string, live: boolean): LogSource {
  const source = useMemo(() => new LogSource(url), [url]);
  useEffect(() => source.open(live), [source, live]);
  useSyncExternalStore(source.subscribe, source.version);
  return source;
}
