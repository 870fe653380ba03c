/** What is around every page; in its place the sign-in page, where nobody is signed in. */
import { useQuery } from '@tanstack/react-query';
import { Suspense, useEffect } from 'react';
import { NavLink, Outlet, ScrollRestoration, useNavigation } from 'react-router';
import { startEvents, stopEvents } from '../api/events.ts';
import { me } from '../api/queries.ts';
import { type TextKey, useText } from '../i18n/text.tsx';
import { SignInPage } from '../pages/sign-in/sign-in-page.tsx';
import { AccountMenu } from './account-menu.tsx';
import { LiveChip } from './live-chip.tsx';
import { Problem } from './problem.tsx';
import css from './shell.module.css';

export function Shell() {
  const t = useText();
  const { data: user, error, refetch } = useQuery(me);
  useEffect(() => {
    // The stream is that of all tabs: one that does not know yet who is there must not end it.
    if (user === null) stopEvents();
    else if (user) startEvents();
  }, [user]);

  if (user === undefined) return error ? <Problem error={error} retry={refetch} /> : null;
  if (user === null) return <SignInPage />;
  return (
    <>
      <a className={css.skip} href="#content">
        {t('nav.skip')}
      </a>
      <header className={css.header}>
        <NavLink to="/" className={css.brand ?? ''}>
          <img src="/favicon.svg" alt="" width="24" height="24" /> <span>Slipway</span>
        </NavLink>
        <Navigation />
        <LiveChip />
        <AccountMenu user={user} />
      </header>
      <Progress />
      <main id="content" className={css.main} tabIndex={-1}>
        <Suspense>
          <Outlet />
        </Suspense>
      </main>
      <ScrollRestoration />
    </>
  );
}

const PLACES: [path: string, word: TextKey][] = [
  ['/projects', 'nav.projects'],
  ['/board', 'nav.board'],
  ['/approvals', 'nav.approvals'],
];

function Navigation() {
  const t = useText();
  return (
    <nav className={css.nav} aria-label={t('nav.main')}>
      {PLACES.map(([path, word]) => (
        <NavLink key={path} to={path}>
          {t(word)}
        </NavLink>
      ))}
    </nav>
  );
}

/** The next page's code is on its way. */
function Progress() {
  const t = useText();
  const loading = useNavigation().state === 'loading';
  return loading ? <div className={css.progress} role="progressbar" aria-label={t('page.loading')} /> : null;
}
