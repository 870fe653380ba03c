/** What the pipeline file asks of a person who starts a build. */
import { useId } from 'react';
import type { Parameter } from '../../api/types.ts';
import { useText } from '../../i18n/text.tsx';
import { givenOf, type Values } from './parameter-values.ts';
import css from './pickers.module.css';
import { PIPELINE_WORDS } from './words.ts';

interface ParameterFieldsProps {
  parameters: readonly Parameter[];
  values: Values;
  onChange: (values: Values) => void;
}

export function ParameterFields({ parameters, values, onChange }: ParameterFieldsProps) {
  const t = useText(PIPELINE_WORDS);
  if (parameters.length === 0) return null;
  return (
    <fieldset className={css.parameters}>
      <legend>{t('run.parameters')}</legend>
      {parameters.map((parameter) => (
        <ParameterField
          key={parameter.name}
          parameter={parameter}
          value={givenOf(parameter, values)}
          onChange={(value) => onChange({ ...values, [parameter.name]: value })}
        />
      ))}
    </fieldset>
  );
}

interface FieldProps {
  parameter: Parameter;
  value: string;
  onChange: (value: string) => void;
}

function ParameterField({ parameter, value, onChange }: FieldProps) {
  const id = useId();
  const { name, type, description } = parameter;
  const hint = description ? `${id}-hint` : undefined;
  if (type === 'boolean')
    return (
      <div className={css.parameter}>
        <label className={css.check}>
          <input
            type="checkbox"
            aria-describedby={hint}
            checked={value === 'true'}
            onChange={(event) => onChange(String(event.target.checked))}
          />
          {name}
        </label>
        <Hint id={hint} text={description} />
      </div>
    );
  return (
    <div className={css.parameter}>
      <label htmlFor={id} className={css.name}>
        {name} <Required parameter={parameter} />
      </label>
      <Control id={id} hint={hint} parameter={parameter} value={value} onChange={onChange} />
      <Hint id={hint} text={description} />
    </div>
  );
}

function Control({ id, hint, parameter, value, onChange }: FieldProps & { id: string; hint: string | undefined }) {
  const t = useText(PIPELINE_WORDS);
  const { type, options, default: start } = parameter;
  const common = {
    id,
    value,
    required: start === null,
    'aria-describedby': hint,
    onChange: (event: { target: { value: string } }) => onChange(event.target.value),
  };
  if (type === 'choice')
    return (
      <select {...common}>
        {start === null && <option value="">{t('run.choose')}</option>}
        {options.map((each) => (
          <option key={each}>{each}</option>
        ))}
      </select>
    );
  // Not type="number": that one rounds, scrolls, and answers nothing for what it does not understand.
  const number = type === 'number' ? { inputMode: 'decimal' as const, pattern: '-?\\d+(\\.\\d+)?' } : {};
  return <input {...common} {...number} title={type === 'number' ? t('run.number') : undefined} />;
}

function Required({ parameter }: { parameter: Parameter }) {
  const t = useText(PIPELINE_WORDS);
  return parameter.default === null ? <span className={css.hint}>{t('run.required')}</span> : null;
}

const Hint = ({ id, text }: { id: string | undefined; text: string | null }) =>
  text ? (
    <span id={id} className={css.hint}>
      {text}
    </span>
  ) : null;
