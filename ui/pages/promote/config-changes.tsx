import type { Diff } from '../../api/types.ts';
import { Card } from '../../components/page.tsx';
import { useText } from '../../i18n/text.tsx';
import { type Line, lineDiff } from './line-diff.ts';
import css from './promote.module.css';

/** Variables, secrets (that, never what) and the compose text. */
export function ConfigChanges({ diff }: { diff: Diff }) {
  const t = useText();
  const compose = diff.compose.from === null ? [] : lineDiff(diff.compose.from, diff.compose.to);
  const nothing = diff.variables.length === 0 && diff.secrets.length === 0 && compose.length === 0;
  return (
    <Card title={t('promote.config')}>
      {nothing && <p className="muted">{t(diff.compose.from === null ? 'promote.composeNew' : 'promote.noConfig')}</p>}
      {diff.variables.length > 0 && (
        <ul className={css.variables}>
          {diff.variables.map((variable) => (
            <li key={variable.name}>
              <code>{variableLine(variable)}</code>
            </li>
          ))}
        </ul>
      )}
      {diff.secrets.length > 0 && <p>{t('promote.secrets', { names: diff.secrets.join(', ') })}</p>}
      {compose.length > 0 && (
        <details>
          <summary>{t('promote.compose', { count: compose.filter(({ sign }) => sign !== ' ').length })}</summary>
          <ComposeDiff lines={compose} />
        </details>
      )}
    </Card>
  );
}

function variableLine({ name, from, to }: Diff['variables'][number]): string {
  if (from === null) return `+ ${name}=${to}`;
  return to === null ? `- ${name}` : `~ ${name} ${from} → ${to}`;
}

function ComposeDiff({ lines }: { lines: Line[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no mouse must be able to scroll it
    <pre className={css.diff} tabIndex={0}>
      {lines.map(({ sign, text, at }) => (
        <span key={`${sign}${at}`} className={sign === '+' ? css.plus : sign === '-' ? css.minus : undefined}>
          {`${sign} ${text}\n`}
        </span>
      ))}
    </pre>
  );
}
