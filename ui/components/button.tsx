/** Buttons. One that cannot be pressed says why, beside it. */
import { type ReactNode, useId, useState } from 'react';
import { Link } from 'react-router';
import css from './button.module.css';
import { Problem } from './problem.tsx';

type Look = 'plain' | 'primary' | 'danger';

interface ButtonProps {
  children: ReactNode;
  /** May take its time: the button is busy until then, and what goes wrong is shown beside it. */
  onClick?: () => unknown;
  look?: Look;
  type?: 'button' | 'submit';
  busy?: boolean;
  /** Why it cannot be pressed. */
  why?: string | null | undefined;
}

export function Button({ children, onClick, look = 'plain', type = 'button', busy = false, why }: ButtonProps) {
  const [acting, setActing] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const reason = useId();

  async function press() {
    setActing(true);
    setError(null);
    try {
      await onClick?.();
    } catch (thrown) {
      setError(thrown);
    } finally {
      setActing(false);
    }
  }

  return (
    <span className={css.group}>
      <button
        type={type}
        className={`${css.button} ${css[look]}`}
        disabled={acting || busy || Boolean(why)}
        aria-busy={acting || busy}
        aria-describedby={why ? reason : undefined}
        onClick={onClick ? press : undefined}
      >
        {children}
      </button>
      {why && (
        <span id={reason} className={css.why}>
          {why}
        </span>
      )}
      {error !== null && <Problem error={error} dismiss={() => setError(null)} />}
    </span>
  );
}

/** A way to another page that looks like a button; where it is closed, the reason stands beside it. */
export function ButtonLink(props: { to: string; look?: Look; why?: string | null | undefined; children: ReactNode }) {
  const { to, look = 'plain', why, children } = props;
  if (why)
    return (
      <Button look={look} why={why}>
        {children}
      </Button>
    );
  return (
    <Link to={to} className={`${css.button} ${css[look]}`}>
      {children}
    </Link>
  );
}
