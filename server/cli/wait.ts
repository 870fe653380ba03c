/** Follows a run until it is finished, telling what changes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Api, RunView } from './client.ts';
import { CliError, EXIT, type ExitCode } from './exit.ts';
import { paint, printJson, state } from './output.ts';

const POLL = 1000;
/** A restart of the server should not end a wait. */
const PATIENCE = 60;

export async function waitForRun<T extends RunView>(api: Api, path: string, tell: (line: string) => void): Promise<T> {
  const told = new Set<string>();
  const once = (line: string): void => {
    if (!told.has(line)) tell(line);
    told.add(line);
  };
  for (;;) {
    const run = await patiently(() => api.get<T>(path));
    for (const step of run.steps) {
      if (step.status !== 'waiting') once(`  ${state(step)} ${step.name}`);
    }
    if (run.status === 'waiting') for (const line of waitsFor(run)) once(line);
    if (run.status === 'finished') return run;
    await sleep(POLL);
  }
}

const waitsFor = (run: RunView): string[] =>
  (run.gates ?? []).filter((gate) => !gate.open).map((gate) => `  ${paint('yellow', '✋ waiting')} ${gate.message}`);

export async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let left = PATIENCE; ; left -= 1) {
    try {
      return await call();
    } catch (thrown) {
      const away = thrown instanceof CliError && thrown.exitCode === EXIT.unreachable;
      if (!away || left === 0) throw thrown;
      await sleep(POLL);
    }
  }
}

export interface WaitOptions {
  wait?: boolean;
  json?: boolean;
}

/** What `build`, `promote`, `approve` and `rollback` do once the server has accepted: report, and wait where asked to. */
export async function report<T extends RunView>(
  api: Api,
  run: T,
  options: WaitOptions & { path: string; title: string },
): Promise<ExitCode> {
  const tell = (line: string): void => {
    if (!options.json) console.log(line);
  };
  tell(`${options.title} ${state(run)}`);
  if (!options.wait) {
    if (run.status === 'waiting') for (const line of waitsFor(run)) tell(line);
    if (options.json) printJson(run);
    return EXIT.ok;
  }
  const end = await waitForRun<T>(api, options.path, tell);
  tell(`${options.title} ${state(end)}${end.reason ? `: ${end.reason}` : ''}`);
  if (options.json) printJson(end);
  return end.result === 'passed' ? EXIT.ok : EXIT.failed;
}
