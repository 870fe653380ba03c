import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, post } from '../../api/client.ts';
import { useLacking } from '../../api/rights.ts';
import type { Deployment } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { Field, Form, FormActions } from '../../components/form.tsx';
import { Modal } from '../../components/modal.tsx';
import { toDeployment } from '../../components/paths.ts';
import { Problem } from '../../components/problem.tsx';
import { useText } from '../../i18n/text.tsx';
import { earlierReleases } from './earlier-releases.ts';

interface RollbackDialogProps {
  project: string;
  environment: string;
  stack: string;
  current: string | null;
  history: Deployment[];
  onClose: () => void;
}

export function RollbackDialog({ project, environment, stack, current, history, onClose }: RollbackDialogProps) {
  const t = useText();
  const navigate = useNavigate();
  const lacking = useLacking(project, 'release-manager');
  const choices = earlierReleases(history, stack, current);
  const [picked, pick] = useState('');
  const [reason, setReason] = useState('');
  const to = picked || choices[0];
  const rollBack = useMutation({
    mutationFn: () =>
      post<Deployment>(api`/projects/${project}/environments/${environment}/rollback`, {
        stack,
        to,
        reason: reason.trim(),
      }),
    onSuccess: (run) => navigate(toDeployment(run)),
  });
  const why =
    lacking ??
    (to === undefined ? t('environment.noEarlier') : reason.trim() === '' ? t('rollback.needsReason') : null);
  return (
    <Modal title={t('rollback.title', { stack, environment })} onClose={onClose}>
      <Form onSubmit={() => rollBack.mutate()}>
        <p>{t('rollback.what', { current: current ?? '–' })}</p>
        <Field label={t('rollback.to')}>
          <select value={to} onChange={(event) => pick(event.target.value)}>
            {choices.map((release) => (
              <option key={release}>{release}</option>
            ))}
          </select>
        </Field>
        <Field label={t('rollback.reason')}>
          <textarea rows={2} required value={reason} onChange={(event) => setReason(event.target.value)} />
        </Field>
        {rollBack.error && <Problem error={rollBack.error} dismiss={rollBack.reset} />}
        <FormActions>
          <Button type="submit" look="danger" busy={rollBack.isPending} why={why}>
            {t('rollback.submit', { version: to ?? '–' })}
          </Button>
          <Button onClick={onClose}>{t('dialog.cancel')}</Button>
        </FormActions>
      </Form>
    </Modal>
  );
}
