import { Link } from 'react-router';
import type { Schedule } from '../../../api/types.ts';
import { toBuild } from '../../../components/paths.ts';
import { Status } from '../../../components/status.tsx';
import { useLanguage, useText } from '../../../i18n/text.tsx';
import { PIPELINE_WORDS } from '../words.ts';
import { Section } from './section.tsx';
import css from './triggers.module.css';

interface ScheduleProps {
  project: string;
  pipeline: string;
  schedule: Schedule | null;
}

export function ScheduleSection({ project, pipeline, schedule }: ScheduleProps) {
  const t = useText(PIPELINE_WORDS);
  return (
    <Section title={t('schedule.title')}>
      {schedule === null ? (
        <p className="muted">{t('schedule.none')}</p>
      ) : (
        <>
          <p>
            <code>{schedule.cron}</code> {t('schedule.in', { zone: schedule.timezone })}
          </p>
          <Next schedule={schedule} />
          {schedule.passed.length > 0 && <Passed project={project} pipeline={pipeline} schedule={schedule} />}
        </>
      )}
    </Section>
  );
}

const viewersZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `Tue, Nov 25, 2:00 AM` on the clocks of a zone. */
function useClock(zone: string): (at: string) => string {
  const { language } = useLanguage();
  const format = new Intl.DateTimeFormat(language, {
    timeZone: zone,
    weekday: 'short',
    month: 'short',
    day: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
  });
  return (at) => format.format(new Date(at));
}

function Next({ schedule: { timezone, next } }: { schedule: Schedule }) {
  const t = useText(PIPELINE_WORDS);
  const mine = viewersZone();
  const [here, there] = [useClock(mine), useClock(timezone)];
  const same = mine === timezone;
  return (
    <table className={css.rows}>
      <caption>{t('schedule.next')}</caption>
      <thead>
        <tr>
          <th scope="col">{timezone}</th>
          {!same && <th scope="col">{t('schedule.yours', { zone: mine })}</th>}
        </tr>
      </thead>
      <tbody>
        {next.map((at) => (
          <tr key={at}>
            <td>
              <time dateTime={at}>{there(at)}</time>
            </td>
            {!same && <td className="muted">{here(at)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Passed({ project, pipeline, schedule: { timezone, passed } }: ScheduleProps & { schedule: Schedule }) {
  const t = useText(PIPELINE_WORDS);
  const there = useClock(timezone);
  return (
    <table className={css.rows}>
      <caption>{t('schedule.passed')}</caption>
      <tbody>
        {passed.map(({ slot, at, outcome, build }) => (
          <tr key={slot}>
            <td>
              <time dateTime={at}>{there(at)}</time>
            </td>
            <td>
              <span className={css.line}>
                <Status name={outcome === 'built' ? 'passed' : 'skipped'}>
                  {t(outcome === 'built' ? 'schedule.built' : 'schedule.missed')}
                </Status>
                {build !== null && <Link to={toBuild({ project, pipeline, number: build })}>#{build}</Link>}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
