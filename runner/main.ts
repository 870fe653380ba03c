/** Wires a runner together: the tools it executes steps with, and the server it works for. */
import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import { invalid } from '../pipelines/errors.ts';
import { createMasker } from '../pipelines/mask.ts';
import type { PlannedSource, PlannedStep, SourceCredentials, SourceSpec } from '../pipelines/model.ts';
import type { Claim, Clock, Queue, RunnerApi, RunnerInfo, Scm } from '../pipelines/ports.ts';
import type { AttemptDeps } from './attempt.ts';
import { stepLabels } from './labels.ts';
import { createStepLog } from './step-log.ts';
import { deployStep } from './steps/deploy.ts';
import { imageStep } from './steps/image.ts';
import { inspectStep } from './steps/inspect.ts';
import { releaseStep } from './steps/release.ts';
import { runStep } from './steps/run.ts';
import type { BlobAccess, RunnerSettings, StepContext, StepOutcome } from './steps/step.ts';
import { verifyStep } from './steps/verify.ts';
import { removeWorkspace, workspaceFor } from './steps/workspace.ts';
import { sweep } from './sweep.ts';
import { pendingRemovals } from './tools/containers.ts';
import { allOrFirstFailure } from './tools/copy-folder.ts';
import { Worker } from './worker.ts';

/** What it takes to execute one claim. */
export interface AttemptOptions {
  api: Omit<RunnerApi, 'register' | 'claim'>;
  clock: Clock;
  settings: RunnerSettings;
  scm(kind: SourceSpec['kind']): Pick<Scm, 'checkout'>;
  onError(error: unknown, context: Record<string, unknown>): void;
}

export interface RunnerOptions extends AttemptOptions {
  api: RunnerApi;
  queue: Queue;
  slots: number;
  pools: string[];
  version: string;
}

export interface Runner {
  info: RunnerInfo;
  close(): Promise<void>;
}

/** Runners that live and die with the server's process are known by this prefix. */
export const EMBEDDED = 'embedded-';

/** Where the mirror of a source is kept: one a project and repository, so that no project reads another's. */
export const mirrorFolder = (folder: string, project: string, url: string): string =>
  path.join(folder, 'mirrors', createHash('sha256').update(`${project}\n${url}`).digest('hex').slice(0, 24));

/** Removes what a former process left, then starts claiming. */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const { api, queue, settings, onError } = options;
  const info = {
    id: `${EMBEDDED}${randomUUID()}`,
    name: 'embedded',
    pools: options.pools,
    slots: options.slots,
    version: options.version,
  };
  const worker = new Worker({ ...attemptDeps(options), api, queue, info });
  await sweep(settings, [], AbortSignal.timeout(60_000)).catch((error: unknown) =>
    onError(error, { while: 'sweeping what a former process left' }),
  );
  await worker.start();
  return {
    info,
    close: async () => {
      await worker.close();
      await pendingRemovals();
    },
  };
}

/** The parts that every attempt of a runner is made of. */
export function attemptDeps(options: AttemptOptions): AttemptDeps {
  const { api, clock, settings, onError } = options;
  return {
    api,
    clock,
    settings,
    onError,
    execute,
    checkout: (claim, workspace, signal) => checkout(options, claim, workspace, signal),
    workspaceFor: (claim) => workspaceFor(settings, claim.runId),
    removeWorkspace,
    openLog: (claim, step, attempt) => openLog(options, claim, step, attempt),
    mask: maskText,
    blobsFor: (claim) => blobAccess(api, claim),
    labelsFor: (claim, step) => stepLabels(settings.instance, claim.runId, step),
  };
}

function execute(step: PlannedStep, context: StepContext): Promise<StepOutcome> {
  switch (step.kind) {
    case 'run':
      return runStep(step, context);
    case 'image':
      return imageStep(step, context);
    case 'inspect':
      return step.of === 'workspace' ? releaseStep(step, context) : inspectStep(step, context);
    case 'deploy':
      return deployStep(step, context);
    case 'verify':
      return verifyStep(step, context);
  }
}

/** The source into the workspace, then the further ones below it, side by side. */
async function checkout(options: AttemptOptions, claim: Claim, workspace: string, signal: AbortSignal): Promise<void> {
  if (claim.plan.kind !== 'build') return;
  const { source, branch, revision, externals, sources, project } = claim.plan;
  await removeWorkspace(workspace);
  await mkdir(workspace, { recursive: true });
  const fill = (from: SourceSpec, credentials: SourceCredentials | null, at: Checkout, into: string) => {
    const cache = mirrorFolder(options.settings.folder, project, from.url);
    return options.scm(from.kind).checkout({ source: from, credentials, cache }, at, into, signal);
  };
  await fill(source, claim.credentials.source, { branch, revision, externals }, workspace);
  const further = sources.map(async (each) => {
    const into = await folderFor(workspace, each);
    await fill(each.source, claim.credentials.sources[each.name] ?? null, each, into);
  });
  await allOrFirstFailure(further);
}

type Checkout = Parameters<Scm['checkout']>[1];

/** Makes the folder of a further source. Throws `invalid` where the repository itself has something there. */
async function folderFor(workspace: string, { name, path: to }: PlannedSource): Promise<string> {
  const folder = path.join(workspace, to);
  const parent = path.dirname(folder);
  await mkdir(parent, { recursive: true });
  const inside = await realpath(parent);
  const root = await realpath(workspace);
  const free = (inside === root || inside.startsWith(`${root}/`)) && !existsSync(folder);
  if (!free) throw invalid(`sources.${name}.path: the repository itself has a ${to}`, `sources.${name}.path`);
  await mkdir(folder);
  return folder;
}

/** Everything a claim brings that must not be seen. */
function secretsOf({ secrets, credentials, plan }: Claim): string[] {
  const { source, sources, registry } = credentials;
  const tls = plan.kind !== 'build' && plan.engine.tls?.key ? { key: plan.engine.tls.key } : {};
  const password = registry ? { password: registry.password } : {};
  const all = [secrets, source, ...Object.values(sources), password, tls];
  return all.flatMap((each) =>
    Object.entries(each ?? {}).flatMap(([name, value]) =>
      name === 'username' || name === 'knownHosts' || value === undefined ? [] : [value],
    ),
  );
}

function maskText(claim: Claim, text: string): string {
  const masker = createMasker(secretsOf(claim));
  return Buffer.concat([masker.push(Buffer.from(text)), masker.end()]).toString();
}

function openLog(options: AttemptOptions, claim: Claim, step: string, attempt: number) {
  return createStepLog({
    api: options.api,
    ref: { runId: claim.runId, step, attempt },
    token: claim.token,
    masker: createMasker(secretsOf(claim)),
    limit: claim.logLimit,
    now: () => options.clock.now(),
  });
}

function blobAccess(api: AttemptOptions['api'], claim: Claim): BlobAccess {
  return {
    putFile: async (file) => {
      const hash = createHash('sha256');
      let size = 0;
      for await (const chunk of createReadStream(file)) {
        hash.update(chunk as Buffer);
        size += (chunk as Buffer).length;
      }
      const sha256 = hash.digest('hex');
      await api.putBlob(claim.runId, claim.token, sha256, createReadStream(file));
      return { sha256, size };
    },
    get: (sha256) => api.getBlob(claim.runId, claim.token, sha256),
  };
}
