/** One build of the files at hand, without a server: what a server would answer its runner, and where the files come from. */
import { copyFile, cp, lstat, mkdir, readlink, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { AppError, invalid } from '../pipelines/errors.ts';
import type { RunEvent, RunnerEvent } from '../pipelines/events.ts';
import type { BuildPlan, BuildRun, PlannedStep } from '../pipelines/model.ts';
import { initialSteps } from '../pipelines/plan.ts';
import type { Claim, Clock, Directive, LogRef, RunnerApi, Scm } from '../pipelines/ports.ts';
import { apply } from '../pipelines/transition.ts';
import { exec } from './tools/exec.ts';

/** Who watches a local run. */
export interface LocalRunWatcher {
  /** In order of each step's log; masked. */
  output(step: string, bytes: Uint8Array): void;
  /** `run` is what `event` has made of it. */
  event(event: RunnerEvent, run: BuildRun): void | Promise<void>;
}

export interface LocalRunOptions {
  plan: BuildPlan;
  secrets: Record<string, string>;
  /** Tells this run from others of this machine at the same time. */
  runId: number;
  logLimit: number;
  clock: Clock;
  watcher: LocalRunWatcher;
}

const TOKEN = 'local';

/** The server of one run, in the runner's own process: it keeps no record, and a stop is its only order. */
export class LocalRun implements Omit<RunnerApi, 'register' | 'claim'> {
  readonly claim: Claim;
  readonly #options: LocalRunOptions;
  readonly #stopping = new AbortController();
  #directive: Directive = { do: 'continue' };
  #run: BuildRun;

  constructor(options: LocalRunOptions) {
    const { plan, secrets, runId, logLimit, clock } = options;
    this.#options = options;
    this.#run = apply(
      queuedRun(plan, runId, clock.now()),
      { type: 'claimed', runner: 'local', token: TOKEN },
      clock.now(),
    );
    this.claim = {
      runId,
      token: TOKEN,
      attempt: this.#run.attempt,
      run: this.#run,
      plan,
      secrets,
      credentials: { source: null, sources: {}, registry: null },
      previous: null,
      logLimit,
    };
  }

  get run(): BuildRun {
    return this.#run;
  }

  /** Ends what is open; the first reason counts. */
  stop(kind: 'cancel' | 'timeout', reason: string): void {
    if (this.#stopping.signal.aborted || this.#run.status !== 'running') return;
    this.#apply({ type: 'stop', kind, by: null, reason });
    this.#directive = { do: 'stop', kind, reason };
    this.#stopping.abort();
  }

  heartbeat(_runId: number, _token: string, signal: AbortSignal): Promise<Directive> {
    const either = AbortSignal.any([signal, this.#stopping.signal]);
    if (either.aborted) return Promise.resolve(this.#directive);
    return new Promise((resolve) => either.addEventListener('abort', () => resolve(this.#directive), { once: true }));
  }

  async event(_runId: number, _token: string, event: RunnerEvent): Promise<Directive> {
    this.#apply(event);
    await this.#options.watcher.event(event, this.#run);
    return this.#directive;
  }

  async log(ref: LogRef, _token: string, offset: number, chunk: Uint8Array): Promise<number> {
    this.#options.watcher.output(ref.step, chunk);
    return offset + chunk.length;
  }

  async closeLog(): Promise<void> {}

  /** Nothing is kept: the artifacts are still in the workspace when the watcher hears of them. */
  async putBlob(_run: number, _token: string, _sha256: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const _ of content);
  }

  async getBlob(): Promise<never> {
    throw new AppError('not_found', 'a local run keeps no files');
  }

  #apply(event: RunEvent): void {
    this.#run = apply(this.#run, event, this.#options.clock.now());
  }
}

function queuedRun(plan: BuildPlan, id: number, now: number): BuildRun {
  const steps = initialSteps(plan);
  return {
    ...{
      id,
      kind: 'build',
      projectId: 0,
      pipelineId: 0,
      number: plan.number,
      trigger: plan.trigger,
      requestedBy: null,
    },
    ...{
      pool: 'default',
      status: 'queued',
      result: null,
      reason: null,
      attempt: 0,
      losses: 0,
      effect: 'none',
      stop: null,
    },
    ...{ runner: null, token: null, steps, queuedAt: now, startedAt: null, finishedAt: null },
    ...{ branch: plan.branch, revision: plan.revision, parameters: {}, changes: [], moreChanges: false, images: [] },
    ...{ version: plan.env.SLIPWAY_VERSION ?? '', release: null },
  };
}

/** What of `plan` can be done without a server: no release is collected, since nothing it could name was pushed. */
export function withoutRelease(plan: BuildPlan): BuildPlan {
  return { ...plan, release: null, steps: plan.steps.filter((step) => step.kind !== 'inspect') };
}

/** `names` and all that they need, in the order of the file. Those named are run whatever their `when:` says. */
export function onlySteps(plan: BuildPlan, names: readonly string[]): BuildPlan {
  const wanted = new Set<string>();
  const want = (name: string): void => {
    if (wanted.has(name)) return;
    wanted.add(name);
    for (const need of plan.steps.find((step) => step.name === name)?.needs ?? []) want(need);
  };
  for (const name of names) want(name);
  const asked = (step: PlannedStep): PlannedStep => (names.includes(step.name) ? { ...step, skip: null } : step);
  return { ...plan, steps: plan.steps.filter(({ name }) => wanted.has(name)).map(asked) };
}

// ---- the files -------------------------------------------------------------------------------------------------------

export interface WorkingTree {
  folder: string;
  branch: string;
  revision: string;
  /** Files below `folder`; null where it is no Git checkout, and then everything there is taken. */
  files: string[] | null;
}

const GIT_TIMEOUT_MS = 60_000;
const NO_REVISION = '0'.repeat(40);

/** Looks at `folder`: what Git tracks there, and what it would if all were added. */
export async function readWorkingTree(folder: string, signal: AbortSignal): Promise<WorkingTree> {
  const git = async (...args: string[]): Promise<string | null> => {
    // The user's own settings count: what they ignore everywhere is no part of this checkout.
    const env = { HOME: homedir() };
    const spec = {
      command: 'git',
      args,
      cwd: folder,
      env,
      timeoutMs: GIT_TIMEOUT_MS,
      maxCapture: 64 * 1024 ** 2,
      signal,
    };
    const { code, stdout } = await exec(spec);
    return code === 0 ? stdout : null;
  };
  const listed = await git('ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate');
  if (listed === null) return { folder, branch: 'local', revision: NO_REVISION, files: null };
  const branch = await git('symbolic-ref', '--quiet', '--short', 'HEAD');
  const revision = await git('rev-parse', '--verify', '--quiet', 'HEAD');
  return {
    folder,
    branch: branch?.trim() ?? 'HEAD',
    revision: revision?.trim() ?? NO_REVISION,
    files: listed.split('\0').filter(Boolean),
  };
}

/** Fills the workspace with a copy, so that no step can touch the checkout. */
export const checkoutOf = (tree: WorkingTree): Pick<Scm, 'checkout'> => ({
  checkout: async (_access, _at, into, signal) => {
    if (tree.files === null) return copyAll(tree.folder, into);
    const left = tree.files.values();
    const worker = async () => {
      for (const file of left) {
        signal.throwIfAborted();
        await copyOne(path.join(tree.folder, file), path.join(into, file));
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  },
});

const copyAll = (folder: string, into: string): Promise<void> =>
  cp(folder, into, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !['.git', '.svn'].includes(path.basename(source)),
  });

async function copyOne(from: string, to: string): Promise<void> {
  const stat = await lstat(from).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
    return null; // deleted, but not committed yet
  });
  // A folder is a submodule: a checkout by the server leaves it out, too.
  if (stat === null || stat.isDirectory()) return;
  await mkdir(path.dirname(to), { recursive: true });
  if (stat.isSymbolicLink()) await symlink(await readlink(from), to);
  else if (stat.isFile()) await copyFile(from, to);
  else throw invalid(`${from} is neither a file nor a link`);
}
