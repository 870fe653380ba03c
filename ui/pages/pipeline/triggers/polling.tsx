import type { ReactNode } from 'react';
import type { Watch } from '../../../api/types.ts';
import { Status } from '../../../components/status.tsx';
import { Ago, Countdown } from '../../../components/time.tsx';
import { useText } from '../../../i18n/text.tsx';
import { PIPELINE_WORDS, type PipelineText } from '../words.ts';
import { Fact, Section } from './section.tsx';
import css from './triggers.module.css';

interface PollingProps {
  watch: Watch;
  children: ReactNode;
}

export function Polling({ watch: { poll, nextPoll, polledAt, reachedAt, error }, children }: PollingProps) {
  const t = useText(PIPELINE_WORDS);
  const since = error === null ? reachedAt : polledAt;
  return (
    <Section title={t('poll.title')}>
      <dl className={css.facts}>
        {poll && (
          <Fact name={t('poll.when')}>
            {pollWords(t, poll)} {pollWords(t, poll) !== poll && <code className={`${css.short} muted`}>{poll}</code>}
          </Fact>
        )}
        {nextPoll && (
          <Fact name={t('poll.next')}>
            <Countdown to={nextPoll} over={t('triggers.now')} />
          </Fact>
        )}
        <Fact name={t('poll.state')}>
          {since === null ? (
            <Status name="unknown">{t('poll.notYet')}</Status>
          ) : (
            <span className={css.line}>
              <Status name={error === null ? 'passed' : 'errored'}>
                {t(error === null ? 'poll.ok' : 'poll.failing')}
              </Status>
              <Ago at={since} />
            </span>
          )}
        </Fact>
      </dl>
      {children}
    </Section>
  );
}

/** The most common cron expressions in words; others as they are. */
export function pollWords(t: PipelineText, cron: string): string {
  if (/^\*(\/1)?( \*){4}$/.test(cron)) return t('poll.minute');
  if (/^0( \*){4}$/.test(cron)) return t('poll.hour');
  const [, minutes] = /^\*\/(\d+)( \*){4}$/.exec(cron) ?? [];
  if (minutes !== undefined) return t('poll.minutes', { count: minutes });
  const [, seconds] = /^\*\/(\d+)( \*){5}$/.exec(cron) ?? [];
  return seconds === undefined ? cron : t('poll.seconds', { count: seconds });
}
