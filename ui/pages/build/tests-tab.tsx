import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { buildTests } from '../../api/queries.ts';
import type { Build, Tests } from '../../api/types.ts';
import { Card, Loaded } from '../../components/page.tsx';
import { Status } from '../../components/status.tsx';
import { duration } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './build.module.css';
import { type BuildText, WORDS } from './words.ts';

/** Rows that are mounted; of a longer list the rest is a click away. */
const PAGE = 200;
const ORDER = { failed: 0, skipped: 1, passed: 2 };

export function TestsTab({ run }: { run: Build }) {
  const t = useText(WORDS);
  const query = useQuery(buildTests(run.project, run.pipeline, run.number));
  return (
    <Loaded query={query}>
      {(tests) => (tests.total === 0 ? <p className="muted">{t('tests.none')}</p> : <Results tests={tests} t={t} />)}
    </Loaded>
  );
}

function Results({ tests, t }: { tests: Tests; t: BuildText }) {
  const [onlyFailed, setOnlyFailed] = useState(false);
  const [shown, setShown] = useState(PAGE);
  const items = tests.items
    .filter(({ result }) => !onlyFailed || result === 'failed')
    .toSorted((a, b) => ORDER[a.result] - ORDER[b.result]);
  const { passed, total, failed, skipped } = tests;
  return (
    <Card
      title={t('tests.summary', { passed, total, failed, skipped })}
      aside={
        <label>
          <input type="checkbox" checked={onlyFailed} onChange={(event) => setOnlyFailed(event.target.checked)} />{' '}
          {t('tests.onlyFailed')}
        </label>
      }
    >
      <div className={css.scroll}>
        <table>
          <thead>
            <tr>
              <th scope="col">{t('tests.result')}</th>
              <th scope="col">{t('tests.test')}</th>
              <th scope="col">{t('tests.step')}</th>
              <th scope="col">{t('tests.time')}</th>
            </tr>
          </thead>
          <tbody>
            {items.slice(0, shown).map((test) => (
              <TestRow key={`${test.step} ${test.suite} ${test.name}`} test={test} t={t} />
            ))}
          </tbody>
        </table>
      </div>
      {items.length > shown && (
        <button type="button" className={css.moreRows} onClick={() => setShown(shown + PAGE)}>
          {t('fail.more', { count: items.length - shown })}
        </button>
      )}
    </Card>
  );
}

function TestRow({ test, t }: { test: Tests['items'][number]; t: BuildText }) {
  return (
    <tr>
      <td>
        <Status name={test.result} />
      </td>
      <td>
        <span className="muted">{test.suite}</span> {test.name}
        {test.since !== undefined && (
          <span className="muted small"> {t('fail.sinceBuild', { number: test.since })}</span>
        )}
        {test.message && <pre className={css.message}>{test.message}</pre>}
      </td>
      <td>{test.step}</td>
      <td className={css.nowrap}>{duration(test.seconds * 1000)}</td>
    </tr>
  );
}
