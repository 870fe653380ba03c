/** `slipway run`: a pipeline's steps from this checkout, without a server. The composition root of that one command. */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { messageOf } from '../../pipelines/errors.ts';
import type { RunnerEvent } from '../../pipelines/events.ts';
import type { BuildPlan, BuildRun, TestResult } from '../../pipelines/model.ts';
import { suggestion } from '../../pipelines/nearest.ts';
import { parsePipeline } from '../../pipelines/parse.ts';
import { planBuild } from '../../pipelines/plan.ts';
import { matrixCells } from '../../pipelines/plan-matrix.ts';
import type { PipelineFile } from '../../pipelines/schema.ts';
import { Attempt } from '../../runner/attempt.ts';
import {
  checkoutOf,
  LocalRun,
  onlySteps,
  readWorkingTree,
  type WorkingTree,
  withoutRelease,
} from '../../runner/local-run.ts';
import { attemptDeps } from '../../runner/main.ts';
import { sweep } from '../../runner/sweep.ts';
import { pendingRemovals } from '../../runner/tools/containers.ts';
import { systemClock } from '../clock.ts';
import { readConfig } from '../config.ts';
import { EXIT, type ExitCode, usage } from './exit.ts';
import { paint, printJson, state } from './output.ts';
import { StepPrinter } from './step-printer.ts';

export interface RunOptions {
  file: string;
  secret?: string[];
  param?: Record<string, string>;
  artifacts?: string;
  json?: boolean;
}

export async function runHere(step: string | undefined, options: RunOptions): Promise<ExitCode> {
  const config = readConfig(process.env);
  const file = await readPipeline(options.file);
  const secrets = secretsOf(options.secret ?? []);
  const tree = await readWorkingTree(process.cwd(), AbortSignal.timeout(60_000));
  const plan = planOf(file, tree, options.param ?? {}, step);
  const printer = new StepPrinter(
    plan.steps.map(({ name }) => name),
    options.json ? process.stderr : process.stdout,
  );
  for (const line of introduction(file, plan, tree, secrets)) printer.say(line);

  const settings = {
    instance: instanceOf(tree.folder),
    folder: path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'slipway', 'run'),
    allowHostSteps: config.allowHostSteps,
    caFile: config.caFile,
    buildOnly: true,
  };
  const complain = (error: unknown, context: Record<string, unknown>) =>
    printer.say(`slipway: ${String(context.while ?? 'internal error')}: ${messageOf(error)}`);
  const workspace = path.join(settings.folder, 'workspaces', String(process.pid));
  const outputs: Outputs = { tests: [], artifacts: [] };
  const run = new LocalRun({
    plan,
    secrets,
    runId: process.pid,
    logLimit: config.logLimit,
    clock: systemClock,
    watcher: {
      output: (name, bytes) => printer.write(name, bytes),
      event: async (event, now) => {
        printer.event(event, now);
        await keep(event, outputs, workspace, options.artifacts);
      },
    },
  });
  const deps = attemptDeps({
    api: run,
    clock: systemClock,
    settings,
    scm: () => checkoutOf(tree),
    onError: complain,
  });
  const release = endOnSignals(run, printer);
  const disarm = systemClock.after(plan.timeout, () =>
    run.stop('timeout', `the run took longer than ${plan.timeout / 1000} s`),
  );
  try {
    await mkdir(settings.folder, { recursive: true, mode: 0o700 });
    await sweepDead(settings).catch((error: unknown) =>
      complain(error, { while: 'clearing up after runs that were killed' }),
    );
    await new Attempt(deps, run.claim).go();
    await pendingRemovals();
  } finally {
    disarm();
    release();
  }
  return report(run.run, outputs, printer, options);
}

// ---- what is run -----------------------------------------------------------------------------------------------------

async function readPipeline(name: string): Promise<PipelineFile> {
  const text = await readFile(name, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw usage(
      `cannot read ${name} (${error.code}): run this in the folder of a repository that has one, or name another with --file`,
    );
  });
  const parsed = parsePipeline(text);
  if (parsed.ok) return parsed.file;
  throw usage(parsed.errors.map(({ message, line, column }) => `${name}:${line}:${column} ${message}`).join('\n'));
}

/** Values come from the environment, never from arguments, which every user of the machine can read. */
function secretsOf(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      const value = process.env[name];
      if (!value) throw usage(`--secret ${name}: there is no environment variable ${name} to take it from`);
      return [name, value];
    }),
  );
}

function planOf(
  file: PipelineFile,
  tree: WorkingTree,
  parameters: Record<string, string>,
  step: string | undefined,
): BuildPlan {
  const all = withoutRelease(
    planBuild(file, {
      project: slug(path.basename(tree.folder)),
      pipeline: 'local',
      number: 0,
      trigger: 'manual',
      source: { kind: 'git', url: tree.folder, branches: [tree.branch] },
      branch: tree.branch,
      revision: tree.revision,
      externals: [],
      sources: [],
      registry: null,
      now: systemClock.now(),
      parameters,
      changedPaths: null,
    }),
  );
  if (step === undefined) return all;
  const names = all.steps.map(({ name }) => name);
  const cells = names.includes(step) ? [step] : matrixCells(step, file.steps[step]?.matrix).map(({ name }) => name);
  if (!cells.every((name) => names.includes(name)))
    throw usage(`there is no step ${step} (the steps are ${names.join(', ')})${suggestion(step, names)}`);
  return onlySteps(all, cells);
}

const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40) || 'project';

function introduction(
  file: PipelineFile,
  plan: BuildPlan,
  { branch, files }: WorkingTree,
  secrets: Record<string, string>,
): string[] {
  const named = new Set(plan.steps.flatMap((step) => ('secrets' in step ? step.secrets : [])));
  const missing = [...named].filter((name) => secrets[name] === undefined);
  const what =
    files === null ? 'all files of this folder, which is no Git checkout' : `${files.length} files of ${branch}`;
  return [
    paint('dim', `${what}; nothing is pushed or deployed${file.release ? ', and no release is made' : ''}`),
    ...missing.map((name) => `the secret ${name} is not set: --secret ${name} takes it from the environment`),
  ];
}

/** Of this checkout: its caches are found again, and what a run of it left is cleared up by the next one. */
const instanceOf = (folder: string): string => createHash('sha256').update(folder).digest('hex').slice(0, 32);

/** Runs are numbered by process: those whose process lives are left alone. */
async function sweepDead(settings: { instance: string; folder: string }): Promise<void> {
  const alive = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  await sweep(
    settings,
    alive.filter((pid) => pid !== process.pid),
    AbortSignal.timeout(60_000),
  );
}

// ---- while it runs ---------------------------------------------------------------------------------------------------

/** The first Ctrl-C ends the run and clears up, the second one does not wait for that. */
function endOnSignals(run: LocalRun, printer: StepPrinter): () => void {
  // The engine's socket and timers do not keep a process that only waits.
  const alive = setInterval(() => {}, 2 ** 30);
  let asked = false;
  const end = () => {
    if (asked) process.exit(EXIT.failed);
    asked = true;
    printer.say('stopping; once more to stop at once');
    run.stop('cancel', 'stopped by you');
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  return () => {
    clearInterval(alive);
    for (const signal of signals) process.off(signal, end);
  };
}

interface Outputs {
  tests: TestResult[];
  artifacts: string[];
}

async function keep(event: RunnerEvent, outputs: Outputs, workspace: string, into: string | undefined): Promise<void> {
  if (event.type !== 'step.finished') return;
  outputs.tests.push(...(event.output?.tests ?? []));
  for (const { path: file } of event.output?.artifacts ?? []) {
    outputs.artifacts.push(file);
    if (into === undefined) continue;
    await mkdir(path.dirname(path.join(into, file)), { recursive: true });
    await copyFile(path.join(workspace, file), path.join(into, file));
  }
}

// ---- what became of it -----------------------------------------------------------------------------------------------

const MAX_SHOWN = 20;

function report(run: BuildRun, outputs: Outputs, printer: StepPrinter, options: RunOptions): ExitCode {
  const failed = outputs.tests.filter(({ result }) => result === 'failed');
  const skipped = outputs.tests.filter(({ result }) => result === 'skipped');
  const tests = {
    total: outputs.tests.length,
    passed: outputs.tests.length - failed.length - skipped.length,
    failed: failed.length,
    skipped: skipped.length,
    items: outputs.tests,
  };
  for (const { suite, name, message } of failed.slice(0, MAX_SHOWN))
    printer.say(`${paint('red', '✗')} ${suite} › ${name}${message ? `: ${message.split('\n')[0]}` : ''}`);
  if (tests.total > 0) printer.say(`tests: ${tests.passed} passed, ${tests.failed} failed, ${tests.skipped} skipped`);
  if (outputs.artifacts.length > 0) printer.say(artifactsLine(outputs.artifacts.length, options.artifacts));
  const seconds = ((run.finishedAt ?? 0) - (run.startedAt ?? 0)) / 1000;
  const reason = run.result === 'passed' || !run.reason ? '' : `: ${run.reason}`;
  printer.say(`${state(run)} after ${seconds.toFixed(1)} s${reason}`);
  if (options.json) {
    const steps = run.steps.map(({ name, kind, result, reason, exitCode, startedAt, finishedAt }) => ({
      ...{ name, kind, result, reason, exitCode },
      seconds: startedAt === null || finishedAt === null ? null : (finishedAt - startedAt) / 1000,
    }));
    const { result, branch, revision } = run;
    printJson({ result, reason: run.reason, branch, revision, steps, tests, artifacts: outputs.artifacts });
  }
  return run.result === 'passed' ? EXIT.ok : EXIT.failed;
}

const artifactsLine = (count: number, into: string | undefined): string =>
  `artifacts: ${count === 1 ? '1 file' : `${count} files`}, ${into === undefined ? 'not kept (--artifacts FOLDER keeps them)' : `in ${into}`}`;
