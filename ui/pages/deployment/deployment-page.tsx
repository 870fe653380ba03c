import { useQuery } from '@tanstack/react-query';
import { useParams } from 'react-router';
import { waitsForApproval } from '../../api/open-deployments.ts';
import { deployment } from '../../api/queries.ts';
import type { Deployment } from '../../api/types.ts';
import { Gates } from '../../components/gates.tsx';
import { Card, Loaded, Page } from '../../components/page.tsx';
import { toEnvironment } from '../../components/paths.ts';
import { Services } from '../../components/services.tsx';
import { statusOfRun } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import { Decision, GivenApprovals } from '../approvals/decision.tsx';
import { CancelButton } from './cancel-button.tsx';
import { Facts } from './facts.tsx';
import { Outcome } from './outcome.tsx';
import { Steps } from './steps.tsx';

export function DeploymentPage() {
  const t = useText();
  const { project = '', environment = '', number = '' } = useParams();
  const query = useQuery(deployment(project, environment, Number(number)));
  const run = query.data;
  return (
    <Page
      title={run ? `${run.stack} ${run.release} → ${environment}` : `${environment} #${number}`}
      {...(run ? { status: statusOfRun(run) } : {})}
      trail={[
        ['/board', t('board.title')],
        [toEnvironment(project, environment), environment],
      ]}
      actions={run && run.status !== 'finished' && <CancelButton run={run} />}
    >
      <Loaded query={query}>{(found) => <Content run={found} />}</Loaded>
    </Page>
  );
}

function Content({ run }: { run: Deployment }) {
  const t = useText();
  const asks = waitsForApproval(run);
  return (
    <>
      <Outcome run={run} />
      <Facts run={run} />
      {asks && (
        <Card title={t('deployment.waits')}>
          <Decision run={run} />
        </Card>
      )}
      {!asks && run.gates.length > 0 && (
        <Card title={t('deployment.gates')}>
          <Gates gates={run.gates} />
          <GivenApprovals run={run} />
        </Card>
      )}
      <Steps run={run} />
      {run.after && (
        <Card title={t('deployment.after')}>
          <Services services={run.after} />
        </Card>
      )}
    </>
  );
}
