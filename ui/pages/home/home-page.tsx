import { useQuery } from '@tanstack/react-query';
import { board, queue } from '../../api/queries.ts';
import { useMe } from '../../api/rights.ts';
import { Card, Loaded, Page } from '../../components/page.tsx';
import { useText } from '../../i18n/text.tsx';
import { FirstSteps } from '../projects/first-steps.tsx';
import { BrokenNow } from './broken-now.tsx';
import css from './home-page.module.css';
import { NeedsMe } from './needs-me.tsx';
import { RecentDeployments } from './recent-deployments.tsx';
import { RunningNow } from './running-now.tsx';

/** What wants attention, loudest first. */
export function HomePage() {
  const t = useText();
  const { projects } = useMe();
  const running = useQuery(queue);
  const deployed = useQuery(board);
  if (projects.length === 0) {
    return (
      <Page title={t('home.title')}>
        <FirstSteps />
      </Page>
    );
  }
  return (
    <Page title={t('home.title')}>
      <div className={css.sections}>
        <Card title={t('home.needsMe')}>
          <NeedsMe />
        </Card>
        <Card title={t('home.broken')}>
          <BrokenNow projects={projects.map(({ slug }) => slug)} />
        </Card>
        <Card title={t('home.running')}>
          <Loaded query={running}>{({ items }) => <RunningNow items={items} />}</Loaded>
        </Card>
        <Card title={t('home.recent')}>
          <Loaded query={deployed}>{({ items }) => <RecentDeployments rows={items} />}</Loaded>
        </Card>
      </div>
    </Page>
  );
}
