/** The frame of a page: where one is, what it is about, what one can do; title and icon of the tab tell its state. */
import type { UseQueryResult } from '@tanstack/react-query';
import { Fragment, type ReactNode, useEffect } from 'react';
import { Link } from 'react-router';
import { useText } from '../i18n/text.tsx';
import { showIcon } from './favicon.ts';
import css from './page.module.css';
import { Problem } from './problem.tsx';
import { StatusIcon, type StatusName } from './status.tsx';

interface PageProps {
  title: string;
  status?: StatusName;
  /** The way here, outermost first. */
  trail?: [path: string, name: string][];
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, status, trail = [], actions, children }: PageProps) {
  const t = useText();
  useEffect(() => showIcon(status ?? null), [status]);
  return (
    <>
      <title>{`${status ? `${t(`status.${status}`)} · ` : ''}${title} · Slipway`}</title>
      {trail.length > 0 && (
        <nav className={css.trail} aria-label={t('nav.trail')}>
          {trail.map(([path, name]) => (
            <Fragment key={path}>
              <Link to={path}>{name}</Link>
              <span aria-hidden="true">/</span>
            </Fragment>
          ))}
        </nav>
      )}
      <div className={css.head}>
        <h1>
          {status && <StatusIcon name={status} />} {title}
        </h1>
        {actions && <div className={css.actions}>{actions}</div>}
      </div>
      <div className={css.body}>{children}</div>
    </>
  );
}

export function Card({ title, aside, children }: { title?: ReactNode; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className={css.card}>
      {title && (
        <div className={css.cardHead}>
          <h2>{title}</h2>
          {aside}
        </div>
      )}
      {children}
    </section>
  );
}

/** What was asked for, once it is there; else why it is not. What was read before stays in sight beside an error. */
export function Loaded<T>({ query, children }: { query: UseQueryResult<T>; children: (data: T) => ReactNode }) {
  const t = useText();
  const { data, error, refetch } = query;
  return (
    <>
      {error && <Problem error={error} retry={refetch} />}
      {data !== undefined && children(data)}
      {data === undefined && !error && <p className="muted">{t('page.loading')}</p>}
    </>
  );
}
