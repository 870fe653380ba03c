import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { get } from '../../api/client.ts';
import { builds, buildTests } from '../../api/queries.ts';
import type { Build, Step, Tests } from '../../api/types.ts';
import { branchLabel } from '../../components/branch-label.ts';
import { toBuild } from '../../components/paths.ts';
import { Status } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import { segmentsOf, textOf } from '../../log/ansi.ts';
import { fragmentOf } from '../../log/fragment.ts';
import { type LogMatches, withQuery } from '../../log/log-source.ts';
import css from './build.module.css';
import { culprit, failingSince } from './history.ts';
import { logUrl } from './log-url.ts';
import { type BuildText, WORDS } from './words.ts';

const SHOWN_TESTS = 5;

/** Why it failed, before anything has to be read. */
export function FailureCard({ run }: { run: Build }) {
  const t = useText(WORDS);
  const step = culprit(run.steps);
  const result = step?.result ?? run.result;
  return (
    <section className={css.failure}>
      <h2>
        {step ? (
          <Status name={result === 'errored' ? 'errored' : 'failed'}>
            {t('fail.step', { step: step.name, result: t(result === 'errored' ? 'fail.errored' : 'fail.failed') })}
          </Status>
        ) : (
          <Status name={run.result ?? 'unknown'} />
        )}
      </h2>
      <p>{step?.reason ?? run.reason}</p>
      {step && step.attempt > 0 && <FirstError run={run} step={step} t={t} />}
      <FailedTests run={run} t={t} />
      {run.result !== 'cancelled' && <Since run={run} t={t} />}
    </section>
  );
}

function FirstError({ run, step, t }: { run: Build; step: Step; t: BuildText }) {
  const url = logUrl(run, step);
  const { data } = useQuery({
    queryKey: ['first error', url],
    queryFn: ({ signal }) => get<LogMatches>(withQuery(url, { find: 'errors', limit: 1 }), signal),
  });
  const first = data?.lines[0];
  if (!first) return null;
  const to = { search: `?step=${step.name}`, hash: fragmentOf(step.name, { from: first.line, to: first.line }) };
  return (
    <p className={css.firstError}>
      <code>{textOf(segmentsOf(first.text)).trim().slice(0, 300)}</code>
      <Link to={to} preventScrollReset>
        {t('fail.at', { line: first.line.toLocaleString() })}
      </Link>
    </p>
  );
}

function FailedTests({ run, t }: { run: Build; t: BuildText }) {
  const { data } = useQuery(buildTests(run.project, run.pipeline, run.number));
  const failed = data?.items.filter(({ result }) => result === 'failed') ?? [];
  if (failed.length === 0) return null;
  return (
    <div>
      <Link to="?tab=tests" preventScrollReset>
        {failed.length === 1 ? t('fail.test') : t('fail.tests', { count: failed.length })}
      </Link>
      <ul className={css.failedTests}>
        {failed.slice(0, SHOWN_TESTS).map((test) => (
          <FailedTest key={`${test.step} ${test.suite} ${test.name}`} run={run} test={test} t={t} />
        ))}
        {failed.length > SHOWN_TESTS && (
          <li className="muted">{t('fail.more', { count: failed.length - SHOWN_TESTS })}</li>
        )}
      </ul>
    </div>
  );
}

function FailedTest({ run, test, t }: { run: Build; test: Tests['items'][number]; t: BuildText }) {
  const since = test.since !== undefined && test.since !== run.number ? test.since : null;
  return (
    <li>
      <code>{test.name}</code>{' '}
      <span className="muted small">{since === null ? t('fail.new') : t('fail.sinceBuild', { number: since })}</span>
    </li>
  );
}

function Since({ run, t }: { run: Build; t: BuildText }) {
  const common = useText();
  const { data } = useQuery(builds(run.project, run.pipeline, { branch: run.branch, before: run.number }));
  if (!data) return null;
  const since = failingSince(data.items);
  if (since === null)
    return <p className="muted small">{t('fail.first', { branch: branchLabel(common, run.branch) })}</p>;
  return (
    <p className="muted small">
      {t('fail.since')} <Link to={toBuild({ ...run, number: since })}>#{since}</Link>
    </p>
  );
}
