import { Link, useNavigate } from 'react-router';
import type { Build, Step } from '../../api/types.ts';
import { StatusIcon, statusOfStep } from '../../components/status.tsx';
import { Duration } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import { useKeys } from '../../log/use-keys.ts';
import css from './build.module.css';
import { columnsOf } from './history.ts';
import { useSelectedStep } from './use-selected-step.ts';
import { WORDS } from './words.ts';

const toStep = (step: Step) => ({ search: `?step=${step.name}`, hash: '' });

/** The steps from left to right as they need each other; on a phone, from top to bottom. */
export function StepGraph({ run }: { run: Build }) {
  const t = useText(WORDS);
  const navigate = useNavigate();
  const selected = useSelectedStep(run);
  const move = (by: number) => {
    const at = run.steps.findIndex(({ name }) => name === selected?.name);
    const next = run.steps[at + by];
    if (next) void navigate(toStep(next), { replace: true, preventScrollReset: true });
  };
  useKeys({ j: () => move(1), k: () => move(-1) });
  if (run.steps.length === 0) return null;
  return (
    <nav aria-label={t('steps.title')}>
      <ol className={css.graph}>
        {columnsOf(run.steps).map((column) => (
          <li key={column[0]?.name} className={css.column}>
            {column.map((step) => (
              <StepBox key={step.name} step={step} selected={step.name === selected?.name} />
            ))}
          </li>
        ))}
      </ol>
    </nav>
  );
}

function StepBox({ step, selected }: { step: Step; selected: boolean }) {
  const t = useText(WORDS);
  const needs = step.needs.length > 0 ? t('steps.needs', { names: step.needs.join(', ') }) : undefined;
  return (
    <Link
      className={css.step}
      to={toStep(step)}
      preventScrollReset
      replace
      title={needs}
      aria-current={selected ? 'step' : undefined}
    >
      <StatusIcon name={statusOfStep(step)} />
      <span className={css.stepName}>{step.name}</span>
      <span className={css.stepTime}>
        {step.startedAt ? <Duration from={step.startedAt} to={step.finishedAt} /> : null}
        {step.allowFailure && ` ${t('steps.mayFail')}`}
      </span>
    </Link>
  );
}
