import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { builds } from '../../api/queries.ts';
import type { Build } from '../../api/types.ts';
import { Branch } from '../../components/branch.tsx';
import { isForeign } from '../../components/branch-label.ts';
import { shortRevision } from '../../components/short.tsx';
import { Status, statusOfRun } from '../../components/status.tsx';
import { Ago, Duration } from '../../components/time.tsx';
import { triggerWords } from '../../components/trigger-words.ts';
import { useText } from '../../i18n/text.tsx';
import { Actions } from './actions.tsx';
import css from './build.module.css';
import { Eta } from './eta.tsx';
import { usualDuration } from './history.ts';
import { WORDS } from './words.ts';

export function Header({ run }: { run: Build }) {
  const t = useText(WORDS);
  const common = useText();
  const { data } = useQuery(builds(run.project, run.pipeline, { branch: run.branch, result: 'passed' }));
  const usual = usualDuration((data?.items ?? []).filter(({ number }) => number !== run.number));
  const author = run.changes[0]?.author;
  return (
    <div className={css.header}>
      <ul className={css.facts}>
        <li>
          <Status name={statusOfRun(run)} />
        </li>
        {author && <li>{t('head.by', { name: author })}</li>}
        <li>{triggerWords(common, run)}</li>
        <li>
          <span className={css.branch}>
            <Branch of={run.branch} />
          </span>{' '}
          <CopiedRevision revision={run.revision} />
        </li>
        <li>
          {t(run.startedAt ? 'head.started' : 'head.queued')} <Ago at={run.startedAt ?? run.queuedAt} />
        </li>
        {run.startedAt && (
          <li>
            <Duration from={run.startedAt} to={run.finishedAt} /> {usual && <Eta run={run} usual={usual} />}
          </li>
        )}
        {run.release && <li>{common('build.release', { version: run.release })}</li>}
      </ul>
      {isForeign(run.branch) && <p className="muted small">{t('head.foreign')}</p>}
      {run.reason && run.status !== 'finished' && <p className="muted">{run.reason}</p>}
      <Actions run={run} />
    </div>
  );
}

/** Short, and copied whole. Browsers give the clipboard to pages of a secure origin only; elsewhere the title has all of it. */
function CopiedRevision({ revision }: { revision: string }) {
  const t = useText(WORDS);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(revision);
    setCopied(true);
  };
  return (
    <>
      <code title={revision}>{shortRevision(revision)}</code>
      {navigator.clipboard && (
        <button type="button" className={css.copy} onClick={copy} aria-label={t('head.copyRevision')}>
          {t(copied ? 'head.copied' : 'head.copy')}
        </button>
      )}
    </>
  );
}
