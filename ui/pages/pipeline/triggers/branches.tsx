import type { ReactNode } from 'react';
import type { Watch } from '../../../api/types.ts';
import { Branch } from '../../../components/branch.tsx';
import { Revision } from '../../../components/short.tsx';
import { Status } from '../../../components/status.tsx';
import { Ago, Countdown } from '../../../components/time.tsx';
import { useText } from '../../../i18n/text.tsx';
import { PIPELINE_WORDS } from '../words.ts';
import { Section } from './section.tsx';
import css from './triggers.module.css';

const SHOWN = 20;

/** What was last seen of each, and which heads wait for the pushes to end. */
export function Branches({ watch: { items, quiet }, children }: { watch: Watch; children: ReactNode }) {
  const t = useText(PIPELINE_WORDS);
  const common = useText();
  // What has moved last comes first; at first sight all have the same time.
  const newest = items.toSorted((a, b) => b.notedAt.localeCompare(a.notedAt));
  return (
    <Section title={t('branches.title')}>
      {quiet.map((head) => (
        <p key={head.branch} className={css.quiet}>
          <Status name="queued">
            <Branch of={head.branch} /> <Revision of={head.revision} /> {t('branches.waits')}{' '}
            <Countdown to={head.due} over={t('triggers.now')} />
          </Status>
        </p>
      ))}
      {items.length === 0 ? (
        <p className="muted">{t('branches.none')}</p>
      ) : (
        <table className={css.rows}>
          <thead>
            <tr>
              <th scope="col">{common('pipeline.branch')}</th>
              <th scope="col" className={css.short}>
                {t('branches.revision')}
              </th>
              <th scope="col" className={css.short}>
                {t('branches.since')}
              </th>
            </tr>
          </thead>
          <tbody>
            {newest.slice(0, SHOWN).map(({ branch, revision, notedAt }) => (
              <tr key={branch}>
                <td>
                  <Branch of={branch} />
                </td>
                <td className={css.short}>
                  <Revision of={revision} />
                </td>
                <td className={`${css.short} muted`}>
                  <Ago at={notedAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {items.length > SHOWN && <p className="muted small">{t('branches.more', { count: items.length - SHOWN })}</p>}
      {children}
    </Section>
  );
}
