import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, post, put } from '../../api/client.ts';
import { pipelines } from '../../api/queries.ts';
import type { Head, Pipeline, SourceTest } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { ConnectionTest } from '../../components/connection-test.tsx';
import { type Credentials, credentials, credentialsToSend } from '../../components/credentials.ts';
import { CredentialsFields } from '../../components/credentials-fields.tsx';
import { Choice, Field, Form, FormActions } from '../../components/form.tsx';
import { Modal } from '../../components/modal.tsx';
import { toPipeline } from '../../components/paths.ts';
import { Problem } from '../../components/problem.tsx';
import { useText } from '../../i18n/text.tsx';

const MAIN = { git: 'main', svn: 'trunk' } as const;
type Kind = keyof typeof MAIN;

interface Source {
  kind: Kind;
  url: string;
  branch: string;
  credentials: Credentials;
}

export function NewPipeline({ project, onClose }: { project: string; onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [called, setCalled] = useState('');
  // PUT would change the one of that name.
  const taken = useQuery(pipelines(project)).data?.items.some(({ name }) => name === called);
  const [source, setSource] = useState<Source>({
    kind: 'git',
    url: '',
    branch: MAIN.git,
    credentials: credentials('none'),
  });
  const create = useMutation({
    mutationFn: () => {
      const at = api`/projects/${project}/pipelines/${called}`;
      return put<Pipeline>(at, { source: toSend(source, source.branch) });
    },
    onSuccess: async ({ name }) => {
      await client.invalidateQueries({ queryKey: ['pipelines', project] });
      await navigate(toPipeline(project, name));
    },
  });
  return (
    <Modal title={t('first.newPipeline')} onClose={onClose}>
      <Form onSubmit={() => create.mutate()}>
        <Field label={t('first.pipelineName')}>
          <input required placeholder="web" value={called} onChange={(event) => setCalled(event.target.value)} />
        </Field>
        <SourceFields project={project} source={source} onChange={setSource} />
        {create.error && <Problem error={create.error} />}
        <FormActions>
          <Button
            type="submit"
            look="primary"
            busy={create.isPending}
            why={taken ? t('first.taken', { name: called }) : null}
          >
            {t('first.create')}
          </Button>
        </FormActions>
      </Form>
    </Modal>
  );
}

/** Also those that are not watched yet: one of them is to be chosen. */
const ALL_BRANCHES = '**';

const toSend = ({ kind, url, credentials }: Source, branch: string) => ({
  kind,
  url,
  branches: [branch],
  credentials: credentialsToSend(credentials),
});

interface SourceFieldsProps {
  project: string;
  source: Source;
  onChange: (source: Source) => void;
}

function SourceFields({ project, source, onChange }: SourceFieldsProps) {
  const t = useText();
  const [heads, setHeads] = useState<Head[]>([]);
  const { kind, url, branch } = source;
  const ask = () => post<SourceTest>(api`/projects/${project}/sources/test`, toSend(source, ALL_BRANCHES));
  const choose = (next: Kind) =>
    onChange({
      kind: next,
      url,
      branch: branch === MAIN[kind] ? MAIN[next] : branch,
      credentials: credentials('none'),
    });
  return (
    <>
      <Choice label={t('first.kind')} value={kind} options={{ git: 'Git', svn: 'SVN' }} onChoose={choose} />
      <Field label={t('first.url')} hint={t('first.urlHint')}>
        <input
          required
          value={url}
          inputMode="url"
          onChange={(event) => onChange({ ...source, url: event.target.value })}
        />
      </Field>
      <CredentialsFields
        kind={kind}
        value={source.credentials}
        onChange={(given) => onChange({ ...source, credentials: given })}
      />
      {/* Another address is another question. */}
      <ConnectionTest
        key={JSON.stringify([kind, url, source.credentials])}
        ask={ask}
        why={url === '' ? t('first.needsUrl') : null}
        onFound={({ branches }) => setHeads(branches)}
      />
      <Field label={t('first.branch')}>
        <input
          required
          list="found"
          value={branch}
          onChange={(event) => onChange({ ...source, branch: event.target.value })}
        />
      </Field>
      <datalist id="found">
        {heads.map((head) => (
          <option key={head.branch} value={head.branch} />
        ))}
      </datalist>
    </>
  );
}
