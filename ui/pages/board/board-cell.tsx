/** One stack in one environment: what runs, how it is, and what could come next. */
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { BoardRow, BoardCell as Cell, Deployment, Environment } from '../../api/types.ts';
import { driftOf } from '../../components/drift.ts';
import { toDeployment, toEnvironment } from '../../components/paths.ts';
import { Status, type StatusName, statusOfRun } from '../../components/status.tsx';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './board.module.css';
import { LastFailure } from './last-failure.tsx';
import { PromoteButton } from './promote-button.tsx';

interface BoardCellProps {
  row: BoardRow;
  cell: Cell;
  /** The environment in full, once it was read. */
  place: Environment | undefined;
  /** A deployment of this stack to here that is not finished. */
  open: Deployment | undefined;
}

export function BoardCell({ row, cell, place, open }: BoardCellProps) {
  const t = useText();
  const drift = driftOf(place?.stacks.find(({ name }) => name === row.stack));
  return (
    <li className={css.cell}>
      <Link className={css.place} to={toEnvironment(row.project, cell.environment)}>
        {cell.environment}
      </Link>
      <Running row={row} cell={cell} drifted={drift.length > 0} />
      {drift.length > 0 && <p className={css.warning}>{t('drift.services', { names: drift.join(', ') })}</p>}
      {cell.held && <p className={css.warning}>{t('board.held')}</p>}
      <LastFailure row={row} cell={cell} />
      {open ? <Coming run={open} /> : place && <PromoteButton row={row} cell={cell} place={place} />}
    </li>
  );
}

function Running({ row, cell, drifted }: { row: BoardRow; cell: Cell; drifted: boolean }) {
  const t = useText();
  const { current, environment, behind } = cell;
  if (!current) return <p className="muted">{t('board.nothing')}</p>;
  const sick = current.services.filter(({ replicas, healthy }) => healthy < replicas || replicas === 0);
  const status: StatusName = drifted ? 'drift' : sick.length > 0 ? 'unstable' : 'passed';
  const word: ReactNode = drifted ? t('status.drift') : sick.length > 0 ? t('board.sick') : t('board.healthy');
  return (
    <>
      <p className={css.version}>
        <Link to={toDeployment({ project: row.project, environment, number: current.deployment })}>
          {current.release}
        </Link>
        <Status name={status}>{word}</Status>
      </p>
      <p className="muted small">
        <Ago at={current.since} />
        {behind > 0 && ` · ${t('board.behind', { count: behind })}`}
      </p>
    </>
  );
}

/** Asked for, waiting or under way. */
function Coming({ run }: { run: Deployment }) {
  const t = useText();
  const closed = run.gates.find((gate) => !gate.open);
  const step = run.steps.find(({ status }) => status === 'running');
  return (
    <div className={css.coming}>
      <Status name={statusOfRun(run)}>
        <Link to={toDeployment(run)}>{t('board.coming', { version: run.release })}</Link>
      </Status>
      <p className="small">{run.status === 'waiting' ? closed?.message : (step?.name ?? t('status.queued'))}</p>
    </div>
  );
}
