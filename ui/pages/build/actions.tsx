import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { api, post } from '../../api/client.ts';
import { build } from '../../api/queries.ts';
import { useLacking } from '../../api/rights.ts';
import type { Build } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { FormActions } from '../../components/form.tsx';
import { Modal, useDialog } from '../../components/modal.tsx';
import { toBuild } from '../../components/paths.ts';
import { shortRevision } from '../../components/short.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './build.module.css';
import { WORDS } from './words.ts';

const pathOf = ({ project, pipeline, number }: Build): string =>
  api`/projects/${project}/pipelines/${pipeline}/builds/${number}`;

/** What one can do about a build, and what that does. */
export function Actions({ run }: { run: Build }) {
  return <div className={css.actions}>{run.status === 'finished' ? <Retry run={run} /> : <Cancel run={run} />}</div>;
}

function Retry({ run }: { run: Build }) {
  const t = useText(WORDS);
  const navigate = useNavigate();
  const why = useLacking(run.project, 'developer');
  const retry = async () => {
    const again = await post<Build>(`${pathOf(run)}/retry`, {});
    await navigate(toBuild(again));
  };
  return (
    <>
      <Button why={why} onClick={retry}>
        {t('act.retry')}
      </Button>
      {!why && <span className="muted small">{t('act.retrySays', { revision: shortRevision(run.revision) })}</span>}
    </>
  );
}

function Cancel({ run }: { run: Build }) {
  const t = useText(WORDS);
  const client = useQueryClient();
  const why = useLacking(run.project, 'developer');
  const [shown, open, close] = useDialog('cancel');
  const cancel = async () => {
    const cancelled = await post<Build>(`${pathOf(run)}/cancel`, {});
    client.setQueryData(build(run.project, run.pipeline, run.number).queryKey, cancelled);
    close();
  };
  return (
    <>
      <Button why={why} onClick={() => open()}>
        {t('act.cancel')}
      </Button>
      {shown !== null && (
        <Modal title={t('act.cancel')} onClose={close}>
          <p>{t('act.cancelSays')}</p>
          <FormActions>
            <Button look="danger" onClick={cancel}>
              {t('act.cancel')}
            </Button>
            <Button onClick={close}>{t('act.keep')}</Button>
          </FormActions>
        </Modal>
      )}
    </>
  );
}
