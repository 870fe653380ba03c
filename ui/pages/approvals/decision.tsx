import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, post } from '../../api/client.ts';
import { deployment, environment } from '../../api/queries.ts';
import { useApprovalRefusal, useLacking } from '../../api/rights.ts';
import type { Deployment } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { Field, FormActions } from '../../components/form.tsx';
import { Gates } from '../../components/gates.tsx';
import { Status } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './decision.module.css';

/** What keeps a deployment waiting for people, and the two answers to it. */
export function Decision({ run }: { run: Deployment }) {
  const t = useText();
  const client = useQueryClient();
  const { data: place } = useQuery(environment(run.project, run.environment));
  const refusal = useApprovalRefusal(run, place?.approvals ?? null);
  const lacking = useLacking(run.project, 'release-manager');
  const [comment, setComment] = useState('');

  const decide = (verb: 'approve' | 'reject') => async () => {
    const path = api`/projects/${run.project}/environments/${run.environment}/deployments/${run.number}/${verb}`;
    const decided = await post<Deployment>(path, { comment });
    client.setQueryData(deployment(run.project, run.environment, run.number).queryKey, decided);
    await client.invalidateQueries({ queryKey: ['queue'] });
  };

  return (
    <div className={css.decision}>
      <Gates gates={run.gates.filter((gate) => !gate.open)} />
      <GivenApprovals run={run} />
      {!lacking && (
        <Field label={t('approvals.comment')}>
          <input value={comment} onChange={(event) => setComment(event.target.value)} />
        </Field>
      )}
      <FormActions>
        <Button look="primary" why={place ? refusal : t('page.loading')} onClick={decide('approve')}>
          {t('approvals.approve')}
        </Button>
        <Button look="danger" why={lacking} onClick={decide('reject')}>
          {t('approvals.reject')}
        </Button>
      </FormActions>
    </div>
  );
}

export function GivenApprovals({ run }: { run: Deployment }) {
  const t = useText();
  if (run.approvals.length === 0) return null;
  return (
    <ul className={css.given}>
      {run.approvals.map(({ by, decision, comment, at }) => (
        <li key={`${by} ${at}`}>
          <Status name={decision === 'approved' ? 'passed' : 'failed'}>
            {t(`approvals.${decision}`, { by })}
            {comment && `: ${comment}`}
          </Status>
        </li>
      ))}
    </ul>
  );
}
