import { useState } from 'react';
import type { Deployment, Step } from '../../api/types.ts';
import { Card } from '../../components/page.tsx';
import { Status, statusOfStep } from '../../components/status.tsx';
import { Duration } from '../../components/time.tsx';
import { useText } from '../../i18n/text.tsx';
import css from './deployment.module.css';
import { StepLog } from './step-log.tsx';

/** Steps with their logs; the one that runs, or broke, is open. */
export function Steps({ run }: { run: Deployment }) {
  const t = useText();
  return (
    <Card title={t('deployment.steps')}>
      {run.steps.map((step) => (
        <StepSection key={step.name} run={run} step={step} />
      ))}
    </Card>
  );
}

const wantsEyes = ({ status, result }: Step): boolean =>
  status === 'running' || result === 'failed' || result === 'errored';

function StepSection({ run, step }: { run: Deployment; step: Step }) {
  const [touched, setTouched] = useState<boolean | null>(null);
  const open = touched ?? wantsEyes(step);
  return (
    <details className={css.step} open={open}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a summary is a button */}
      <summary
        onClick={(event) => {
          event.preventDefault();
          setTouched(!open);
        }}
      >
        <Status name={statusOfStep(step)} />
        <span className={css.stepName}>{step.name}</span>
        <Duration from={step.startedAt} to={step.finishedAt} />
      </summary>
      {step.reason && <p className={css.reason}>{step.reason}</p>}
      {open && step.attempt > 0 && <StepLog run={run} step={step} />}
    </details>
  );
}
