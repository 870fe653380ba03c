import { useState } from 'react';
import type { Change } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { Card } from '../../components/page.tsx';
import { firstLine, Revision } from '../../components/short.tsx';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './promote.module.css';

const SHOWN = 12;

/** Of all releases between what runs and what is to come. Newest first. */
export function Commits({ changes }: { changes: Change[] }) {
  const t = useText();
  const [all, showAll] = useState(false);
  const authors = new Set(changes.map(({ author }) => author)).size;
  const shown = all ? changes : changes.slice(0, SHOWN);
  return (
    <Card title={t('promote.commits', { count: changes.length, authors })}>
      {changes.length === 0 && <p className="muted">{t('promote.noCommits')}</p>}
      <ul className={css.commits}>
        {shown.map(({ revision, url, message, author, at, source }) => (
          <li key={`${source} ${revision}`}>
            <Revision of={revision} url={url} />
            <span>{firstLine(message)}</span>
            <span className="muted small">
              {source !== undefined && `${source} · `}
              {author} · <Ago at={at} />
            </span>
          </li>
        ))}
      </ul>
      {shown.length < changes.length && (
        <Button onClick={() => showAll(true)}>{t('promote.allCommits', { count: changes.length })}</Button>
      )}
    </Card>
  );
}
