import { useOpenDeployments, waitsForApproval } from '../../api/open-deployments.ts';
import { useMe } from '../../api/rights.ts';
import { toDeployment } from '../../components/paths.ts';
import { RunLine, RunList } from '../../components/run-list.tsx';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';

/** Requests of others that wait for an approval, where I am one of those who decide. */
export function NeedsMe() {
  const t = useText();
  const user = useMe();
  const mine = new Set(
    user.projects.filter(({ role }) => role === 'release-manager' || role === 'admin').map(({ slug }) => slug),
  );
  const waiting = useOpenDeployments().filter(
    (run) => waitsForApproval(run) && run.requestedBy !== user.name && mine.has(run.project),
  );
  if (waiting.length === 0) return <p className="muted">{t('home.needsNothing')}</p>;
  return (
    <RunList>
      {waiting.map((run) => (
        <RunLine
          key={toDeployment(run)}
          status="approval"
          to={toDeployment(run)}
          name={`${run.stack} ${run.release} → ${run.environment}`}
          about={t('run.requestedBy', { name: run.requestedBy ?? 'Slipway' })}
          aside={<Ago at={run.queuedAt} />}
        />
      ))}
    </RunList>
  );
}
