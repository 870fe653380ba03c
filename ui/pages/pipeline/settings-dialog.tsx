import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, post, put } from '../../api/client.ts';
import type { Pipeline, SourceTest } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { ConnectionTest } from '../../components/connection-test.tsx';
import { CredentialsFields } from '../../components/credentials-fields.tsx';
import { Field, Form, FormActions } from '../../components/form.tsx';
import { Modal } from '../../components/modal.tsx';
import { Problem } from '../../components/problem.tsx';
import { useText } from '../../i18n/text.tsx';
import { type Settings, settingsOf, settingsToSend, sourceToSend } from './settings.ts';
import { HookFields, MoreFields, StatusFields } from './settings-fields.tsx';
import { PIPELINE_WORDS } from './words.ts';

interface SettingsDialogProps {
  project: string;
  pipeline: Pipeline;
  onClose: () => void;
}

/** The repository, how it is signed in to and watched, and who else is told. */
export function SettingsDialog({ project, pipeline, onClose }: SettingsDialogProps) {
  const t = useText(PIPELINE_WORDS);
  const common = useText();
  const client = useQueryClient();
  const [settings, setSettings] = useState(() => settingsOf(pipeline));
  const change = (more: Partial<Settings>) => setSettings((before) => ({ ...before, ...more }));
  const at = api`/projects/${project}/pipelines/${pipeline.name}`;
  const save = useMutation({
    mutationFn: () => put<Pipeline>(at, settingsToSend(pipeline, settings)),
    onSuccess: async () => {
      await client.invalidateQueries();
      onClose();
    },
  });
  const { kind } = pipeline.source;
  // What is kept is known to the server alone, and goes to the address it was given for.
  const kept = settings.credentials.way === 'kept';
  const moved = settings.url.trim() !== pipeline.source.url;
  const ask = () =>
    kept
      ? post<SourceTest>(`${at}/test`, {})
      : post<SourceTest>(api`/projects/${project}/sources/test`, sourceToSend(pipeline, settings));
  return (
    <Modal title={t('settings.title', { name: pipeline.name })} onClose={onClose}>
      <Form onSubmit={() => save.mutate()}>
        <Field label={common('first.url')}>
          <input
            required
            inputMode="url"
            value={settings.url}
            onChange={({ target }) => change({ url: target.value })}
          />
        </Field>
        <CredentialsFields
          kind={kind}
          kept={pipeline.source.hasCredentials}
          value={settings.credentials}
          onChange={(credentials) => change({ credentials })}
        />
        <ConnectionTest
          key={JSON.stringify([settings.url, settings.credentials])}
          ask={ask}
          why={kept && moved ? t('settings.testKept') : null}
        />
        <Field label={t('settings.branches')} hint={t('settings.branchesHint')}>
          <textarea
            required
            rows={2}
            spellCheck={false}
            value={settings.branches}
            onChange={({ target }) => change({ branches: target.value })}
          />
        </Field>
        <Field label={t('settings.poll')} hint={t('settings.pollHint')}>
          <input
            placeholder="* * * * *"
            spellCheck={false}
            value={settings.poll}
            onChange={({ target }) => change({ poll: target.value })}
          />
        </Field>
        <HookFields settings={settings} hasSecret={pipeline.hasHookSecret} onChange={change} />
        {kind === 'git' && <StatusFields pipeline={pipeline} settings={settings} onChange={change} />}
        <MoreFields kind={kind} settings={settings} onChange={change} />
        {save.error && <Problem error={save.error} />}
        <FormActions>
          <Button type="submit" look="primary" busy={save.isPending}>
            {t('settings.save')}
          </Button>
          <Button onClick={onClose}>{common('dialog.cancel')}</Button>
        </FormActions>
      </Form>
    </Modal>
  );
}
