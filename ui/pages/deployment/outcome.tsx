import type { Deployment } from '../../api/types.ts';
import { useText } from '../../i18n/text.tsx';
import css from './deployment.module.css';

/** How it ended, where it did not end well. A stack that could not be put back is the loudest. */
export function Outcome({ run }: { run: Deployment }) {
  const t = useText();
  if (run.result === null || run.result === 'passed') return null;
  const lost = run.restored === false;
  return (
    <div className={`${css.outcome} ${lost ? css.lost : ''}`}>
      {lost && <p className={css.loud}>{t('deployment.notRestored', { environment: run.environment })}</p>}
      {run.restored && <p className={css.loud}>{t('deployment.restored')}</p>}
      <p className={css.reason}>{run.reason}</p>
    </div>
  );
}
