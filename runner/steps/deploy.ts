/** Puts a release in place, and the previous one back where that fails. */
import { type Rendering, render } from '../../pipelines/compose/render.ts';
import { AppError, messageOf } from '../../pipelines/errors.ts';
import { createMasker } from '../../pipelines/mask.ts';
import type { DeploymentPlan, DeployStep, ObservedService, Target } from '../../pipelines/model.ts';
import type { RenderedStack, StackEngine, StackRef } from '../../pipelines/ports.ts';
import { stackEngine } from '../tools/compose.ts';
import { deadline } from '../tools/deadline.ts';
import { engineClient } from '../tools/engine.ts';
import { ensureFileVolume, readBlob } from '../tools/files-volume.ts';
import { wantedReplicas } from '../tools/stack-health.ts';
import { describe, stackOf } from './inspect.ts';
import { passed, type StepContext, type StepExecutor, type StepOutcome } from './step.ts';

/** The longest a Node timer can wait (ms). */
const LONGEST = 2 ** 31 - 1;
/** What is left of the time for telling why a stack is not healthy, before the server itself ends the run (ms). */
const TO_EXPLAIN = 10_000;

export const deployStep: StepExecutor<DeployStep> = async (step, context) => {
  const { plan, previous } = context.claim;
  if (plan.kind !== 'deployment') throw new Error(`a ${plan.kind} cannot deploy`);
  const deployment: Deployment = {
    plan,
    stack: stackOf(context),
    engine: stackEngine(plan.engine, plan.registry),
    context,
    deadline: deadline(patience(step, plan), context.signal).signal,
  };
  return step.what === 'apply' ? applyRelease(deployment) : restore(deployment, previous);
};

interface Deployment {
  plan: DeploymentPlan;
  stack: StackRef;
  engine: StackEngine;
  context: StepContext;
  deadline: AbortSignal;
}

const patience = (step: DeployStep, plan: DeploymentPlan): number => {
  const limit = Math.min(step.timeout ?? plan.timeout, plan.timeout, LONGEST);
  return Math.max(limit - TO_EXPLAIN, Math.ceil(limit / 2));
};

async function applyRelease(deployment: Deployment): Promise<StepOutcome> {
  const { plan, context } = deployment;
  try {
    const rendering = await prepare(deployment, plan.target);
    await context.effect('deploying');
    const observed = await putInPlace(deployment, rendering);
    context.log.notice(`${plan.target.release} runs in ${plan.environment}`);
    return passed({ observed });
  } catch (error) {
    context.signal.throwIfAborted();
    // Their containers did not do, or not in time; anything else is for the worker to judge.
    const refused = error instanceof AppError && error.code === 'conflict';
    if (!refused && !deployment.deadline.aborted) throw error;
    const reason = refused ? error.message : 'the time for deploying was over';
    return { result: 'failed', reason: masked(reason, context), exitCode: null };
  }
}

/** Everything that can be done, and refused, before the engine's stack is touched. */
async function prepare({ stack, engine, plan, context, deadline }: Deployment, target: Target): Promise<Rendering> {
  const { claim, log } = context;
  const rendering = await renderTarget(plan, stack, target, context);
  for (const text of rendering.notices) log.notice(text);
  await engine.pull(stack, rendering, claim.credentials.registry, log.notice, deadline);
  return rendering;
}

async function putInPlace(deployment: Deployment, rendering: Rendering): Promise<ObservedService[]> {
  const { stack, engine, context, deadline } = deployment;
  const { log } = context;
  const rendered = await withVolumes(deployment, rendering);
  await engine.apply(stack, rendered, log.write.bind(log), deadline);
  const observed = await engine.settle(stack, rendered, log.notice, deadline);
  for (const service of observed) log.notice(describe(service));
  return observed;
}

/** Renders; files it asks for are fetched, and it is asked again. */
async function renderTarget(
  plan: DeploymentPlan,
  stack: StackRef,
  target: Target,
  context: StepContext,
): Promise<Rendering> {
  const texts = new Map<string, string>();
  for (;;) {
    let missing: string | null = null;
    const readFile = (path: string): string => {
      const text = texts.get(path);
      if (text !== undefined) return text;
      missing = path;
      throw new Error(`${path} is not at hand yet`);
    };
    try {
      return render({
        target,
        environment: plan.environment,
        composeProject: stack.composeProject,
        policy: plan.policy,
        labels: stack.labels,
        secrets: context.claim.secrets,
        readFile,
      });
    } catch (error) {
      if (missing === null) throw error;
      texts.set(missing, await bundledText(missing, target, context));
    }
  }
}

async function bundledText(path: string, target: Target, context: StepContext): Promise<string> {
  const file = target.content.files.find((one) => one.path === path);
  if (!file) throw new AppError('invalid', `the release ${target.release} has no file ${path}`, { field: 'compose' });
  return (await readBlob((sha256) => context.blobs.get(sha256), path, file.sha256)).toString('utf8');
}

/** Fills the volumes that the text mounts, and says where they are. */
async function withVolumes({ stack, context, deadline }: Deployment, rendering: Rendering): Promise<RenderedStack> {
  const environment = { ...rendering.environment };
  const [image] = Object.values(rendering.images);
  for (const volume of [...rendering.volumes, ...rendering.secretVolumes]) {
    if (!image) throw new AppError('invalid', 'a stack without images cannot mount files', { field: 'compose' });
    const { mountpoint } = await ensureFileVolume(volume, {
      docker: engineClient(stack.engine),
      image: image.reference,
      labels: stack.labels,
      getBlob: (sha256) => context.blobs.get(sha256),
      signal: deadline,
    });
    environment[volume.variable] = mountpoint;
  }
  return { text: rendering.text, images: rendering.images, environment };
}

/** Compose and the engine may repeat what they were given; a reason leaves this machine beside the log, which masks. */
function masked(text: string, { claim }: StepContext): string {
  const masker = createMasker(Object.values(claim.secrets));
  return Buffer.concat([masker.push(Buffer.from(text)), masker.end()]).toString();
}

/** Runs also after a cancel or a timeout: `context.signal` is a fresh one then. */
async function restore(deployment: Deployment, previous: Target | null): Promise<StepOutcome> {
  const { stack, engine, context, deadline } = deployment;
  const { log } = context;
  let rendering: Rendering | null = null;
  try {
    if (previous === null) {
      log.notice('nothing ran here before: removing what was deployed; volumes stay');
      await engine.remove(stack, log.write.bind(log), deadline);
      return passed({ restored: true, observed: [] });
    }
    log.notice(`putting ${previous.release} back`);
    rendering = await prepare(deployment, previous);
    const observed = await putInPlace(deployment, rendering);
    log.notice(`${previous.release} is back`);
    return passed({ restored: true, observed });
  } catch (error) {
    context.signal.throwIfAborted();
    const what = previous ? `${previous.release} could not be put back` : 'what was deployed could not be removed';
    const reason = masked(`${what}: ${messageOf(error)}`, context);
    const observed = await raiseAlarm(deployment, rendering, reason);
    return {
      result: 'errored',
      reason,
      exitCode: null,
      output: { restored: false, ...(observed ? { observed } : {}) },
    };
  }
}

/** The loudest words there are: what should run, what does, and what a person can do. */
async function raiseAlarm(
  { stack, engine, plan, context }: Deployment,
  rendering: Rendering | null,
  reason: string,
): Promise<ObservedService[] | null> {
  const { notice } = context.log;
  notice(`ATTENTION: ${plan.environment} needs a person. ${reason}`);
  let observed: ObservedService[] | null = null;
  try {
    observed = await engine.observe(stack, context.signal);
  } catch (error) {
    context.signal.throwIfAborted();
    notice(`what runs cannot be told: ${messageOf(error)}`);
  }
  const wanted = rendering ? wantedReplicas(rendering.text) : new Map<string, number>();
  const names = new Set([...wanted.keys(), ...(observed ?? []).map(({ name }) => name)]);
  for (const name of observed ? names : []) {
    const actual = observed?.find((service) => service.name === name);
    notice(`wanted ${name}: ${wanted.get(name) ?? 0} of ${rendering?.images[name]?.digest ?? 'nothing'}`);
    notice(`actual ${actual ? describe(actual) : `${name}: nothing`}`);
  }
  const docker = `docker -H ${stack.engine.host}`;
  notice('on a machine that reaches the engine, these help:');
  notice(`  ${docker} ps -a --filter label=com.docker.compose.project=${stack.composeProject}`);
  notice(`  ${docker} logs --tail 100 CONTAINER`);
  notice('once the cause is mended, promote or roll back to a release that worked');
  return observed;
}
