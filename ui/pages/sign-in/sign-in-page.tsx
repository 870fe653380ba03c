import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, post } from '../../api/client.ts';
import { me } from '../../api/queries.ts';
import { Button } from '../../components/button.tsx';
import { Field, Form, FormActions } from '../../components/form.tsx';
import { Problem } from '../../components/problem.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './sign-in-page.module.css';

/** Shown at whatever address was asked for: once signed in, one is there. */
export function SignInPage() {
  const t = useText();
  const client = useQueryClient();
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const signIn = useMutation({
    mutationFn: () => post(api`/session`, { username, password }),
    onSuccess: () => client.resetQueries({ queryKey: me.queryKey }),
  });
  return (
    <main className={css.page}>
      <title>{`${t('signIn.title')} · Slipway`}</title>
      <h1>
        <img src="/favicon.svg" alt="" width="32" height="32" /> Slipway
      </h1>
      <Form onSubmit={() => signIn.mutate()}>
        <Field label={t('signIn.username')}>
          <input
            autoComplete="username"
            autoCapitalize="none"
            required
            value={username}
            onChange={(event) => setUsername(event.target.value)}
          />
        </Field>
        <Field label={t('signIn.password')}>
          <input
            type="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        {signIn.error && <Problem error={signIn.error} />}
        <FormActions>
          <Button type="submit" look="primary" busy={signIn.isPending}>
            {t('signIn.submit')}
          </Button>
        </FormActions>
        <p className="muted small">{t('signIn.hint')}</p>
      </Form>
    </main>
  );
}
