import type { QueryObserverResult } from '@tanstack/react-query';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, isStatus, post } from '../../api/client.ts';
import { useLacking } from '../../api/rights.ts';
import type { Deployment, Diff } from '../../api/types.ts';
import { Button, ButtonLink } from '../../components/button.tsx';
import { Choice, Field, Form, FormActions } from '../../components/form.tsx';
import { Card } from '../../components/page.tsx';
import { toDeployment } from '../../components/paths.ts';
import { Problem } from '../../components/problem.tsx';
import { useText } from '../../i18n/text.tsx';
import { whatMoved } from './moved.ts';

interface PromotionFormProps {
  project: string;
  environment: string;
  /** What is being looked at. */
  diff: Diff;
  reread: () => Promise<QueryObserverResult<Diff>>;
}

/** Asks for the deployment of exactly what was looked at: if that has moved meanwhile, it says so and asks again. */
export function PromotionForm({ project, environment, diff, reread }: PromotionFormProps) {
  const t = useText();
  const navigate = useNavigate();
  const lacking = useLacking(project, 'release-manager');
  const [when, setWhen] = useState<'now' | 'later'>('now');
  const [at, setAt] = useState('');
  const [note, setNote] = useState('');
  const [moved, setMoved] = useState<string[]>([]);

  const request = useMutation({
    mutationFn: async () => {
      const { data: now, error } = await reread();
      if (error) throw error;
      const changes = now ? whatMoved(diff, now, t) : [];
      setMoved(changes);
      if (changes.length > 0) return null;
      return post<Deployment>(api`/projects/${project}/environments/${environment}/deployments`, {
        release: diff.release,
        stack: diff.stack,
        ...(note.trim() ? { note: note.trim() } : {}),
        ...(when === 'later' ? { at: new Date(at).toISOString() } : {}),
      });
    },
    onSuccess: (run) => run && navigate(toDeployment(run)),
    // A gate closed meanwhile: the page shows which.
    onError: (error) => isStatus(error, 409) && reread(),
  });

  const same = diff.current === diff.release ? t('promote.alreadyRuns', { environment }) : null;
  const hopeless = diff.gates.find((gate) => !gate.waits)?.message;
  return (
    <Card title={t('promote.ask')}>
      <Form onSubmit={() => request.mutate()}>
        <Choice
          label={t('promote.when')}
          value={when}
          options={{ now: t('promote.now'), later: t('promote.later') }}
          onChoose={setWhen}
        />
        {when === 'later' && (
          <Field label={t('promote.at')}>
            <input type="datetime-local" required value={at} onChange={(event) => setAt(event.target.value)} />
          </Field>
        )}
        <Field label={t('promote.note')}>
          <textarea rows={2} value={note} onChange={(event) => setNote(event.target.value)} />
        </Field>
        {moved.length > 0 && (
          <Problem error={new Error([t('promote.moved'), ...moved].join(' '))} dismiss={() => setMoved([])} />
        )}
        {request.error && <Problem error={request.error} dismiss={request.reset} />}
        <FormActions>
          <Button type="submit" look="primary" busy={request.isPending} why={lacking ?? same ?? hopeless}>
            {t('promote.request', { environment })}
          </Button>
          <ButtonLink to="/board">{t('dialog.cancel')}</ButtonLink>
        </FormActions>
      </Form>
    </Card>
  );
}
