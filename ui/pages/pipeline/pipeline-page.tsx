import { useQuery } from '@tanstack/react-query';
import { useParams, useSearchParams } from 'react-router';
import { builds, pipeline } from '../../api/queries.ts';
import { useLacking } from '../../api/rights.ts';
import { Button } from '../../components/button.tsx';
import { Empty } from '../../components/empty.tsx';
import { useDialog } from '../../components/modal.tsx';
import { Loaded, Page } from '../../components/page.tsx';
import { type StatusName, statusOfRun } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import { BuildsTable } from './builds-table.tsx';
import { Filters, filterOf, Older } from './filters.tsx';
import { RunDialog } from './run-dialog.tsx';
import { SettingsDialog } from './settings-dialog.tsx';
import { Source } from './source.tsx';
import { Triggers } from './triggers/triggers.tsx';
import { TryDialog } from './try-dialog.tsx';
import { PIPELINE_WORDS } from './words.ts';

export function PipelinePage() {
  const t = useText();
  const words = useText(PIPELINE_WORDS);
  const { project = '', pipeline: name = '' } = useParams();
  const [search] = useSearchParams();
  const filter = filterOf(search);
  const query = useQuery(builds(project, name, filter));
  const definition = useQuery(pipeline(project, name));
  const why = useLacking(project, 'developer');
  const [running, run, close] = useDialog('run');
  const whyNotSet = useLacking(project, 'admin');
  const [setting, openSettings, endSetting] = useDialog('settings');
  const [trying, tryFilters, endTrying] = useDialog('try');
  const newest = query.data?.items[0];
  const status: { status?: StatusName } = newest && !filter.before ? { status: statusOfRun(newest) } : {};
  return (
    <Page
      title={name}
      {...status}
      trail={[['/projects', project]]}
      actions={
        <>
          <Button why={whyNotSet} onClick={() => openSettings()}>
            {words('settings.open')}
          </Button>
          <Button look="primary" why={why} onClick={() => run()}>
            {t('pipeline.run')}
          </Button>
        </>
      }
    >
      <Loaded query={definition}>
        {(found) => (
          <>
            <Source pipeline={found} />
            <Triggers project={project} pipeline={found} onTry={() => tryFilters()} />
          </>
        )}
      </Loaded>
      <Filters project={project} pipeline={name} filter={filter} />
      <Loaded query={query}>
        {({ items, next }) =>
          items.length === 0 ? (
            <Empty command={`slipway build -p ${project} -w ${name} --wait`}>
              {t(isFiltered(filter) ? 'pipeline.noMatch' : 'pipeline.noBuilds')}
            </Empty>
          ) : (
            <>
              <BuildsTable builds={items} />
              <Older next={next} />
            </>
          )
        }
      </Loaded>
      {running !== null && definition.data && (
        <RunDialog project={project} pipeline={definition.data} onClose={close} />
      )}
      {setting !== null && definition.data && (
        <SettingsDialog project={project} pipeline={definition.data} onClose={endSetting} />
      )}
      {trying !== null && definition.data && (
        <TryDialog project={project} pipeline={definition.data} onClose={endTrying} />
      )}
    </Page>
  );
}

const isFiltered = (filter: object): boolean => Object.values(filter).some((value) => value !== undefined);
