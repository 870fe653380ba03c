import { useQueries } from '@tanstack/react-query';
import { pipelines } from '../../api/queries.ts';
import type { Pipeline } from '../../api/types.ts';
import { toBuild } from '../../components/paths.ts';
import { RunLine, RunList } from '../../components/run-list.tsx';
import { useText } from '../../i18n/text.tsx';

interface Broken {
  project: string;
  pipeline: string;
  number: number;
  result: 'failed' | 'errored';
}

/** Pipelines whose newest build did not pass. */
export function BrokenNow({ projects }: { projects: string[] }) {
  const t = useText();
  const broken = useQueries({
    queries: projects.map(pipelines),
    combine: (results) =>
      results.flatMap(({ data }, index) =>
        (data?.items ?? []).flatMap((each) => brokenOf(projects[index] ?? '', each)),
      ),
  });
  if (broken.length === 0) return <p className="muted">{t('home.nothingBroken')}</p>;
  return (
    <RunList>
      {broken.map((each) => (
        <RunLine
          key={toBuild(each)}
          status={each.result}
          to={toBuild(each)}
          name={`${each.project} / ${each.pipeline} #${each.number}`}
        />
      ))}
    </RunList>
  );
}

function brokenOf(project: string, { name, lastBuild }: Pipeline): Broken[] {
  const result = lastBuild?.result;
  if (!lastBuild || (result !== 'failed' && result !== 'errored')) return [];
  return [{ project, pipeline: name, number: lastBuild.number, result }];
}
