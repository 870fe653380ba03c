import type { Build, Step } from '../../api/types.ts';
import { Status, statusOfStep } from '../../components/status.tsx';
import { useText } from '../../i18n/text.tsx';
import { LogView } from '../../log/log-view.tsx';
import css from './build.module.css';
import { logUrl } from './log-url.ts';
import { useSelectedStep } from './use-selected-step.ts';
import { type BuildText, WORDS } from './words.ts';

export function LogTab({ run }: { run: Build }) {
  const t = useText(WORDS);
  const step = useSelectedStep(run);
  if (!step) return <p className="muted">{run.reason}</p>;
  const live = step.status !== 'finished' && run.status !== 'finished';
  const note = noteOn(step, run, t);
  return (
    <>
      <h3 className={css.stepHead}>
        <Status name={statusOfStep(step)} /> {step.name}
        {note && <span className="muted small">{note}</span>}
      </h3>
      {(step.attempt > 0 || live) && (
        <LogView
          url={logUrl(run, step)}
          live={live}
          name={step.name}
          openAtError={step.result === 'failed' || step.result === 'errored'}
        />
      )}
    </>
  );
}

/** Why there is nothing to see yet, or what became of it. */
function noteOn(step: Step, run: Build, t: BuildText): string | null {
  if (step.result === 'skipped') return t('log.skipped', { step: step.name, reason: step.reason ?? '' });
  if (step.status === 'waiting' && run.status !== 'finished') {
    const open = run.steps.filter(({ name, status }) => step.needs.includes(name) && status !== 'finished');
    if (open.length === 0) return t('log.waitsRunner', { step: step.name });
    return t('log.waits', { step: step.name, names: open.map(({ name }) => name).join(', ') });
  }
  return step.reason;
}
