/** What went wrong; it stays until it is dismissed or mended. */
import { ApiError } from '../api/client.ts';
import { useText } from '../i18n/text.tsx';
import { Gates } from './gates.tsx';
import css from './problem.module.css';

interface ProblemProps {
  error: unknown;
  retry?: () => unknown;
  dismiss?: () => void;
}

export function Problem({ error, retry, dismiss }: ProblemProps) {
  const t = useText();
  const gates = error instanceof ApiError ? error.problem?.gates : undefined;
  const unreachable = error instanceof ApiError && error.status === 0;
  const message = error instanceof Error ? error.message : String(error);
  return (
    <div className={css.problem} role="alert">
      <p>{unreachable ? t('problem.unreachable') : message}</p>
      {gates && <Gates gates={gates} />}
      <p className={css.actions}>
        {retry && (
          <button type="button" onClick={() => void retry()}>
            {t('problem.retry')}
          </button>
        )}
        {dismiss && (
          <button type="button" onClick={dismiss}>
            {t('problem.dismiss')}
          </button>
        )}
      </p>
    </div>
  );
}
