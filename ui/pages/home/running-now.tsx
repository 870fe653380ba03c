import type { QueueItem } from '../../api/types.ts';
import { toQueued } from '../../components/paths.ts';
import { RunLine, RunList } from '../../components/run-list.tsx';
import { Duration } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';

export function RunningNow({ items }: { items: QueueItem[] }) {
  const t = useText();
  const open = items.filter(({ status, kind }) => status !== 'waiting' && kind !== 'task');
  if (open.length === 0) return <p className="muted">{t('home.nothingRuns')}</p>;
  return (
    <RunList>
      {open.map((item) => (
        <RunLine
          key={toQueued(item)}
          status={item.status === 'running' ? 'running' : 'queued'}
          to={toQueued(item)}
          name={`${item.project} / ${item.pipeline ?? item.environment} #${item.number}`}
          about={item.reason ?? t(`run.${item.kind}`)}
          aside={<Duration from={item.startedAt} to={null} />}
        />
      ))}
    </RunList>
  );
}
