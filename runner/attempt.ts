/**
 * One attempt at one run: heartbeats, workspace, ready steps side by side, reports. What it may do next it reads off its own
 * copy of the run, to which it applies what the server has accepted: the graph's rules live in `pipelines/transition.ts` only.
 */
import { AppError, messageOf } from '../pipelines/errors.ts';
import type { RunnerEvent } from '../pipelines/events.ts';
import type { BuiltImage, PlannedStep, Run, StepOutput, TestResult } from '../pipelines/model.ts';
import type { Claim, Clock, Directive, RunnerApi } from '../pipelines/ports.ts';
import { apply, readySteps } from '../pipelines/transition.ts';
import type { RunnerSettings, StepContext, StepExecutor, StepLog, StepOutcome } from './steps/step.ts';

/** How long an aborted step may take to end what it started before the report goes without it. */
const ABORT_GRACE = 10_000;
const RETRY_PAUSE = 1_000;
/** Characters of a test's message that are kept: cut after masking, so that no half of a secret is left. */
const MAX_MESSAGE = 4 * 1024;

export interface AttemptDeps {
  api: Pick<RunnerApi, 'event' | 'heartbeat'>;
  clock: Clock;
  settings: RunnerSettings;
  execute: StepExecutor<PlannedStep>;
  /** Fills `workspace` for a build. */
  checkout(claim: Claim, workspace: string, signal: AbortSignal): Promise<void>;
  workspaceFor(claim: Claim): string;
  removeWorkspace(workspace: string): Promise<void>;
  openLog(claim: Claim, step: string, attempt: number): StepLog & { close(): Promise<void> };
  blobsFor(claim: Claim): StepContext['blobs'];
  /** Takes the claim's secrets out of a text that is reported. */
  mask(claim: Claim, text: string): string;
  labelsFor(claim: Claim, step: string): Record<string, string>;
  onError(error: unknown, context: Record<string, unknown>): void;
}

type StopDirective = Extract<Directive, { do: 'stop' }>;

/** The claim is over: nothing more may be reported. */
class ClaimOver extends Error {}

export class Attempt {
  readonly #deps: AttemptDeps;
  readonly #claim: Claim;
  readonly #workspace: string;
  /** Aborted when the claim is over: everything ends, nothing is reported. */
  readonly #over = new AbortController();
  /** Aborted by cancel or timeout: the open steps end and are reported. */
  readonly #stop = new AbortController();
  readonly #images: BuiltImage[] = [];
  #stopped: StopDirective | null = null;
  #run: Run;

  constructor(deps: AttemptDeps, claim: Claim) {
    this.#deps = deps;
    this.#claim = claim;
    this.#run = claim.run;
    this.#workspace = deps.workspaceFor(claim);
  }

  get runId(): number {
    return this.#claim.runId;
  }

  abandon(why: string): void {
    this.#over.abort(new ClaimOver(why));
  }

  async go(): Promise<void> {
    const beating = this.#heartbeats();
    try {
      await this.#prepare();
      await this.#steps();
    } catch (error) {
      await this.#broke(error);
    } finally {
      this.abandon('done');
      await beating;
      await this.#deps
        .removeWorkspace(this.#workspace)
        .catch((error: unknown) => this.#complain(error, 'removing the workspace'));
    }
  }

  async #prepare(): Promise<void> {
    if (this.#claim.plan.kind !== 'build') return;
    await this.#deps.checkout(this.#claim, this.#workspace, AbortSignal.any([this.#over.signal, this.#stop.signal]));
  }

  /** Something other than a step failed. A stop that arrived meanwhile has ended the run already, or ends it now. */
  async #broke(error: unknown): Promise<void> {
    if (this.#over.signal.aborted) return;
    if (!this.#stopped && !(error instanceof AppError)) this.#complain(error, 'executing');
    await this.#report({ type: 'errored', reason: messageOf(error) }).catch((again: unknown) => {
      if (!this.#over.signal.aborted) this.#complain(again, 'reporting');
    });
  }

  async #steps(): Promise<void> {
    const running = new Map<string, Promise<void>>();
    for (;;) {
      this.#over.signal.throwIfAborted();
      if (this.#run.status !== 'running') return;
      for (const { name } of readySteps(this.#run)) {
        if (running.has(name)) continue;
        const step = this.#step(name).finally(() => running.delete(name));
        step.catch(() => undefined); // awaited below; this only keeps a failure of a sibling from being "unhandled"
        running.set(name, step);
      }
      if (running.size === 0) return;
      await Promise.race(running.values());
    }
  }

  async #step(name: string): Promise<void> {
    const planned = this.#claim.plan.steps.find((step) => step.name === name);
    if (!planned) throw new Error(`the plan has no step ${name}`);
    await this.#report({ type: 'step.started', step: name });
    for (let tries = 0; ; tries += 1) {
      const attempt = this.#run.steps.find((step) => step.name === name)?.attempt ?? 1;
      const outcome = await this.#once(planned, attempt);
      if (outcome.result === 'failed' && tries < planned.retry && !this.#stopped) {
        await this.#report({
          type: 'step.retried',
          step: name,
          attempt: attempt + 1,
          reason: outcome.reason ?? 'failed',
        });
        await this.#pause(RETRY_PAUSE);
        continue;
      }
      this.#images.push(...(outcome.output?.images ?? []));
      await this.#report({ type: 'step.finished', step: name, ...outcome });
      return;
    }
  }

  /** One try at a step, with its log opened and closed. */
  async #once(planned: PlannedStep, attempt: number): Promise<Finished> {
    const log = this.#deps.openLog(this.#claim, planned.name, attempt);
    const restoring = planned.kind === 'deploy' && planned.what === 'restore';
    const limit = new AbortController();
    const disarm = planned.timeout === null ? () => {} : this.#deps.clock.after(planned.timeout, () => limit.abort());
    const signal = AbortSignal.any([this.#over.signal, limit.signal, ...(restoring ? [] : [this.#stop.signal])]);
    try {
      const outcome = await withGrace(
        this.#deps.execute(planned, this.#context(planned, attempt, log, signal)),
        signal,
        this.#deps.clock,
      );
      return withReason(outcome, log);
    } catch (error) {
      this.#over.signal.throwIfAborted();
      return withReason(this.#judge(error, planned, limit.signal, restoring), log);
    } finally {
      disarm();
      await log.close().catch((error: unknown) => {
        if (!this.#over.signal.aborted) this.#complain(error, `closing the log of ${planned.name}`);
      });
    }
  }

  #judge(error: unknown, planned: PlannedStep, limit: AbortSignal, restoring: boolean): Finished {
    const none = { exitCode: null } as const;
    if (this.#stopped && !restoring) {
      return {
        ...none,
        result: this.#stopped.kind === 'timeout' ? 'failed' : 'cancelled',
        reason: this.#stopped.reason,
      };
    }
    if (limit.aborted)
      return { ...none, result: 'failed', reason: `timed out after ${(planned.timeout ?? 0) / 1000} s` };
    if (error instanceof AppError && error.code === 'invalid')
      return { ...none, result: 'failed', reason: error.message };
    if (!(error instanceof AppError)) this.#complain(error, planned.name);
    return { ...none, result: 'errored', reason: messageOf(error) };
  }

  #context(planned: PlannedStep, attempt: number, log: StepLog, signal: AbortSignal): StepContext {
    return {
      claim: this.#claim,
      settings: this.#deps.settings,
      workspace: this.#workspace,
      attempt,
      log,
      blobs: this.#deps.blobsFor(this.#claim),
      images: this.#images,
      effect: (effect) => this.#report({ type: 'effect', effect }),
      labels: this.#deps.labelsFor(this.#claim, planned.name),
      signal,
    };
  }

  // ---- talking to the server ---------------------------------------------------------------------------------------

  /** Reports until the server has answered; then applies it here too, and does as it is told. */
  async #report(said: RunnerEvent): Promise<void> {
    const event = maskEvent(said, (text) => this.#deps.mask(this.#claim, text));
    for (let pause = 250; ; pause = Math.min(pause * 2, 5_000)) {
      this.#over.signal.throwIfAborted();
      try {
        const answer = await this.#deps.api.event(this.#claim.runId, this.#claim.token, event);
        this.#run = apply(this.#run, event, this.#deps.clock.now());
        this.#obey(answer);
        return;
      } catch (error) {
        this.#giveUpIfOver(error);
        this.#complain(error, `reporting ${event.type}`);
        await this.#pause(pause);
      }
    }
  }

  async #heartbeats(): Promise<void> {
    while (!this.#over.signal.aborted) {
      try {
        this.#obey(await this.#deps.api.heartbeat(this.#claim.runId, this.#claim.token, this.#over.signal));
        if (this.#stopped) await this.#pause(1_000); // what it says is known: do not ask at full speed
      } catch (error) {
        if (error instanceof AppError && error.code === 'conflict') return this.abandon(error.message);
        if (!this.#over.signal.aborted) this.#complain(error, 'heartbeat');
        await this.#pause(1_000);
      }
    }
  }

  #obey(directive: Directive): void {
    if (directive.do === 'release') {
      // After its last report the run is finished here too; before, the server has taken the claim back.
      if (this.#run.status === 'running') this.abandon('the claim was taken back');
    } else if (directive.do === 'stop' && !this.#stopped) {
      this.#stopped = directive;
      if (this.#run.status === 'running') {
        this.#run = apply(
          this.#run,
          { type: 'stop', kind: directive.kind, by: null, reason: directive.reason },
          this.#deps.clock.now(),
        );
      }
      this.#stop.abort(new Error(directive.reason));
    }
  }

  #giveUpIfOver(error: unknown): void {
    if (error instanceof AppError && error.code === 'conflict') {
      this.abandon(error.message);
      throw error;
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#over.signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.#deps.clock.after(ms, done);
      this.#over.signal.addEventListener('abort', done, { once: true });
    });
  }

  #complain(error: unknown, doing: string): void {
    this.#deps.onError(error, { run: this.#claim.runId, attempt: this.#claim.attempt, while: doing });
  }
}

interface Finished {
  result: StepOutcome['result'] | 'cancelled';
  reason: string | null;
  exitCode: number | null;
  output?: StepOutput;
}

/**
 * Reasons and what tests say of themselves come from tools and from their code: either may quote a secret. An artifact whose
 * path holds one is left out, since a masked path would name another file.
 */
function maskEvent(event: RunnerEvent, mask: (text: string) => string): RunnerEvent {
  if (event.type !== 'step.finished') return 'reason' in event ? { ...event, reason: mask(event.reason) } : event;
  const { tests, artifacts, ...others } = event.output ?? {};
  const output = {
    ...others,
    ...(tests ? { tests: tests.map((test) => maskTest(test, mask)) } : {}),
    ...(artifacts ? { artifacts: artifacts.filter(({ path }) => mask(path) === path) } : {}),
  };
  return { ...event, reason: event.reason && mask(event.reason), ...(event.output ? { output } : {}) };
}

function maskTest(test: TestResult, mask: (text: string) => string): TestResult {
  const { suite, name, message } = test;
  const cut = message === undefined ? {} : { message: mask(message).slice(0, MAX_MESSAGE) };
  return { ...test, suite: mask(suite), name: mask(name), ...cut };
}

/** The reason a step did not pass is the last line of its log. */
function withReason(outcome: Finished, log: StepLog): Finished {
  if (outcome.result !== 'passed' && outcome.reason) log.notice(`${outcome.result}: ${outcome.reason}`);
  return outcome;
}

/** Waits for `work`; once `signal` has aborted, no longer than the grace. */
async function withGrace<T>(work: Promise<T>, signal: AbortSignal, clock: Clock): Promise<T> {
  let cancel = () => {};
  const tooLate = new Promise<never>((_, reject) => {
    const give = () => {
      cancel = clock.after(ABORT_GRACE, () => reject(new Error('it did not end in time')));
    };
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    cancel();
  }
}
