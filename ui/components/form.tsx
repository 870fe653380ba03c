/** Fields with their labels, and the row of buttons below them. */
import { type ReactNode, useId } from 'react';
import css from './form.module.css';

export function Field({ label, hint, children }: { label: string; hint?: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is among the children
    <label className={css.field}>
      <span>{label}</span>
      {children}
      {hint && <span className={css.hint}>{hint}</span>}
    </label>
  );
}

export function Form({ onSubmit, children }: { onSubmit: () => void; children: ReactNode }) {
  return (
    <form
      className={css.form}
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
    </form>
  );
}

export const FormActions = ({ children }: { children: ReactNode }) => <div className={css.actions}>{children}</div>;

interface ChoiceProps<T extends string> {
  label: string;
  value: T;
  options: Record<T, string>;
  onChoose: (value: T) => void;
}

/** One of a few, all in sight. */
export function Choice<T extends string>({ label, value, options, onChoose }: ChoiceProps<T>) {
  const group = useId();
  return (
    <fieldset className={css.choice}>
      <legend>{label}</legend>
      {(Object.keys(options) as T[]).map((each) => (
        <label key={each}>
          <input type="radio" name={group} checked={each === value} onChange={() => onChoose(each)} /> {options[each]}
        </label>
      ))}
    </fieldset>
  );
}
