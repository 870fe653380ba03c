/** How a repository is signed in to. What was given before is never shown, only kept. */
import { useText } from '../i18n/text.tsx';
import { type Credentials, type Way, waysOf } from './credentials.ts';
import { Choice, Field } from './form.tsx';

interface CredentialsFieldsProps {
  kind: 'git' | 'svn';
  value: Credentials;
  /** Whether there are some already. */
  kept?: boolean;
  onChange: (value: Credentials) => void;
}

export function CredentialsFields({ kind, value, kept = false, onChange }: CredentialsFieldsProps) {
  const t = useText();
  const options = Object.fromEntries(waysOf(kind, kept).map((way) => [way, t(`credentials.${way}`)]));
  return (
    <>
      <Choice
        label={t('credentials.title')}
        value={value.way}
        options={options as Record<Way, string>}
        onChoose={(way) => onChange({ ...value, way })}
      />
      {value.way === 'password' && (
        <>
          <Line name="username" label={t('credentials.username')} value={value} onChange={onChange} />
          <Line name="password" label={t('credentials.passwordOf')} value={value} onChange={onChange} hidden />
        </>
      )}
      {value.way === 'token' && (
        <Line name="token" label={t('credentials.token')} value={value} onChange={onChange} hidden />
      )}
      {value.way === 'key' && (
        <>
          <Lines name="sshKey" label={t('credentials.privateKey')} value={value} onChange={onChange} required />
          <Lines
            name="knownHosts"
            label={t('credentials.knownHosts')}
            hint={t('credentials.knownHostsHint')}
            value={value}
            onChange={onChange}
          />
        </>
      )}
      {value.way === 'secret' && (
        <Line
          name="secret"
          label={t('credentials.secretName')}
          hint={t('credentials.secretHint')}
          value={value}
          onChange={onChange}
        />
      )}
    </>
  );
}

interface PartProps {
  name: Exclude<keyof Credentials, 'way'>;
  label: string;
  hint?: string;
  value: Credentials;
  onChange: (value: Credentials) => void;
}

function Line({ name, label, hint, value, onChange, hidden = false }: PartProps & { hidden?: boolean }) {
  return (
    <Field label={label} {...(hint === undefined ? {} : { hint })}>
      <input
        required
        type={hidden ? 'password' : 'text'}
        autoComplete={hidden ? 'new-password' : 'off'}
        spellCheck={false}
        value={value[name]}
        onChange={(event) => onChange({ ...value, [name]: event.target.value })}
      />
    </Field>
  );
}

function Lines({ name, label, hint, value, onChange, required = false }: PartProps & { required?: boolean }) {
  return (
    <Field label={label} {...(hint === undefined ? {} : { hint })}>
      <textarea
        required={required}
        rows={3}
        autoComplete="off"
        spellCheck={false}
        value={value[name]}
        onChange={(event) => onChange({ ...value, [name]: event.target.value })}
      />
    </Field>
  );
}
