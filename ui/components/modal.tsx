/** A dialog over the page. Whether it is open is in the URL; Escape and the page before close it. */
import { type ReactNode, useEffect, useId, useRef } from 'react';
import { useSearchParams } from 'react-router';
import { useText } from '../i18n/text.tsx';
import css from './modal.module.css';

/** Mounted is open. */
export function Modal({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const t = useText();
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} className={css.modal} aria-labelledby={heading} onCancel={onClose}>
      <h2 id={heading}>{title}</h2>
      {children}
      {/* Last, so that the first field has the focus. */}
      <button type="button" className={css.close} onClick={onClose} aria-label={t('dialog.close')}>
        ×
      </button>
    </dialog>
  );
}

/** A dialog's state as a search parameter: its value, and how to open and close it. */
export function useDialog(name: string): [value: string | null, open: (value?: string) => void, close: () => void] {
  const [search, setSearch] = useSearchParams();
  const open = (value = '1') =>
    setSearch((before) => {
      before.set(name, value);
      return before;
    });
  const close = () =>
    setSearch((before) => {
      before.delete(name);
      return before;
    });
  return [search.get(name), open, close];
}
