/** Runs as lines: the state, what it is, and what there is to say about it. */
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import css from './run-list.module.css';
import { Status, type StatusName } from './status.tsx';

export const RunList = ({ children }: { children: ReactNode }) => <ul className={css.list}>{children}</ul>;

interface RunLineProps {
  status: StatusName;
  to: string;
  name: ReactNode;
  /** More of it, muted. */
  about?: ReactNode;
  /** At the end of the line: a time, mostly. */
  aside?: ReactNode;
}

export function RunLine({ status, to, name, about, aside }: RunLineProps) {
  return (
    <li className={css.line}>
      <span className={css.status}>
        <Status name={status} />
      </span>
      <span className={css.what}>
        <Link to={to}>{name}</Link> {about && <span className="muted">{about}</span>}
      </span>
      {aside && <span className={css.aside}>{aside}</span>}
    </li>
  );
}
