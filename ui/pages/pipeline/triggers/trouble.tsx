/** What somebody should look after, whatever is folded away. */
import type { Watch } from '../../../api/types.ts';
import { Status } from '../../../components/status.tsx';
import { Ago, Countdown } from '../../../components/time.tsx';
import { useText } from '../../../i18n/text.tsx';
import { PIPELINE_WORDS } from '../words.ts';
import css from './triggers.module.css';

export function Trouble({ watch: { failures, nextPoll, reachedAt }, error }: { watch: Watch; error: string }) {
  const t = useText(PIPELINE_WORDS);
  return (
    <section className={css.trouble} role="alert">
      <h2>
        <Status name="errored">{t('trouble.title')}</Status>
      </h2>
      <p className={css.error}>{error}</p>
      <p className="small">
        {failures > 1 ? t('trouble.times', { count: failures }) : t('trouble.once')}{' '}
        {nextPoll && (
          <>
            {t('trouble.again')} <Countdown to={nextPoll} over={t('triggers.now')} />.{' '}
          </>
        )}
        {reachedAt ? (
          <>
            {t('trouble.reached')} <Ago at={reachedAt} />.
          </>
        ) : (
          t('trouble.never')
        )}
      </p>
    </section>
  );
}

export function MissedHook({ watch: { hook } }: { watch: Watch }) {
  const t = useText(PIPELINE_WORDS);
  return (
    <section className={css.warning}>
      <p>
        <Status name="unstable">{t('hook.missed')}</Status>
      </p>
      {hook.missedAt && (
        <p className="small">
          {t('hook.missedAt')} <Ago at={hook.missedAt} />
          {hook.lastAt && (
            <>
              {' · '}
              {t('triggers.lastHook')} <Ago at={hook.lastAt} />
            </>
          )}
        </p>
      )}
    </section>
  );
}
