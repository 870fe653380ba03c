import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, post } from '../../api/client.ts';
import { branches, revisions } from '../../api/queries.ts';
import type { Build, Change, Pipeline } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { Field, Form, FormActions } from '../../components/form.tsx';
import { Modal } from '../../components/modal.tsx';
import { toBuild } from '../../components/paths.ts';
import { Problem } from '../../components/problem.tsx';
import { firstLine, shortRevision } from '../../components/short.tsx';
import { useText } from '../../i18n/text.tsx';

interface RunDialogProps {
  project: string;
  pipeline: Pipeline;
  onClose: () => void;
}

/** Runs a branch at its head, or at an earlier revision. */
export function RunDialog({ project, pipeline: { name, source }, onClose }: RunDialogProps) {
  const t = useText();
  const navigate = useNavigate();
  const heads = useQuery(branches(project, name));
  const named = source.branches.filter((each) => !each.includes('*'));
  const [branch, setBranch] = useState(named[0] ?? '');
  const [revision, setRevision] = useState('');
  /** Of this dialog: a doubled click, or a lost answer and a second try, make one build. */
  const [key] = useState(randomKey);
  const run = useMutation({
    mutationFn: () =>
      post<Build>(
        api`/projects/${project}/pipelines/${name}/builds`,
        { ...(branch ? { branch } : {}), ...(revision ? { revision } : {}) },
        { 'Idempotency-Key': key },
      ),
    onSuccess: (build) => navigate(toBuild(build)),
  });
  const known = [...new Set([...named, ...(heads.data?.items ?? []).map((head) => head.branch)])];
  return (
    <Modal title={t('pipeline.runTitle', { name })} onClose={onClose}>
      <Form onSubmit={() => run.mutate()}>
        {heads.error && <Problem error={heads.error} retry={heads.refetch} />}
        <Field label={t('pipeline.branch')}>
          <select
            value={branch}
            onChange={(event) => {
              setBranch(event.target.value);
              setRevision('');
            }}
          >
            {known.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
        </Field>
        <RevisionPicker project={project} pipeline={name} branch={branch} value={revision} onPick={setRevision} />
        {run.error && <Problem error={run.error} />}
        <FormActions>
          <Button type="submit" look="primary" busy={run.isPending}>
            {t('pipeline.run')}
          </Button>
          <Button onClick={onClose}>{t('dialog.cancel')}</Button>
        </FormActions>
      </Form>
    </Modal>
  );
}

interface RevisionPickerProps {
  project: string;
  pipeline: string;
  branch: string;
  value: string;
  onPick: (revision: string) => void;
}

function RevisionPicker({ project, pipeline, branch, value, onPick }: RevisionPickerProps) {
  const t = useText();
  const { data, error } = useQuery({ ...revisions(project, pipeline, branch), enabled: branch !== '' });
  const label = ({ revision, message, author }: Change) =>
    [shortRevision(revision), firstLine(message), author].filter(Boolean).join(' · ');
  return (
    <Field label={t('pipeline.revision')} {...(error ? { hint: error.message } : {})}>
      <select value={value} onChange={(event) => onPick(event.target.value)}>
        <option value="">{t('pipeline.newest')}</option>
        {data?.items.map((change) => (
          <option key={change.revision} value={change.revision}>
            {label(change)}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** `crypto.randomUUID` is for secure origins only; an intranet's may be plain HTTP. */
const randomKey = (): string =>
  [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');
