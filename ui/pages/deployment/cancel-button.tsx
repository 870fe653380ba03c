import { useQueryClient } from '@tanstack/react-query';
import { api, post } from '../../api/client.ts';
import { deployment } from '../../api/queries.ts';
import { useLacking } from '../../api/rights.ts';
import type { Deployment } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { FormActions } from '../../components/form.tsx';
import { Modal, useDialog } from '../../components/modal.tsx';
import { useText } from '../../i18n/text.tsx';

/** Cancelling says first what it does. */
export function CancelButton({ run }: { run: Deployment }) {
  const t = useText();
  const client = useQueryClient();
  const lacking = useLacking(run.project, 'release-manager');
  const [shown, open, close] = useDialog('cancel');
  const cancel = async () => {
    const path = api`/projects/${run.project}/environments/${run.environment}/deployments/${run.number}/cancel`;
    const cancelled = await post<Deployment>(path, {});
    client.setQueryData(deployment(run.project, run.environment, run.number).queryKey, cancelled);
    close();
  };
  return (
    <>
      <Button why={lacking} onClick={() => open()}>
        {t('deployment.cancel')}
      </Button>
      {shown !== null && (
        <Modal title={t('deployment.cancel')} onClose={close}>
          <p>{t(run.status === 'running' ? 'deployment.cancelRunning' : 'deployment.cancelWaiting')}</p>
          <FormActions>
            <Button look="danger" onClick={cancel}>
              {t('deployment.cancel')}
            </Button>
            <Button onClick={close}>{t('deployment.keep')}</Button>
          </FormActions>
        </Modal>
      )}
    </>
  );
}
