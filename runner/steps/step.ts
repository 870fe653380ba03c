/** What the worker gives every kind of step, and what it wants back. */
import type { BuiltImage, PlannedStep, Result, StepOutput } from '../../pipelines/model.ts';
import type { Claim, Notice } from '../../pipelines/ports.ts';

export interface RunnerSettings {
  /** Of this installation: the value of the `slipway.instance` label. */
  instance: string;
  /** Mirrors, workspaces and working copies live below this folder. */
  folder: string;
  allowHostSteps: boolean;
  /** Path of an intranet's own CA bundle, for git, registries and hooks. */
  caFile: string | null;
  /** Images are built and stay on the engine: nothing is pushed. */
  buildOnly?: boolean;
}

/** The log of one (step, attempt). Bytes are masked before they leave the process; writing never blocks the step. */
export interface StepLog {
  write(bytes: Uint8Array): void;
  /** A line of Slipway's own: begins with `» `. */
  notice: Notice;
  /** Resolves when what is buffered has shrunk enough to go on: await it between large writes. */
  drained(): Promise<void>;
}

export interface BlobAccess {
  /** Stores a file of this machine by content. */
  putFile(path: string): Promise<{ sha256: string; size: number }>;
  get(sha256: string): Promise<AsyncIterable<Uint8Array>>;
}

export interface StepContext {
  claim: Claim;
  settings: RunnerSettings;
  /** The run's workspace on this machine; empty for deployments. */
  workspace: string;
  /** Raised with each start of this step, over all attempts of the run. */
  attempt: number;
  log: StepLog;
  blobs: BlobAccess;
  /** Images that earlier steps of this run built. */
  images: readonly BuiltImage[];
  /** Must be awaited *before* the first push, or before the engine is touched. */
  effect(effect: 'pushed' | 'deploying'): Promise<void>;
  /** Labels for everything this step makes: instance, run, step. */
  labels: Record<string, string>;
  /** Aborted by cancel, timeout or a lost claim: end what was started, within 10 s, then reject. */
  signal: AbortSignal;
}

export interface StepOutcome {
  result: Exclude<Result, 'cancelled'>;
  /** One sentence when it did not pass. */
  reason: string | null;
  exitCode: number | null;
  output?: StepOutput;
}

/**
 * Executes one step. Throwing is fine: an `AppError` of code `invalid` becomes *failed* (their files are wrong), anything
 * else *errored*; a rejection after `signal` aborted becomes *cancelled*.
 */
export type StepExecutor<S extends PlannedStep> = (step: S, context: StepContext) => Promise<StepOutcome>;

export const passed = (output?: StepOutput): StepOutcome => ({
  result: 'passed',
  reason: null,
  exitCode: null,
  ...(output ? { output } : {}),
});
