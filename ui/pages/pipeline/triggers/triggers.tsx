/** What starts a build by itself, and how that goes. Whether it is unfolded is in the URL; trouble is in sight anyway. */
import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { api, post } from '../../../api/client.ts';
import { watch } from '../../../api/queries.ts';
import { useLacking } from '../../../api/rights.ts';
import type { Pipeline, SourceTest, Watch } from '../../../api/types.ts';
import { Button } from '../../../components/button.tsx';
import { ConnectionTest } from '../../../components/connection-test.tsx';
import { Loaded } from '../../../components/page.tsx';
import { Ago, Countdown } from '../../../components/time.tsx';
import { useText } from '../../../i18n/text.tsx';
import { PIPELINE_WORDS } from '../words.ts';
import { Branches } from './branches.tsx';
import { Hooks, hookWasMissed } from './hooks.tsx';
import { Polling, pollWords } from './polling.tsx';
import { ScheduleSection } from './schedule.tsx';
import { FurtherSources } from './sources.tsx';
import css from './triggers.module.css';
import { MissedHook, Trouble } from './trouble.tsx';

interface TriggersProps {
  project: string;
  pipeline: Pipeline;
  onTry: () => void;
}

export function Triggers({ project, pipeline, onTry }: TriggersProps) {
  const t = useText(PIPELINE_WORDS);
  const { name } = pipeline;
  const query = useQuery(watch(project, name));
  const why = useLacking(project, 'developer');
  const ask = () => post<SourceTest>(api`/projects/${project}/pipelines/${name}/test`, {});
  return (
    <Loaded query={query}>
      {(seen) => (
        <>
          {seen.error !== null && <Trouble watch={seen} error={seen.error} />}
          {hookWasMissed(seen) && <MissedHook watch={seen} />}
          <Folded watch={seen}>
            <div className={css.sections}>
              <div>
                <Polling watch={seen}>
                  <ConnectionTest ask={ask} why={why} />
                </Polling>
                <Hooks project={project} pipeline={pipeline} watch={seen} />
                {seen.sources.length > 0 && <FurtherSources sources={seen.sources} />}
              </div>
              <div>
                <Branches watch={seen}>
                  <Button onClick={onTry} why={why}>
                    {t('try.open')}
                  </Button>
                </Branches>
                <ScheduleSection project={project} pipeline={name} schedule={seen.schedule} />
              </div>
            </div>
          </Folded>
        </>
      )}
    </Loaded>
  );
}

function Folded({ watch: seen, children }: { watch: Watch; children: React.ReactNode }) {
  const t = useText(PIPELINE_WORDS);
  const [search, setSearch] = useSearchParams();
  const open = search.has('triggers');
  const fold = (unfolded: boolean) =>
    setSearch(
      (before) => {
        if (unfolded) before.set('triggers', '1');
        else before.delete('triggers');
        return before;
      },
      { replace: true, preventScrollReset: true },
    );
  return (
    <details
      className={css.triggers}
      open={open}
      onToggle={({ currentTarget }) => currentTarget.open !== open && fold(currentTarget.open)}
    >
      <summary>
        <h2>{t('triggers.title')}</h2> <Summary watch={seen} />
      </summary>
      {open && children}
    </details>
  );
}

/** All of it in a line. */
function Summary({ watch: { poll, nextPoll, hook, schedule, quiet } }: { watch: Watch }) {
  const t = useText(PIPELINE_WORDS);
  return (
    <span className={css.summary}>
      <span>
        {poll && pollWords(t, poll)}
        {nextPoll && (
          <>
            {' · '}
            {t('triggers.next')} <Countdown to={nextPoll} over={t('triggers.now')} />
          </>
        )}
      </span>
      {hook.lastAt ? (
        <span>
          {t('triggers.lastHook')} <Ago at={hook.lastAt} />
        </span>
      ) : (
        <span>{t('triggers.noHook')}</span>
      )}
      {schedule?.next[0] && (
        <span>
          {t('triggers.scheduled')} <Ago at={schedule.next[0]} />
        </span>
      )}
      {quiet.length > 0 && <span>{t('triggers.waiting', { count: quiet.length })}</span>}
    </span>
  );
}
