import type { Gate, StepOutput, StepResult } from './model.ts';

/** Everything that can happen to a run. `transition.ts` says what each does, and where it is illegal. */
export type RunEvent =
  /** All gates are open: waiting → queued. */
  | { type: 'queued' }
  /** A gate is closed: (queued or running, before any effect) → waiting; or the gates of a waiting run changed. */
  | { type: 'held'; gates: Gate[] }
  /** A runner takes it: queued → running. Raises `attempt`. `baseline`: the deployment that is current in the target now. */
  | { type: 'claimed'; runner: string; token: string; baseline?: number | null }
  | { type: 'step.started'; step: string }
  /** The step is started once more by this runner (`retry:`), as this attempt. */
  | { type: 'step.retried'; step: string; attempt: number; reason: string }
  /** Written *before* the first push, or before the engine is touched. */
  | { type: 'effect'; effect: 'pushed' | 'deploying' }
  | {
      type: 'step.finished';
      step: string;
      result: StepResult;
      reason: string | null;
      exitCode: number | null;
      output?: StepOutput;
    }
  /** A person, a newer build, or the deadline ends it. */
  | { type: 'stop'; kind: 'cancel' | 'timeout'; by: string | null; reason: string }
  /** The runner did not answer a stop in time: what is still open is ended without it. */
  | { type: 'abandoned' }
  /** The runner broke on something that is not a step's fault. */
  | { type: 'errored'; reason: string }
  /** Nothing can be executed: the pipeline file at this revision is wrong. */
  | { type: 'refused'; reason: string }
  /** The lease ran out, or the server found at its start that the runner died with it (`counts: false`). */
  | { type: 'lost'; reason: string; counts: boolean }
  | { type: 'approved'; by: string; comment: string; baseline: number | null }
  | { type: 'rejected'; by: string; comment: string }
  /** Nobody answered in time. */
  | { type: 'expired'; reason: string };

export type RunEventType = RunEvent['type'];
/** Those a runner may send; everything else is the server's. */
export type RunnerEvent = Extract<
  RunEvent,
  { type: 'step.started' | 'step.retried' | 'effect' | 'step.finished' | 'errored' }
>;
