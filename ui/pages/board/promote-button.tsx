import { useLacking } from '../../api/rights.ts';
import type { BoardCell, BoardRow, Environment } from '../../api/types.ts';
import { ButtonLink } from '../../components/button.tsx';
import { toPromotion } from '../../components/paths.ts';
import { useText } from '../../i18n/text.tsx';
import css from './board.module.css';

interface PromoteButtonProps {
  row: BoardRow;
  cell: BoardCell;
  place: Environment;
}

/** The way to the review of what could come here next; nothing is deployed by pressing it. */
export function PromoteButton({ row, cell, place }: PromoteButtonProps) {
  const t = useText();
  const lacking = useLacking(row.project, 'release-manager');
  const from = place.after.join(', ');
  const next = candidateFor(row, place);
  if (next === null) return <p className="muted small">{t('board.notYet', { from: from || row.stack })}</p>;
  if (next.release === cell.current?.release)
    return <p className="muted small">{from ? t('board.same', { from }) : t('board.newest')}</p>;
  if (next.behind > cell.behind && cell.current !== null)
    return <p className="muted small">{t('board.older', { from, version: next.release })}</p>;
  return (
    <p className={css.promote}>
      <ButtonLink to={toPromotion(row.project, row.stack, next.release, cell.environment)} why={lacking}>
        {t('board.promote', { version: next.release })} <span aria-hidden="true">▸</span>
      </ButtonLink>
    </p>
  );
}

/** What runs in the environment before; the newest release where there is none before. */
function candidateFor(row: BoardRow, place: Environment): { release: string; behind: number } | null {
  if (place.after.length === 0) return row.latest === null ? null : { release: row.latest, behind: 0 };
  const before = row.environments.find(({ environment, current }) => current && place.after.includes(environment));
  return before?.current ? { release: before.current.release, behind: before.behind } : null;
}
