import type { Build, Change } from '../../api/types.ts';
import { Card } from '../../components/page.tsx';
import { firstLine, Revision } from '../../components/short.tsx';
import { Ago } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './build.module.css';
import { WORDS } from './words.ts';

export function ChangesTab({ run }: { run: Build }) {
  const t = useText(WORDS);
  if (run.changes.length === 0) return <p className="muted">{t('changes.none')}</p>;
  return (
    <Card>
      <ul className={css.changes}>
        {run.changes.map((change) => (
          <ChangeLine key={`${change.source} ${change.revision}`} change={change} />
        ))}
      </ul>
      {run.moreChanges && <p className="muted">{t('changes.more', { count: run.changes.length })}</p>}
    </Card>
  );
}

function ChangeLine({ change }: { change: Change }) {
  const t = useText(WORDS);
  const body = change.message.trim().split('\n').slice(1).join('\n').trim();
  return (
    <li>
      <p>
        {change.source !== undefined && (
          <span className={css.source} title={t('changes.source')}>
            {change.source}
          </span>
        )}{' '}
        <Revision of={change.revision} url={change.url} /> {firstLine(change.message) || '–'}
      </p>
      <p className="muted small">
        {change.author ?? '–'} · <Ago at={change.at} />
      </p>
      {body !== '' && <pre className={css.message}>{body}</pre>}
      {change.files && change.files.length > 0 && (
        <details>
          <summary>
            {change.files.length === 1 ? t('changes.file') : t('changes.files', { count: change.files.length })}
          </summary>
          <ul>
            {change.files.map((file) => (
              <li key={file}>
                <code>{file}</code>
              </li>
            ))}
            {change.moreFiles && <li className="muted">{t('changes.moreFiles')}</li>}
          </ul>
        </details>
      )}
    </li>
  );
}
