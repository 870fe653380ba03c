import { useQuery } from '@tanstack/react-query';
import { useOpenDeployments, waitsForApproval } from '../../api/open-deployments.ts';
import { queue } from '../../api/queries.ts';
import { Empty } from '../../components/empty.tsx';
import { Loaded, Page } from '../../components/page.tsx';
import { useText } from '../../i18n/text.tsx';
import { ApprovalCard } from './approval-card.tsx';

export function ApprovalsPage() {
  const t = useText();
  const query = useQuery(queue);
  const waiting = useOpenDeployments().filter(waitsForApproval);
  return (
    <Page title={t('nav.approvals')} {...(waiting.length > 0 ? { status: 'approval' } : {})}>
      <Loaded query={query}>
        {() =>
          waiting.length === 0 ? (
            <Empty command="slipway approve shop PRO 31">{t('approvals.empty')}</Empty>
          ) : (
            waiting.map((run) => <ApprovalCard key={`${run.project}/${run.environment}/${run.number}`} run={run} />)
          )
        }
      </Loaded>
    </Page>
  );
}
