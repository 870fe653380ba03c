/** Parts of the dialog of a pipeline's settings. */
import type { Pipeline } from '../../api/types.ts';
import { Button } from '../../components/button.tsx';
import { Choice, Field } from '../../components/form.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './settings.module.css';
import { newHookSecret, type Settings } from './settings.ts';
import { PIPELINE_WORDS } from './words.ts';

interface PartProps {
  settings: Settings;
  onChange: (more: Partial<Settings>) => void;
}

/** A new secret is in sight until it is saved: it must be told to whoever sends the hooks. */
export function HookFields({ settings, hasSecret, onChange }: PartProps & { hasSecret: boolean }) {
  const t = useText(PIPELINE_WORDS);
  const none = { none: t('settings.hookNone'), new: t('settings.hookNew') };
  const options = hasSecret ? { kept: t('settings.hookKept'), ...none } : none;
  return (
    <>
      <Choice
        label={t('settings.hook')}
        value={settings.hook}
        options={options as Record<Settings['hook'], string>}
        onChoose={(hook) => onChange({ hook, hookSecret: hook === 'new' ? newHookSecret() : '' })}
      />
      {settings.hook === 'new' && (
        <Field label={t('settings.hookSecret')} hint={t('settings.hookSecretHint')}>
          <input
            required
            minLength={8}
            autoComplete="off"
            spellCheck={false}
            value={settings.hookSecret}
            onChange={({ target }) => onChange({ hookSecret: target.value })}
          />
        </Field>
      )}
      {settings.hook === 'new' && navigator.clipboard && (
        <Button onClick={() => navigator.clipboard.writeText(settings.hookSecret)}>{t('settings.copy')}</Button>
      )}
    </>
  );
}

const FORGES = { github: 'GitHub', gitlab: 'GitLab', gitea: 'Gitea' };

export function StatusFields({ pipeline, settings, onChange }: PartProps & { pipeline: Pipeline }) {
  const t = useText(PIPELINE_WORDS);
  const hasToken = pipeline.status?.hasToken === true && pipeline.status.kind === settings.status;
  return (
    <>
      <Choice
        label={t('settings.status')}
        value={settings.status}
        options={{ none: t('settings.statusNone'), ...FORGES }}
        onChoose={(status) => onChange({ status })}
      />
      {pipeline.status?.error && <p className={css.error}>{pipeline.status.error}</p>}
      {settings.status !== 'none' && (
        <>
          <Field label={t('settings.statusToken')} hint={t(hasToken ? 'settings.tokenKept' : 'settings.tokenHint')}>
            <input
              type="password"
              autoComplete="new-password"
              value={settings.statusToken}
              onChange={({ target }) => onChange({ statusToken: target.value })}
            />
          </Field>
          <Field label={t('settings.statusUrl')} hint={t('settings.statusUrlHint')}>
            <input
              inputMode="url"
              value={settings.statusUrl}
              onChange={({ target }) => onChange({ statusUrl: target.value })}
            />
          </Field>
        </>
      )}
    </>
  );
}

/** What few need. */
export function MoreFields({ kind, settings, onChange }: PartProps & { kind: 'git' | 'svn' }) {
  const t = useText(PIPELINE_WORDS);
  return (
    <details className={css.more}>
      <summary>{t('settings.more')}</summary>
      <Field label={t('settings.file')}>
        <input
          placeholder="slipway.yml"
          spellCheck={false}
          value={settings.file}
          onChange={({ target }) => onChange({ file: target.value })}
        />
      </Field>
      <Field label={t('settings.link')} hint={t('settings.linkHint')}>
        <input
          inputMode="url"
          placeholder="https://git.example.com/shop/commit/{revision}"
          value={settings.link}
          onChange={({ target }) => onChange({ link: target.value })}
        />
      </Field>
      {kind === 'git' && (
        <>
          <label className={css.check}>
            <input
              type="checkbox"
              checked={settings.submodules}
              onChange={({ target }) => onChange({ submodules: target.checked })}
            />{' '}
            {t('settings.submodules')}
          </label>
          <label className={css.check}>
            <input
              type="checkbox"
              checked={settings.lfs}
              onChange={({ target }) => onChange({ lfs: target.checked })}
            />{' '}
            {t('settings.lfs')}
          </label>
        </>
      )}
      <Field label={t('settings.hosts')} hint={t(kind === 'git' ? 'settings.hostsGit' : 'settings.hostsSvn')}>
        <textarea
          rows={2}
          spellCheck={false}
          value={settings.hosts}
          onChange={({ target }) => onChange({ hosts: target.value })}
        />
      </Field>
    </details>
  );
}
