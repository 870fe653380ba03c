/** Nothing is here yet: one sentence, one thing to do, one command to copy. */
import type { ReactNode } from 'react';
import { useState } from 'react';
import { useText } from '../i18n/text.tsx';
import css from './empty.module.css';

export function Empty({ children, action, command }: { children: ReactNode; action?: ReactNode; command?: string }) {
  return (
    <div className={css.empty}>
      <p>{children}</p>
      {action}
      {command && <Command text={command} />}
    </div>
  );
}

export function Command({ text }: { text: string }) {
  const t = useText();
  const [copied, setCopied] = useState(false);
  // Browsers give the clipboard to pages of a secure origin only; elsewhere the text can be selected.
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <div className={css.command}>
      <pre>{text}</pre>
      {navigator.clipboard && (
        <button type="button" onClick={copy}>
          {copied ? t('empty.copied') : t('empty.copy')}
        </button>
      )}
    </div>
  );
}
