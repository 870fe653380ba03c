import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { deployments } from '../../api/queries.ts';
import type { BoardCell, BoardRow } from '../../api/types.ts';
import { toDeployment } from '../../components/paths.ts';
import { Status, statusOfRun } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './board.module.css';

/** The newest deployment to here, where it did not go well: what runs is then not what was wanted. */
export function LastFailure({ row, cell }: { row: BoardRow; cell: BoardCell }) {
  const t = useText();
  const { data } = useQuery(deployments(row.project, cell.environment));
  const last = data?.items.find(({ stack, status }) => stack === row.stack && status === 'finished');
  if (!last || (last.result !== 'failed' && last.result !== 'errored')) return null;
  return (
    <div className={css.failure}>
      <Status name={statusOfRun(last)}>
        <Link to={toDeployment(last)}>
          {t(last.restored ? 'board.restored' : 'board.failed', { version: last.release })}
        </Link>
      </Status>
      <p className="small">{last.reason}</p>
    </div>
  );
}
