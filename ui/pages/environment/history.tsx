import type { Deployment } from '../../api/types.ts';
import { toDeployment } from '../../components/paths.ts';
import { RunLine, RunList } from '../../components/run-list.tsx';
import { statusOfRun } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';

/** Every deployment to an environment, newest first. */
export function History({ runs }: { runs: Deployment[] }) {
  const t = useText();
  if (runs.length === 0) return <p className="muted">{t('environment.noHistory')}</p>;
  const about = (run: Deployment) =>
    [t(`trigger.${run.trigger}`), run.requestedBy ?? 'Slipway', run.reason ?? run.note].filter(Boolean).join(' · ');
  return (
    <RunList>
      {runs.map((run) => (
        <RunLine
          key={run.number}
          status={statusOfRun(run)}
          to={toDeployment(run)}
          name={`#${run.number} ${run.stack} ${run.release}`}
          about={about(run)}
          aside={<Ago at={run.finishedAt ?? run.queuedAt} />}
        />
      ))}
    </RunList>
  );
}
