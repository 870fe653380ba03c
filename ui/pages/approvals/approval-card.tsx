import { Link } from 'react-router';
import type { Deployment } from '../../api/types.ts';
import { Card } from '../../components/page.tsx';
import { toDeployment, toPromotion } from '../../components/paths.ts';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import { Decision } from './decision.tsx';

/** A request: what, by whom, why; what has been said to it; and what I say. */
export function ApprovalCard({ run }: { run: Deployment }) {
  const t = useText();
  return (
    <Card
      title={
        <Link to={toDeployment(run)}>
          {run.stack} {run.release} → {run.environment}
        </Link>
      }
      aside={<span className="muted small">{run.project}</span>}
    >
      <p>
        {t('run.requestedBy', { name: run.requestedBy ?? 'Slipway' })} · <Ago at={run.queuedAt} /> ·{' '}
        <Link to={toPromotion(run.project, run.stack, run.release, run.environment)}>{t('approvals.review')}</Link>
      </p>
      {run.note && <blockquote>{run.note}</blockquote>}
      <Decision run={run} />
    </Card>
  );
}
