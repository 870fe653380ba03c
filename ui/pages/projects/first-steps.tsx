/** What a newcomer does first. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, put } from '../../api/client.ts';
import { useLacking, useMe } from '../../api/rights.ts';
import { Button } from '../../components/button.tsx';
import { Empty } from '../../components/empty.tsx';
import { Field, Form, FormActions } from '../../components/form.tsx';
import { Modal, useDialog } from '../../components/modal.tsx';
import { Problem } from '../../components/problem.tsx';
import { useText } from '../../i18n/text.tsx';
import { NewPipeline } from './new-pipeline.tsx';

export function FirstSteps() {
  const t = useText();
  const { admin } = useMe();
  const [shown, open, close] = useDialog('new');
  const why = admin ? null : t('why.admin');
  return (
    <Empty
      action={
        <Button look="primary" why={why} onClick={() => open('project')}>
          {t('first.newProject')}
        </Button>
      }
      command="npm run demo"
    >
      {t('first.noProjects')}
      {shown === 'project' && <NewProject onClose={close} />}
    </Empty>
  );
}

export function NewProject({ onClose }: { onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const slug = slugOf(name);
  const create = useMutation({
    mutationFn: () => put(api`/projects/${slug}`, { name }),
    onSuccess: async () => {
      await client.invalidateQueries();
      await navigate('/projects');
    },
  });
  return (
    <Modal title={t('first.newProject')} onClose={onClose}>
      <Form onSubmit={() => create.mutate()}>
        <Field label={t('first.projectName')} hint={t('first.slug', { slug: slug || '…' })}>
          <input required value={name} onChange={(event) => setName(event.target.value)} />
        </Field>
        {create.error && <Problem error={create.error} />}
        <FormActions>
          <Button type="submit" look="primary" busy={create.isPending} why={slug ? null : t('first.needsName')}>
            {t('first.create')}
          </Button>
        </FormActions>
      </Form>
    </Modal>
  );
}

const slugOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 40);

export function FirstPipeline({ project }: { project: string }) {
  const t = useText();
  const why = useLacking(project, 'admin');
  const [shown, open, close] = useDialog('pipeline');
  const command = `curl -X PUT ${location.origin}/api/v1/projects/${project}/pipelines/web \\
  -H "Authorization: Bearer $SLIPWAY_TOKEN" -H "Content-Type: application/json" \\
  -d '{"source":{"kind":"git","url":"https://git.example.com/shop.git","branches":["main"]}}'`;
  return (
    <Empty
      action={
        <Button look="primary" why={why} onClick={() => open(project)}>
          {t('first.newPipeline')}
        </Button>
      }
      command={command}
    >
      {t('first.noPipelines')}
      {shown === project && <NewPipeline project={project} onClose={close} />}
    </Empty>
  );
}
