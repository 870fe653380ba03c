/** Who I am, the language, the colours, and the way out. */
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, remove } from '../api/client.ts';
import { me } from '../api/queries.ts';
import type { Me } from '../api/types.ts';
import type { Language } from '../i18n/catalog.ts';
import { LANGUAGES, useLanguage, useText } from '../i18n/text.tsx';
import css from './account-menu.module.css';
import { Button } from './button.tsx';
import { chooseScheme, SCHEMES, type Scheme, storedScheme } from './scheme.ts';

export function AccountMenu({ user }: { user: Me }) {
  const t = useText();
  return (
    <div className={css.account}>
      <button
        type="button"
        className={css.opener}
        popoverTarget="account"
        aria-label={t('account.open', { name: user.name })}
      >
        {user.name}
      </button>
      <div id="account" popover="auto" className={css.menu}>
        <p>
          {t('account.signedInAs')} <strong>{user.name}</strong>
          {user.admin && <span className="muted"> · {t('account.admin')}</span>}
        </p>
        <LanguageChoice />
        <SchemeChoice />
        <SignOut />
      </div>
    </div>
  );
}

function LanguageChoice() {
  const t = useText();
  const { language, choose } = useLanguage();
  return (
    <label>
      {t('account.language')}
      <select value={language} onChange={(event) => choose(event.target.value as Language)}>
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function SchemeChoice() {
  const t = useText();
  const [scheme, setScheme] = useState(storedScheme);
  const choose = (next: Scheme) => {
    chooseScheme(next);
    setScheme(next);
  };
  return (
    <label>
      {t('account.colours')}
      <select value={scheme} onChange={(event) => choose(event.target.value as Scheme)}>
        {SCHEMES.map((name) => (
          <option key={name} value={name}>
            {t(`scheme.${name}`)}
          </option>
        ))}
      </select>
    </label>
  );
}

function SignOut() {
  const t = useText();
  const client = useQueryClient();
  const signOut = async () => {
    await remove(api`/session`);
    client.setQueryData(me.queryKey, null);
    // What one user may see is not kept for the next.
    client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== me.queryKey[0] });
  };
  return <Button onClick={signOut}>{t('account.signOut')}</Button>;
}
