/** One build, all of it: how it stands, why it failed, its steps, and their logs below. */
import { useQuery } from '@tanstack/react-query';
import { useParams } from 'react-router';
import { build } from '../../api/queries.ts';
import type { Build } from '../../api/types.ts';
import { Loaded, Page } from '../../components/page.tsx';
import { toPipeline } from '../../components/paths.ts';
import { firstLine } from '../../components/short.tsx';
import { statusOfRun } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import { FailureCard } from './failure-card.tsx';
import { Header } from './header.tsx';
import { Neighbours } from './neighbours.tsx';
import { StepGraph } from './step-graph.tsx';
import { Tabs } from './tabs.tsx';

export function BuildPage() {
  const t = useText();
  const { project = '', pipeline = '', number = '' } = useParams();
  const query = useQuery(build(project, pipeline, Number(number)));
  const run = query.data;
  const subject = run && (firstLine(run.changes[0]?.message ?? '') || t(`trigger.${run.trigger}`));
  return (
    <Page
      title={`#${number}${subject ? ` ${subject}` : ''}`}
      {...(run ? { status: statusOfRun(run) } : {})}
      trail={[
        ['/projects', project],
        [toPipeline(project, pipeline), pipeline],
      ]}
      actions={<Neighbours project={project} pipeline={pipeline} number={Number(number)} />}
    >
      <Loaded query={query}>{(found) => <Content key={found.number} run={found} />}</Loaded>
    </Page>
  );
}

function Content({ run }: { run: Build }) {
  return (
    <>
      <Header run={run} />
      {run.status === 'finished' && run.result !== 'passed' && <FailureCard run={run} />}
      <StepGraph run={run} />
      <Tabs run={run} />
    </>
  );
}
