import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { environments, pipelines, projects } from '../../api/queries.ts';
import type { Pipeline, Project } from '../../api/types.ts';
import { Card, Loaded, Page } from '../../components/page.tsx';
import { toEnvironment, toPipeline } from '../../components/paths.ts';
import { RunLine, RunList } from '../../components/run-list.tsx';
import type { StatusName } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import { AddPipeline, AddProject } from './add.tsx';
import { FirstPipeline, FirstSteps } from './first-steps.tsx';
import css from './projects-page.module.css';

export function ProjectsPage() {
  const t = useText();
  const query = useQuery(projects);
  return (
    <Page title={t('nav.projects')} actions={query.data?.items.length ? <AddProject /> : undefined}>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <FirstSteps />
          ) : (
            items.map((project) => <ProjectCard key={project.slug} project={project} />)
          )
        }
      </Loaded>
    </Page>
  );
}

function ProjectCard({ project: { slug, name } }: { project: Project }) {
  const query = useQuery(pipelines(slug));
  return (
    <Card title={name} aside={<Environments project={slug} />}>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <FirstPipeline project={slug} />
          ) : (
            <>
              <Pipelines project={slug} items={items} />
              <AddPipeline project={slug} />
            </>
          )
        }
      </Loaded>
    </Card>
  );
}

function Environments({ project }: { project: string }) {
  const t = useText();
  const { data } = useQuery(environments(project));
  if (!data || data.items.length === 0) return null;
  return (
    <nav className={css.environments} aria-label={t('projects.environments')}>
      {data.items.map(({ name }) => (
        <Link key={name} to={toEnvironment(project, name)}>
          {name}
        </Link>
      ))}
    </nav>
  );
}

function Pipelines({ project, items }: { project: string; items: Pipeline[] }) {
  const t = useText();
  return (
    <RunList>
      {items.map((pipeline) => (
        <RunLine
          key={pipeline.name}
          status={statusOf(pipeline)}
          to={toPipeline(project, pipeline.name)}
          name={pipeline.name}
          about={pipeline.source.url}
          aside={pipeline.lastBuild ? `#${pipeline.lastBuild.number}` : t('projects.notBuilt')}
        />
      ))}
    </RunList>
  );
}

function statusOf({ lastBuild }: Pipeline): StatusName {
  if (!lastBuild) return 'unknown';
  if (lastBuild.status === 'running') return 'running';
  return lastBuild.result ?? 'queued';
}
