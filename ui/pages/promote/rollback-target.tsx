import { useQuery } from '@tanstack/react-query';
import { deployments } from '../../api/queries.ts';
import type { Deployment } from '../../api/types.ts';
import { Card } from '../../components/page.tsx';
import { duration } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';

interface RollbackTargetProps {
  project: string;
  environment: string;
  stack: string;
  current: string | null;
}

/** Where this goes back to if it fails, and how long that takes, judged by the last deployments. */
export function RollbackTarget({ project, environment, stack, current }: RollbackTargetProps) {
  const t = useText();
  const { data } = useQuery(deployments(project, environment));
  const took = median(
    (data?.items ?? []).filter((run) => run.stack === stack && run.result === 'passed').map(lengthOf),
  );
  return (
    <Card title={t('promote.rollback')}>
      <p>
        {current === null ? t('promote.noRollback') : t('promote.rollbackTo', { version: current })}
        {current !== null && took !== null && `, ${t('promote.about', { time: duration(took) })}`}
      </p>
    </Card>
  );
}

const lengthOf = ({ startedAt, finishedAt }: Deployment): number =>
  startedAt && finishedAt ? Date.parse(finishedAt) - Date.parse(startedAt) : 0;

const median = (values: number[]): number | null =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
