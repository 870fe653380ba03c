/** Tests what was deployed, from inside: a script on the environment's own engine and the stack's own network. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import type Docker from 'dockerode';
import picomatch from 'picomatch';
import type { DeploymentPlan, StepOutput, VerifyStep } from '../../pipelines/model.ts';
import { type ArchiveFile, type ArchiveFolder, pack, readFromContainer } from '../tools/archive.ts';
import { stackEngine } from '../tools/compose.ts';
import { asEngineError, type ContainerExit, removeBehind, removeContainer, runContainer } from '../tools/containers.ts';
import { engineClient } from '../tools/engine.ts';
import { readBlob } from '../tools/files-volume.ts';
import { credentialsFor, ensureImage } from '../tools/pull.ts';
import { collectArtifacts, collectTests } from './collect.ts';
import { stackOf } from './inspect.ts';
import { WORKSPACE } from './run.ts';
import { buildScript } from './script.ts';
import { withServices } from './services.ts';
import type { StepContext, StepExecutor, StepOutcome } from './step.ts';
import { imageUser, type Owner } from './workspace.ts';

/** Bytes below the folder that a pattern of reports or artifacts begins with: the engine sends them all. */
const COLLECT_LIMIT = 20 * 1024 * 1024;
const ROOT: Owner = { uid: 0, gid: 0 };

export const verifyStep: StepExecutor<VerifyStep> = async (step, context) => {
  const { claim, log, signal } = context;
  const { plan } = claim;
  if (plan.kind !== 'deployment') throw new Error(`a ${plan.kind} cannot verify`);
  if (step.image === null) {
    const reason = 'a verify step runs on the engine of the environment: give it an image instead of host: true';
    return { result: 'errored', reason, exitCode: null };
  }
  const docker = engineClient(plan.engine);
  const ensure = (image: string) =>
    ensureImage(docker, image, credentialsFor(image, plan.registry, claim.credentials.registry), log.notice, signal);
  const image = await ensure(step.image);
  const owner = (await imageUser(docker, image, context.labels)) ?? ROOT;
  const networks = await stackNetworks(docker, plan, log.notice, signal);
  const exit = await withServices(docker, step.services, ensure, context, async (network) =>
    runContainer(
      docker,
      {
        image: image.Id,
        script: buildScript(step.run),
        env: environmentOf(step, plan, claim.secrets),
        mounts: [],
        workdir: WORKSPACE,
        labels: context.labels,
        networks: network === null ? networks : [...networks, network],
        limits: { memory: step.memory, cpus: step.cpus },
        files: pack(await workspaceOf(plan, owner, context)),
        keep: true,
      },
      {
        onOutput(bytes) {
          log.write(bytes);
          return log.drained();
        },
      },
      signal,
    ),
  );
  try {
    const outcome = await outcomeOf(step, exit, docker.getContainer(exit.id), context);
    // The restore that follows takes the evidence away.
    if (outcome.result === 'failed') await stackEngine(plan.engine, null).explain(stackOf(context), log.notice, signal);
    return outcome;
  } finally {
    removeBehind(`container ${exit.id}`, () => removeContainer(docker, exit.id));
  }
};

function environmentOf(
  step: VerifyStep,
  plan: DeploymentPlan,
  secrets: Record<string, string>,
): Record<string, string> {
  const named = Object.entries(secrets).filter(([name]) => step.secrets.includes(name));
  return { ...plan.env, ...step.env, ...Object.fromEntries(named), SLIPWAY_WORKSPACE: WORKSPACE };
}

/** The stack's default network; where it has none, all it has. */
async function stackNetworks(
  docker: Docker,
  { composeProject }: DeploymentPlan,
  notice: StepContext['log']['notice'],
  signal: AbortSignal,
): Promise<string[]> {
  const networks = await docker
    .listNetworks({ filters: { label: [`com.docker.compose.project=${composeProject}`] }, abortSignal: signal })
    .catch((error: unknown) => {
      signal.throwIfAborted();
      throw asEngineError(error);
    });
  const names = networks.map(({ Name }) => Name);
  if (names.length === 0) notice(`${composeProject} has no network of its own: its services cannot be reached by name`);
  const standard = `${composeProject}_default`;
  return names.includes(standard) ? [standard] : names;
}

/** The bundled files under their own paths; every folder is the script's to write in. */
async function workspaceOf(
  { target }: DeploymentPlan,
  owner: Owner,
  { blobs }: StepContext,
): Promise<(ArchiveFile | ArchiveFolder)[]> {
  const folders = new Set([WORKSPACE.slice(1)]);
  const files: ArchiveFile[] = [];
  for (const file of target.content.files) {
    const path = `${WORKSPACE.slice(1)}/${file.path}`;
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at));
    const content = await readBlob((sha256) => blobs.get(sha256), file.path, file.sha256);
    files.push({ path, content, mode: file.mode & 0o111 ? 0o755 : 0o644 });
  }
  return [...[...folders].sort().map((path): ArchiveFolder => ({ path, folder: true, mode: 0o755, owner })), ...files];
}

/** What the script left is copied to a folder of this machine first, and then collected as a build's is. */
async function outcomeOf(
  step: VerifyStep,
  { exitCode, oomKilled }: ContainerExit,
  container: Docker.Container,
  context: StepContext,
): Promise<StepOutcome> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-verify-'));
  try {
    for (const pattern of [...step.junit, ...step.artifacts]) await copyOut(container, pattern, folder, context.signal);
    const local = { ...context, workspace: folder };
    const tests = await collectTests(step, local);
    const { artifacts, problem } = await collectArtifacts(step, local);
    const failed = tests.filter(({ result }) => result === 'failed').length;
    const reason =
      reasonOf(exitCode, oomKilled) ?? (failed > 0 ? `${failed} of ${tests.length} tests failed` : problem);
    const output: StepOutput = {
      ...(tests.length > 0 ? { tests } : {}),
      ...(artifacts.length > 0 ? { artifacts } : {}),
    };
    return { result: reason === null ? 'passed' : 'failed', reason, exitCode, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const reasonOf = (exitCode: number, oomKilled: boolean): string | null => {
  if (exitCode === 0) return null;
  return oomKilled ? 'out of memory' : `exit code ${exitCode}`;
};

/** Everything below the part of the pattern that has no wildcards; the pattern itself is applied by who collects. */
async function copyOut(
  container: Docker.Container,
  pattern: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const { base, isGlob } = picomatch.scan(pattern.replace(/^!/, ''));
  const asked = posix.join('/', base);
  for await (const file of readFromContainer(container, posix.join(WORKSPACE, asked), COLLECT_LIMIT, signal)) {
    // Of a single file, the engine tells the last part of its path only.
    const parent = !isGlob && file.path === posix.basename(asked) ? posix.dirname(asked) : asked;
    const path = join(folder, posix.join('/', parent, file.path));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, file.content);
  }
}
