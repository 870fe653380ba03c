/** Scripts on the runner's own machine, for what no container can do; only where the runner's owner allows it. */
import { constants } from 'node:os';
import type { RunStep } from '../../pipelines/model.ts';
import { stepCookie } from '../labels.ts';
import { exec } from '../tools/exec.ts';
import type { ScriptEnd } from './run.ts';
import type { StepContext } from './step.ts';

/** The server owns the deadline of a step (it aborts `signal`); this one only keeps a lost abort from lasting for ever. */
const LAST_RESORT_MS = 24 * 60 * 60_000;
/** TERM and KILL must both fit into the 10 s that an aborted step has. */
const GRACE_MS = 3_000;

/** `exec` ends whatever bears the step's cookie when the script has ended: daemons and what ignores TERM, too. */
export async function runOnHost(
  step: RunStep,
  script: string,
  env: Record<string, string>,
  context: StepContext,
): Promise<ScriptEnd> {
  const { claim, log, settings, signal, workspace } = context;
  if (step.cache.length > 0) log.notice('cache: has no effect on the host, where files stay anyway');
  if (step.services.length > 0) log.notice('services: have no effect on the host');
  const result = await exec({
    command: 'sh',
    args: ['-e', '-c', script],
    cwd: workspace,
    env: { ...env, SLIPWAY_WORKSPACE: workspace },
    timeoutMs: LAST_RESORT_MS,
    cookie: stepCookie(settings.instance, claim.runId, step.name),
    onOutput: (bytes) => {
      log.write(bytes);
      return log.drained();
    },
    maxCapture: 0,
    graceMs: GRACE_MS,
    signal,
  });
  if (result.timedOut) return { exitCode: endedBy('SIGKILL'), reason: 'ended after 24 hours' };
  if (result.signal) return { exitCode: endedBy(result.signal), reason: `ended by ${result.signal}` };
  const exitCode = result.code ?? 1;
  return { exitCode, reason: exitCode === 0 ? null : `exit code ${exitCode}` };
}

/** As a shell reports it. */
const endedBy = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];
