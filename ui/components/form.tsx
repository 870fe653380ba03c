/** Fields with their labels, and the row of buttons below them. */
import { cloneElement, type ReactElement, type ReactNode, useId } from 'react';
import css from './form.module.css';

interface FieldProps {
  label: string;
  /** Read out after the label, as its description. */
  hint?: string;
  /** The control. */
  children: ReactElement<{ id?: string; 'aria-describedby'?: string }>;
}

export function Field({ label, hint, children }: FieldProps) {
  const id = useId();
  const described = hint === undefined ? {} : { 'aria-describedby': `${id}hint` };
  return (
    <div className={css.field}>
      <label htmlFor={id}>{label}</label>
      {cloneElement(children, { id, ...described })}
      {hint !== undefined && (
        <span id={`${id}hint`} className={css.hint}>
          {hint}
        </span>
      )}
    </div>
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
