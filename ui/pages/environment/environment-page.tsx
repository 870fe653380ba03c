import { useQuery } from '@tanstack/react-query';
import { useParams } from 'react-router';
import { deployments, environment } from '../../api/queries.ts';
import { Empty } from '../../components/empty.tsx';
import { useDialog } from '../../components/modal.tsx';
import { Card, Loaded, Page } from '../../components/page.tsx';
import { useText } from '../../i18n/text.tsx';
import { History } from './history.tsx';
import { RollbackDialog } from './rollback-dialog.tsx';
import { StackCard } from './stack-card.tsx';

export function EnvironmentPage() {
  const t = useText();
  const { project = '', environment: name = '' } = useParams();
  const place = useQuery(environment(project, name));
  const past = useQuery(deployments(project, name));
  const [stack, rollBack, close] = useDialog('rollback');
  return (
    <Page
      title={name}
      trail={[
        ['/board', t('board.title')],
        ['/projects', project],
      ]}
    >
      <Loaded query={place}>
        {(found) =>
          found.stacks.length === 0 ? (
            <Empty command={`slipway promote ${project} 1.0 ${name}`}>{t('environment.empty', { name })}</Empty>
          ) : (
            found.stacks.map((each) => (
              <StackCard
                key={each.name}
                project={project}
                environment={found}
                stack={each}
                history={past.data?.items ?? []}
                onRollBack={() => rollBack(each.name)}
              />
            ))
          )
        }
      </Loaded>
      <Card title={t('environment.history')}>
        <Loaded query={past}>{({ items }) => <History runs={items} />}</Loaded>
      </Card>
      {stack !== null && past.data && (
        <RollbackDialog
          project={project}
          environment={name}
          stack={stack}
          current={place.data?.stacks.find((each) => each.name === stack)?.current?.release ?? null}
          history={past.data.items}
          onClose={close}
        />
      )}
    </Page>
  );
}
