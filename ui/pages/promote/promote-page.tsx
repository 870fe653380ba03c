import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { useOpenDeployments } from '../../api/open-deployments.ts';
import { diff, environment } from '../../api/queries.ts';
import type { Deployment, Diff, Environment } from '../../api/types.ts';
import { Gates } from '../../components/gates.tsx';
import { Card, Loaded, Page } from '../../components/page.tsx';
import { toDeployment, toEnvironment } from '../../components/paths.ts';
import { Status, statusOfRun } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import { Commits } from './commits.tsx';
import { ConfigChanges } from './config-changes.tsx';
import { ImageChanges } from './image-changes.tsx';
import { PromotionForm } from './promotion-form.tsx';
import { RollbackTarget } from './rollback-target.tsx';

/** The review: what would change in an environment, before one asks for it. */
export function PromotePage() {
  const t = useText();
  const { project = '', stack = '', release = '', environment: name = '' } = useParams();
  const changes = useQuery({ ...diff(project, stack, release, name), staleTime: 0 });
  const place = useQuery(environment(project, name));
  const asked = useOpenDeployments().find(
    (run) => run.project === project && run.environment === name && run.stack === stack && run.release === release,
  );
  return (
    <Page
      title={t('promote.title', { stack, version: release, environment: name })}
      trail={[
        ['/board', t('board.title')],
        [toEnvironment(project, name), name],
      ]}
    >
      <Loaded query={changes}>
        {(found) => (
          <>
            <Replaces diff={found} place={place.data} />
            {asked && <AlreadyAsked run={asked} />}
            <Checks diff={found} />
            <ImageChanges images={found.images} />
            <Commits changes={found.changes} />
            <ConfigChanges diff={found} />
            <RollbackTarget project={project} environment={name} stack={stack} current={found.current} />
            {!asked && <PromotionForm project={project} environment={name} diff={found} reread={changes.refetch} />}
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Replaces({ diff: { current, stack }, place }: { diff: Diff; place: Environment | undefined }) {
  const t = useText();
  const since = place?.stacks.find(({ name }) => name === stack)?.current?.since;
  if (current === null) return <p>{t('promote.first')}</p>;
  return (
    <p>
      {t('promote.replaces', { version: current })}
      {since && (
        <>
          {' · '}
          <Ago at={since} />
        </>
      )}
    </p>
  );
}

function AlreadyAsked({ run }: { run: Deployment }) {
  const t = useText();
  return (
    <p>
      <Status name={statusOfRun(run)}>
        <Link to={toDeployment(run)}>
          {t('promote.asked', { number: run.number, name: run.requestedBy ?? 'Slipway' })}
        </Link>
      </Status>
    </p>
  );
}

function Checks({ diff: { tests, gates } }: { diff: Diff }) {
  const t = useText();
  const ran = tests.total - tests.skipped;
  return (
    <Card title={t('promote.checks')}>
      <Status name={ran === 0 ? 'skipped' : tests.failed > 0 ? 'failed' : 'passed'}>
        {ran === 0 ? t('promote.noTests') : t('promote.tests', { passed: tests.passed, total: ran })}
      </Status>
      {gates.length === 0 ? <Status name="passed">{t('promote.gatesOpen')}</Status> : <Gates gates={gates} />}
    </Card>
  );
}
