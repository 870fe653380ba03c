import { useEffect, useState } from 'react';
import type { Build } from '../../api/types.ts';
import { duration } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import type { Usual } from './history.ts';
import { WORDS } from './words.ts';

/** How long it will still take, as the builds before took; or that it takes longer than they did. */
export function Eta({ run, usual }: { run: Build; usual: Usual }) {
  const t = useText(WORDS);
  const running = run.status === 'running';
  const now = useSeconds(running);
  const begun = Date.parse(run.startedAt ?? run.queuedAt);
  const took = (run.finishedAt ? Date.parse(run.finishedAt) : now) - begun;
  const time = duration(usual.median);
  if (took > usual.p90) return <span className="muted">({t('head.slower', { time })})</span>;
  if (running && usual.median > took)
    return <span className="muted">({t('head.eta', { time: duration(usual.median - took) })})</span>;
  return <span className="muted">({t('head.usual', { time })})</span>;
}

function useSeconds(ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!ticking) return;
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
