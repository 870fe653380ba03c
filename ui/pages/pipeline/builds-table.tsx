import { Link } from 'react-router';
import type { Build } from '../../api/types.ts';
import { Branch } from '../../components/branch.tsx';
import { toBuild } from '../../components/paths.ts';
import { firstLine, Revision } from '../../components/short.tsx';
import { Status, statusOfRun } from '../../components/status.tsx';
import { Ago, Duration } from '../../components/time.tsx';
import { triggerWords } from '../../components/trigger-words.ts';
import { useText } from '../../i18n/text.tsx';
import css from './pipeline.module.css';

export function BuildsTable({ builds }: { builds: Build[] }) {
  const t = useText();
  return (
    <table className={css.builds}>
      <thead>
        <tr>
          <th scope="col">{t('build.status')}</th>
          <th scope="col">{t('build.what')}</th>
          <th scope="col">{t('build.author')}</th>
          <th scope="col">{t('build.duration')}</th>
          <th scope="col">{t('build.when')}</th>
        </tr>
      </thead>
      <tbody>
        {builds.map((build) => (
          <BuildRow key={build.number} build={build} />
        ))}
      </tbody>
    </table>
  );
}

function BuildRow({ build }: { build: Build }) {
  const t = useText();
  const [newest] = build.changes;
  const subject = newest ? firstLine(newest.message) : t(`trigger.${build.trigger}`);
  return (
    <tr>
      <td className={css.status}>
        <Status name={statusOfRun(build)} />
      </td>
      <td className={css.what}>
        <Link to={toBuild(build)}>
          #{build.number} {subject}
        </Link>
        <p className="muted small">
          <Branch of={build.branch} /> <Revision of={build.revision} /> · {triggerWords(t, build)}
          {build.release && ` · ${t('build.release', { version: build.release })}`}
        </p>
        {build.reason && <p className={css.reason}>{build.reason}</p>}
      </td>
      <td className={css.author}>{newest?.author ?? build.requestedBy ?? '–'}</td>
      <td className={css.duration}>
        <Duration from={build.startedAt} to={build.finishedAt} />
      </td>
      <td className={css.when}>
        <Ago at={build.queuedAt} />
      </td>
    </tr>
  );
}
