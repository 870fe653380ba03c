/** The one vocabulary of states: a shape, a word and a colour, so that no state is told by colour alone. */
import type { ReactNode } from 'react';
import type { Build, Deployment, Step } from '../api/types.ts';
import { useText } from '../i18n/text.tsx';
import css from './status.module.css';

export type StatusName =
  | 'queued'
  | 'running'
  | 'passed'
  | 'failed'
  | 'errored'
  | 'unstable'
  | 'cancelled'
  | 'skipped'
  | 'approval'
  | 'blocked'
  | 'restored'
  | 'drift'
  | 'unknown';

type AnyRun = Pick<Build, 'status' | 'result' | 'steps'> & Partial<Pick<Deployment, 'gates' | 'restored'>>;

export function statusOfRun(run: AnyRun): StatusName {
  if (run.status === 'waiting') return waitsFor(run.gates ?? []);
  if (run.status !== 'finished') return run.status;
  if (run.result === 'failed' && run.restored) return 'restored';
  if (run.result === 'passed' && run.steps.some((step) => step.result === 'failed')) return 'unstable';
  return run.result ?? 'unknown';
}

const waitsFor = (gates: Deployment['gates']): StatusName => {
  const closed = gates.filter((gate) => !gate.open);
  if (closed.some(({ gate }) => gate === 'approvals')) return 'approval';
  return closed.some(({ gate }) => gate === 'freeze') ? 'blocked' : 'queued';
};

export function statusOfStep({
  status,
  result,
  allowFailure,
}: Pick<Step, 'status' | 'result' | 'allowFailure'>): StatusName {
  if (status === 'waiting') return 'queued';
  if (status === 'running') return 'running';
  return result === 'failed' && allowFailure ? 'unstable' : (result ?? 'unknown');
}

/** Shape and word. */
export function Status({ name, children }: { name: StatusName; children?: ReactNode }) {
  const t = useText();
  return (
    <span className={`${css.status} ${css[name]}`}>
      <StatusShape name={name} />
      <span>{children ?? t(`status.${name}`)}</span>
    </span>
  );
}

/** The shape alone, named for those who do not see it. */
export function StatusIcon({ name }: { name: StatusName }) {
  const t = useText();
  return (
    <span
      className={`${css.status} ${css[name]}`}
      role="img"
      aria-label={t(`status.${name}`)}
      title={t(`status.${name}`)}
    >
      <StatusShape name={name} />
    </span>
  );
}

function StatusShape({ name }: { name: StatusName }) {
  return (
    <svg className={css.shape} viewBox="0 0 16 16" aria-hidden="true">
      {SHAPES[name]}
    </svg>
  );
}

const stroke = {
  fill: 'none',
  stroke: 'currentColor',
  strokeWidth: 1.75,
  strokeLinecap: 'round',
  strokeLinejoin: 'round',
} as const;
/** Drawn on a filled shape. */
const mark = { ...stroke, stroke: 'var(--surface)' } as const;
const octagon = '5,1 11,1 15,5 15,11 11,15 5,15 1,11 1,5';

const SHAPES: Record<StatusName, ReactNode> = {
  queued: <circle cx="8" cy="8" r="6.25" {...stroke} strokeDasharray="2.4 2.5" />,
  running: (
    <g className="spin">
      <circle cx="8" cy="8" r="6.25" {...stroke} opacity="0.35" />
      <path d="M8 1.75A6.25 6.25 0 0 1 14.25 8" {...stroke} strokeWidth={2.5} />
    </g>
  ),
  passed: (
    <>
      <circle cx="8" cy="8" r="7" fill="currentColor" />
      <path d="M4.8 8.3 7 10.5l4.3-4.8" {...mark} />
    </>
  ),
  failed: (
    <>
      <polygon points={octagon} fill="currentColor" />
      <path d="m5.5 5.5 5 5m0-5-5 5" {...mark} />
    </>
  ),
  errored: (
    <>
      <rect x="1.5" y="1.5" width="13" height="13" rx="2" fill="currentColor" />
      <path d="M8 4.25v4.5M8 11.5v.1" {...mark} strokeWidth={2} />
    </>
  ),
  unstable: (
    <>
      <path d="M8 1.2 15.3 14.5H.7z" fill="currentColor" />
      <path d="M8 6v3.6M8 12v.1" {...mark} />
    </>
  ),
  cancelled: (
    <>
      <circle cx="8" cy="8" r="6.25" {...stroke} />
      <path d="m3.8 12.2 8.4-8.4" {...stroke} />
    </>
  ),
  skipped: <path d="M3 8h10" {...stroke} strokeWidth={2.25} />,
  approval: (
    <path
      d="M4.5 9V4.2a1 1 0 0 1 2 0V2.6a1 1 0 0 1 2 0v1.1a1 1 0 0 1 2 0v1.5a1 1 0 0 1 2 0V10a4.7 4.7 0 0 1-4.7 4.8c-2 0-3.1-.9-4-2.6L2.4 9.6c-.5-1 .8-1.7 1.4-.9z"
      fill="currentColor"
    />
  ),
  blocked: (
    <>
      <rect x="2.5" y="7" width="11" height="7.5" rx="1.25" fill="currentColor" />
      <path d="M5 7V4.5a3 3 0 0 1 6 0V7" {...stroke} />
    </>
  ),
  restored: <path d="M5.5 2 2 5.5 5.5 9M2.5 5.5H9a4.5 4.5 0 0 1 0 9H5" {...stroke} />,
  drift: <path d="M2.5 5.75h11m-11 4.5h11M10.5 2.5l-5 11" {...stroke} />,
  unknown: (
    <>
      <circle cx="8" cy="8" r="6.25" {...stroke} strokeDasharray="1 3.2" />
      <path d="M6.3 6.4a1.8 1.8 0 1 1 2.4 1.7c-.5.2-.7.5-.7 1M8 11.2v.1" {...stroke} strokeWidth={1.4} />
    </>
  ),
};
