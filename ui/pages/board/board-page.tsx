import { useQuery } from '@tanstack/react-query';
import { useOpenDeployments } from '../../api/open-deployments.ts';
import { board, environments } from '../../api/queries.ts';
import type { BoardRow, Deployment } from '../../api/types.ts';
import { Empty } from '../../components/empty.tsx';
import { Loaded, Page } from '../../components/page.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './board.module.css';
import { BoardCell } from './board-cell.tsx';

/** What runs where. */
export function BoardPage() {
  const t = useText();
  const query = useQuery(board);
  const open = useOpenDeployments();
  return (
    <Page title={t('board.title')}>
      <Loaded query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty command="slipway build -p shop -w web --wait">{t('board.empty')}</Empty>
          ) : (
            [...Map.groupBy(items, ({ project }) => project)].map(([project, rows]) => (
              <ProjectBoard key={project} project={project} rows={rows} open={open} />
            ))
          )
        }
      </Loaded>
    </Page>
  );
}

interface ProjectBoardProps {
  project: string;
  rows: BoardRow[];
  open: Deployment[];
}

function ProjectBoard({ project, rows, open }: ProjectBoardProps) {
  const query = useQuery(environments(project));
  const places = query.data?.items ?? [];
  const concerning = (stack: string, environment: string) =>
    open.find((run) => run.project === project && run.stack === stack && run.environment === environment);
  return (
    <section className={css.project}>
      <h2>{project}</h2>
      {rows.map((row) => (
        <div key={row.stack} className={css.row}>
          <h3 className={css.stack}>
            {row.stack}
            <LatestRelease row={row} />
          </h3>
          <ol className={css.cells}>
            {row.environments.map((cell) => (
              <BoardCell
                key={cell.environment}
                row={row}
                cell={cell}
                place={places.find(({ name }) => name === cell.environment)}
                open={concerning(row.stack, cell.environment)}
              />
            ))}
          </ol>
        </div>
      ))}
    </section>
  );
}

function LatestRelease({ row: { latest } }: { row: BoardRow }) {
  const t = useText();
  return latest === null ? null : <span className={css.latest}>{t('board.latest', { version: latest })}</span>;
}
