/** The `run` step: a script in a container of its own, or on the runner's host. */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { invalid } from '../../pipelines/errors.ts';
import type { BuildPlan, RunStep, StepOutput } from '../../pipelines/model.ts';
import { LABEL } from '../labels.ts';
import { pack } from '../tools/archive.ts';
import { type ContainerMount, runContainer } from '../tools/containers.ts';
import { engineClient } from '../tools/engine.ts';
import { credentialsFor, ensureImage } from '../tools/pull.ts';
import { collectArtifacts, collectTests } from './collect.ts';
import { runOnHost } from './host.ts';
import { buildScript } from './script.ts';
import { withServices } from './services.ts';
import { requireShared } from './shared-folder.ts';
import type { StepContext, StepExecutor, StepOutcome } from './step.ts';
import { giveWorkspace, imageUser, type Owner } from './workspace.ts';

export const WORKSPACE = '/workspace';
/** Linux takes no single argument of more than 128 KiB. */
const MAX_SCRIPT = 120 * 1024;

/** How a script ended; `reason` is null when it passed. */
export interface ScriptEnd {
  exitCode: number;
  reason: string | null;
}

export const runStep: StepExecutor<RunStep> = async (step, context) => {
  const { plan } = context.claim;
  if (plan.kind !== 'build') throw new Error(`a ${plan.kind} has no run steps`);
  const refusal = step.image === null ? hostRefusal(plan, context) : null;
  if (refusal !== null) return { result: 'errored', reason: refusal, exitCode: null };
  const script = buildScript(step.run);
  if (Buffer.byteLength(script) > MAX_SCRIPT) {
    throw invalid(
      `the script is longer than ${MAX_SCRIPT / 1024} KiB: keep it in a file of the repository`,
      `steps.${step.name}.run`,
    );
  }
  const env = { ...plan.env, ...step.env, ...namedSecrets(step, context) };
  const end =
    step.image === null
      ? await runOnHost(step, script, env, context)
      : await runInside(step.image, step, plan, script, env, context);
  return outcome(step, end, context);
};

function hostRefusal(plan: BuildPlan, { settings }: StepContext): string | null {
  if (plan.foreign) return 'a pull request runs no steps on the host: give the step an image';
  if (settings.allowHostSteps) return null;
  return 'this runner allows no steps on its host: set SLIPWAY_ALLOW_HOST_STEPS there, or give the step an image';
}

/** Only those that the step names, and that the run may have. */
function namedSecrets(step: RunStep, { claim }: StepContext): Record<string, string> {
  return Object.fromEntries(
    step.secrets.flatMap((name) => {
      const value = claim.secrets[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

async function runInside(
  reference: string,
  step: RunStep,
  plan: BuildPlan,
  script: string,
  env: Record<string, string>,
  context: StepContext,
): Promise<ScriptEnd> {
  const { log, signal, claim } = context;
  const docker = engineClient(null);
  const ensure = (image: string) =>
    ensureImage(docker, image, credentialsFor(image, plan.registry, claim.credentials.registry), log.notice, signal);
  const image = await ensure(reference);
  await requireShared(docker, image.Id, context.settings.folder, context.labels);
  const owner = await imageUser(docker, image, context.labels);
  if (owner) await giveWorkspace(context.workspace, owner, signal);
  return withServices(docker, step.services, ensure, context, async (network) => {
    const exit = await runContainer(
      docker,
      {
        image: image.Id,
        script,
        env: { ...env, SLIPWAY_WORKSPACE: WORKSPACE },
        mounts: [{ kind: 'folder', source: context.workspace, target: WORKSPACE }, ...cacheMounts(step, plan, context)],
        workdir: WORKSPACE,
        labels: context.labels,
        networks: network === null ? [] : [network],
        limits: { memory: step.memory, cpus: step.cpus },
        ...(owner && step.cache.length > 0 ? { files: cacheFolders(step, owner) } : {}),
      },
      {
        onOutput: (bytes) => {
          log.write(bytes);
          return log.drained();
        },
      },
      signal,
    );
    return { exitCode: exit.exitCode, reason: reasonOf(exit, step) };
  });
}

function reasonOf(exit: { exitCode: number; oomKilled: boolean }, step: RunStep): string | null {
  if (exit.exitCode === 0) return null;
  if (!exit.oomKilled) return `exit code ${exit.exitCode}`;
  return step.memory === null ? 'out of memory' : `out of memory (limit ${Math.round(step.memory / 1024 ** 2)} MiB)`;
}

/** One volume for each (installation, project, pipeline, path); pull requests have their own, lest they poison the others'. */
function cacheMounts(step: RunStep, plan: BuildPlan, { settings }: StepContext): ContainerMount[] {
  return step.cache.map(cacheTarget).map((target) => {
    const owner = [settings.instance, plan.project, plan.pipeline, ...(plan.foreign ? [plan.branch] : [])];
    const key = JSON.stringify([...owner, target]);
    const source = `slipway-cache-${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;
    return { kind: 'volume', source, target, labels: { [LABEL.instance]: settings.instance, [LABEL.role]: 'cache' } };
  });
}

const cacheTarget = (path: string): string => posix.resolve(WORKSPACE, path);

/** A new volume belongs to root: given to the image's user through the archive that is unpacked before the start. */
const cacheFolders = (step: RunStep, owner: Owner) =>
  pack(step.cache.map((path) => ({ path: `${cacheTarget(path).slice(1)}/`, folder: true, mode: 0o755, owner })));

/** Reports and artifacts are collected however the script ended: a failure is when they are needed. */
async function outcome(step: RunStep, end: ScriptEnd, context: StepContext): Promise<StepOutcome> {
  const tests = await collectTests(step, context);
  const { artifacts, problem } = await collectArtifacts(step, context);
  const failed = tests.filter(({ result }) => result === 'failed').length;
  const reason = end.reason ?? (failed > 0 ? `${failed} of ${tests.length} tests failed` : problem);
  if (problem !== null && reason !== problem) context.log.notice(problem);
  const output: StepOutput = { ...(tests.length > 0 ? { tests } : {}), ...(artifacts.length > 0 ? { artifacts } : {}) };
  return { result: reason === null ? 'passed' : 'failed', reason, exitCode: end.exitCode, output };
}
