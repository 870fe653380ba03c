import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, post } from '../../api/client.ts';
import { parameters } from '../../api/queries.ts';
import type { Build, Parameter, Pipeline } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { Form, FormActions } from '../../components/form.tsx';
import { Modal } from '../../components/modal.tsx';
import { toBuild } from '../../components/paths.ts';
import { Problem } from '../../components/problem.tsx';
import { useText } from '../../i18n/text.tsx';
import { BranchPicker, useBranches } from './branch-picker.tsx';
import { missing, type Values, valuesToSend } from './parameter-values.ts';
import { ParameterFields } from './parameters.tsx';
import { RevisionPicker } from './revision-picker.tsx';
import { PIPELINE_WORDS } from './words.ts';

interface RunDialogProps {
  project: string;
  pipeline: Pipeline;
  onClose: () => void;
}

/** Runs a branch at its head, or at an earlier revision. */
export function RunDialog({ project, pipeline, onClose }: RunDialogProps) {
  const t = useText();
  const words = useText(PIPELINE_WORDS);
  const { name } = pipeline;
  const known = useBranches(project, pipeline);
  const [chosen, setChosen] = useState<string | null>(null);
  const [revision, setRevision] = useState('');
  const [values, setValues] = useState<Values>({});
  const branch = chosen ?? known.first;
  const asked = useQuery({ ...parameters(project, name, branch, revision), enabled: branch !== '' });
  const wanted = asked.data?.items ?? [];
  const lacking = missing(wanted, values);
  const run = useRun(project, name, { branch, revision, wanted, values });
  return (
    <Modal title={t('pipeline.runTitle', { name })} onClose={onClose}>
      <Form onSubmit={() => run.mutate()}>
        <BranchPicker
          branches={known}
          value={branch}
          onPick={(picked) => {
            setChosen(picked);
            setRevision('');
          }}
        />
        <RevisionPicker project={project} pipeline={pipeline} branch={branch} value={revision} onPick={setRevision} />
        {asked.error && <Problem error={asked.error} retry={asked.refetch} />}
        <ParameterFields parameters={wanted} values={values} onChange={setValues} />
        {run.error && <Problem error={run.error} />}
        <FormActions>
          <Button
            type="submit"
            look="primary"
            busy={run.isPending}
            why={lacking.length > 0 ? words('run.lacking', { names: lacking.join(', ') }) : null}
          >
            {t('pipeline.run')}
          </Button>
          <Button onClick={onClose}>{t('dialog.cancel')}</Button>
        </FormActions>
      </Form>
    </Modal>
  );
}

interface Wanted {
  branch: string;
  revision: string;
  wanted: Parameter[];
  values: Values;
}

function useRun(project: string, name: string, { branch, revision, wanted, values }: Wanted) {
  const navigate = useNavigate();
  const body = {
    ...(branch ? { branch } : {}),
    ...(revision ? { revision } : {}),
    parameters: valuesToSend(wanted, values),
  };
  const same = JSON.stringify(body);
  /** Of what is asked for: a doubled click, or a lost answer and a second try, make one build. */
  const [key, setKey] = useState({ of: same, text: randomKey() });
  if (key.of !== same) setKey({ of: same, text: randomKey() });
  return useMutation({
    mutationFn: () =>
      post<Build>(api`/projects/${project}/pipelines/${name}/builds`, body, { 'Idempotency-Key': key.text }),
    onSuccess: (build) => navigate(toBuild(build)),
  });
}

/** `crypto.randomUUID` is for secure origins only; an intranet's may be plain HTTP. */
const randomKey = (): string =>
  [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('-');
