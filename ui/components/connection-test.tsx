/** Asks a repository now, and tells exactly what failed, or the branches it has. */
import { useMutation } from '@tanstack/react-query';
import type { SourceTest } from '../api/types.ts';
import { useText } from '../i18n/text.tsx';
import { Branch } from './branch.tsx';
import { Button } from './button.tsx';
import css from './connection-test.module.css';
import { Problem } from './problem.tsx';
import { Revision } from './short.tsx';
import { Status } from './status.tsx';

interface ConnectionTestProps {
  ask: () => Promise<SourceTest>;
  why?: string | null;
  onFound?: (found: SourceTest) => void;
}

export function ConnectionTest({ ask, why = null, onFound }: ConnectionTestProps) {
  const t = useText();
  const test = useMutation({ mutationFn: ask, ...(onFound ? { onSuccess: onFound } : {}) });
  return (
    <div className={css.test}>
      <Button onClick={() => test.mutate()} busy={test.isPending} why={why}>
        {t('source.test')}
      </Button>
      {test.error && <Problem error={test.error} />}
      {test.data && <Outcome found={test.data} />}
    </div>
  );
}

const SHOWN = 12;

function Outcome({ found: { ok, error, branches } }: { found: SourceTest }) {
  const t = useText();
  if (!ok)
    return (
      <div className={css.failed} role="alert">
        <p>
          <Status name="failed">{t('source.failed')}</Status>
        </p>
        <p className={css.error}>{error}</p>
      </div>
    );
  if (branches.length === 0)
    return (
      <p role="status">
        <Status name="unstable">{t('source.noBranch')}</Status>
      </p>
    );
  return (
    <div className={css.found} role="status">
      <Status name="passed">{t('source.ok', { count: branches.length })}</Status>
      <ul>
        {branches.slice(0, SHOWN).map(({ branch, revision }) => (
          <li key={branch}>
            <Branch of={branch} /> <Revision of={revision} />
          </li>
        ))}
        {branches.length > SHOWN && <li className="muted">{t('source.more', { count: branches.length - SHOWN })}</li>}
      </ul>
    </div>
  );
}
