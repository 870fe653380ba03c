/** `slipway build` and `slipway logs`. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { type Api, at, type BuildView, connect, type Page, type RunView, unreachable } from './client.ts';
import { CliError, EXIT, type ExitCode, usage } from './exit.ts';
import { paint, state } from './output.ts';
import { patiently, report, type WaitOptions } from './wait.ts';

interface BuildOptions extends WaitOptions {
  project: string;
  pipeline: string;
  branch?: string;
  revision?: string;
  param?: Record<string, string>;
  idempotencyKey?: string;
}

interface LogOptions {
  follow?: boolean;
  json?: boolean;
}

export function addBuildCommands(program: Command, run: RunCommand): void {
  program
    .command('build')
    .description('build the head of a branch, or a revision')
    .requiredOption('-p, --project <project>', 'the project')
    .requiredOption('-w, --pipeline <pipeline>', 'the pipeline')
    .option('-b, --branch <branch>', "the branch (default: the pipeline's first)")
    .option('-r, --revision <revision>', 'a commit or SVN revision (default: the head)')
    .option('--param <name=value>', 'a parameter of the pipeline; repeat it for more', parameter)
    .option('--idempotency-key <key>', 'the same key starts one build, however often it is sent')
    .option('--wait', 'wait for the end; exit 1 where the build does not pass')
    .option('--json', 'print the build as JSON')
    .addHelpText(
      'after',
      `
Examples:
  slipway build -p shop -w api --wait
  slipway build -p shop -w api -b release/2.4 -r 9f3c1a7b --param level=full`,
    )
    .action((options: BuildOptions) => run(() => build(connect(), options)));

  program
    .command('logs')
    .description('print the logs of a build or a deployment')
    .argument('<run>', 'PROJECT/PIPELINE#NUMBER or PROJECT/ENVIRONMENT#NUMBER; the latest one without #NUMBER')
    .argument('[step]', 'only this step (default: all, in the order in which they began)')
    .option('-f, --follow', 'go on until the run is finished; exit 1 where it does not pass')
    .option('--json', 'print one JSON object per line: {step, text}')
    .addHelpText(
      'after',
      `
Examples:
  slipway logs shop/api#128 unit
  slipway logs -f shop/api
  slipway logs shop/PRO#7`,
    )
    .action((build: string, step: string | undefined, options: LogOptions) =>
      run(() => logs(connect(), build, step, options)),
    );
}

export type RunCommand = (command: () => Promise<ExitCode>) => Promise<void>;

export function parameter(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw usage(`--param ${text}: expected name=value`);
  return { ...before, [name]: value };
}

async function build(api: Api, options: BuildOptions): Promise<ExitCode> {
  const builds = at`/projects/${options.project}/pipelines/${options.pipeline}/builds`;
  const body = { branch: options.branch, revision: options.revision, parameters: options.param };
  const headers = options.idempotencyKey ? { 'idempotency-key': options.idempotencyKey } : {};
  const started = await api.post<BuildView>(builds, body, headers);
  return report(api, started, {
    ...options,
    path: `${builds}/${started.number}`,
    title: `${options.project}/${options.pipeline}#${started.number}`,
  });
}

// ---- logs ------------------------------------------------------------------------------------------------------------

async function logs(api: Api, name: string, only: string | undefined, options: LogOptions): Promise<ExitCode> {
  const path = await runPath(api, name);
  const printed = new Set<string>();
  for (;;) {
    const run = await patiently(() => api.get<RunView>(path));
    const known = run.steps.map((step) => step.name);
    if (only !== undefined && !known.includes(only)) {
      throw usage(`${name} has no step ${only}: its steps are ${known.join(', ')}`);
    }
    const begun = run.steps
      .filter((step) => step.startedAt !== null && !printed.has(step.name) && (only ?? step.name) === step.name)
      .sort((a, b) => Date.parse(a.startedAt ?? '') - Date.parse(b.startedAt ?? ''));
    for (const step of begun) {
      printed.add(step.name);
      if (only === undefined && !options.json) console.log(paint('bold', `── ${step.name}`));
      await printLog(api, `${path}/steps/${encodeURIComponent(step.name)}/log`, step.name, options);
    }
    if (run.status === 'finished' && begun.length === 0) return options.follow ? verdict(name, run, options) : EXIT.ok;
    if (!options.follow) return EXIT.ok;
    if (begun.length === 0) await sleep(500);
  }
}

function verdict(name: string, run: RunView, options: LogOptions): ExitCode {
  if (!options.json) console.error(`${name} ${state(run)}${run.reason ? `: ${run.reason}` : ''}`);
  return run.result === 'passed' ? EXIT.ok : EXIT.failed;
}

/** A name is a pipeline's or an environment's: pipelines are asked first. */
async function runPath(api: Api, name: string): Promise<string> {
  const [, project, owner, number] = /^([^/#]+)\/([^/#]+)(?:#(\d+))?$/.exec(name) ?? [];
  if (!project || !owner) throw usage(`${name}: expected PROJECT/PIPELINE#NUMBER or PROJECT/ENVIRONMENT#NUMBER`);
  const pipelines = (await api.get<Page<{ name: string }>>(at`/projects/${project}/pipelines`)).items;
  const environments = (await api.get<Page<{ name: string }>>(at`/projects/${project}/environments`)).items;
  const names = [...pipelines, ...environments].map((each) => each.name);
  if (!names.includes(owner))
    throw usage(`${project} has neither a pipeline nor an environment ${owner}: it has ${names.join(', ')}`);
  const isPipeline = pipelines.some((each) => each.name === owner);
  const runs = isPipeline
    ? at`/projects/${project}/pipelines/${owner}/builds`
    : at`/projects/${project}/environments/${owner}/deployments`;
  if (number) return `${runs}/${number}`;
  const [latest] = (await api.get<Page<RunView>>(runs)).items;
  if (!latest) throw new CliError(EXIT.refused, `${name} has no ${isPipeline ? 'build' : 'deployment'} yet`);
  return `${runs}/${latest.number}`;
}

/** Bytes go through as they are. A stream that breaks is taken up where it ended. */
async function printLog(api: Api, path: string, step: string, options: LogOptions): Promise<void> {
  let offset = 0;
  await patiently(async () => {
    const response = await openLog(api, `${path}${options.follow ? '?follow=1' : ''}`, offset);
    const decoder = new TextDecoder();
    try {
      for await (const chunk of response?.body ?? []) {
        offset += chunk.byteLength;
        if (options.json) printJsonLine({ step, text: decoder.decode(chunk, { stream: true }) });
        else if (!process.stdout.write(chunk)) await new Promise((resolve) => process.stdout.once('drain', resolve));
      }
    } catch (thrown) {
      throw unreachable(api.url, thrown);
    }
  });
}

async function openLog(api: Api, path: string, offset: number): Promise<Response | null> {
  try {
    return await api.open(path, offset > 0 ? { range: `bytes=${offset}-` } : {});
  } catch (thrown) {
    // Nothing was written yet, or nothing more.
    const { status } = thrown instanceof CliError ? thrown.problem : {};
    if (status === 416 || (status === 404 && offset === 0)) return null;
    throw thrown;
  }
}

const printJsonLine = (value: unknown): void => console.log(JSON.stringify(value));
