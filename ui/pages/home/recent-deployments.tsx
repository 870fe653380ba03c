import type { BoardRow } from '../../api/types.ts';
import { toDeployment } from '../../components/paths.ts';
import { RunLine, RunList } from '../../components/run-list.tsx';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';

const SHOWN = 8;

/** What came to run last, over all environments. */
export function RecentDeployments({ rows }: { rows: BoardRow[] }) {
  const t = useText();
  const recent = rows
    .flatMap(({ project, stack, environments }) =>
      environments.flatMap(({ environment, current }) =>
        current ? [{ project, stack, environment, ...current }] : [],
      ),
    )
    .toSorted((a, b) => b.since.localeCompare(a.since))
    .slice(0, SHOWN);
  if (recent.length === 0) return <p className="muted">{t('home.nothingDeployed')}</p>;
  return (
    <RunList>
      {recent.map(({ project, stack, environment, release, deployment, since }) => (
        <RunLine
          key={`${project}/${stack}/${environment}`}
          status="passed"
          to={toDeployment({ project, environment, number: deployment })}
          name={`${stack} ${release} → ${environment}`}
          about={project}
          aside={<Ago at={since} />}
        />
      ))}
    </RunList>
  );
}
