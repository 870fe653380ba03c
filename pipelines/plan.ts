/** From a pipeline file or a release to the frozen plan of a run. Pure: what it says is decided once, at the trigger. */
import { isForeign, tagOf } from './branches.ts';
import { faultOfParameter } from './check.ts';
import { invalid } from './errors.ts';
import type {
  BuildPlan,
  DeploymentPlan,
  Environment,
  External,
  NotifyPlan,
  Plan,
  PlannedSource,
  PlannedStep,
  RegistrySpec,
  Release,
  ReleasePlan,
  SourceSpec,
  Step,
  Target,
  TaskPlan,
  Trigger,
  VerifyStep,
} from './model.ts';
import { suggestion } from './nearest.ts';
import { buildSteps, fillWith, type Variables, verifySteps } from './plan-steps.ts';
import { PLAN_VERSION } from './plans.ts';
import type { PipelineFile } from './schema.ts';
import { faultOfName, faultOfVersion } from './values.ts';
import { asTag } from './variables.ts';

const BUILD_TIMEOUT = 60 * 60_000;
const INSPECTION_TIMEOUT = 2 * 60_000;

export interface PlanContext {
  project: string;
  pipeline: string;
  number: number;
  trigger: Trigger;
  source: SourceSpec;
  branch: string;
  revision: string;
  externals: External[];
  sources: PlannedSource[];
  registry: RegistrySpec | null;
  now: number;
  /** As given; defaults are filled in. */
  parameters: Record<string, string>;
  /** Paths that the changes touch; null where they are not known, and then no step is left out for them. */
  changedPaths: string[] | null;
}

/** Throws `invalid` where a value is not legal once its variables are filled in. */
export function planBuild(file: PipelineFile, context: PlanContext): BuildPlan {
  const parameters = resolveParameters(file, context.parameters);
  const variables = variablesOf(file, context);
  const env = fillWith(file.env ?? {}, ['env'], variables);
  const steps = buildSteps(file, variables, context);
  const foreign = isForeign(context.branch);
  const release = foreign ? null : planRelease(file, variables, context);
  if (release) {
    const needs = steps.map((step) => step.name);
    steps.push({ ...plain(unusedName('release', needs), needs), kind: 'inspect', of: 'workspace' });
  }
  return {
    version: PLAN_VERSION,
    kind: 'build',
    project: context.project,
    pipeline: context.pipeline,
    number: context.number,
    trigger: context.trigger,
    source: context.source,
    branch: context.branch,
    revision: context.revision,
    externals: context.externals,
    sources: context.sources,
    registry: foreign ? null : context.registry,
    foreign,
    env: {
      CI: 'true',
      ...env,
      ...Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name.toUpperCase(), value])),
      SLIPWAY_PROJECT: context.project,
      SLIPWAY_PIPELINE: context.pipeline,
      SLIPWAY_NUMBER: String(context.number),
      SLIPWAY_VERSION: variables.version,
      SLIPWAY_REVISION: context.revision,
      SLIPWAY_BRANCH: context.branch,
      SLIPWAY_TRIGGER: context.trigger,
    },
    timeout: file.timeout ?? BUILD_TIMEOUT,
    steps,
    release,
    notify: planNotify(file),
  };
}

function variablesOf(file: PipelineFile, context: PlanContext): Variables {
  const variables = {
    number: String(context.number),
    revision: context.revision,
    short: context.revision.slice(0, 12),
    branch: context.branch,
    tag: tagOf(context.branch) ?? asTag(context.branch),
    project: context.project,
    pipeline: context.pipeline,
    date: new Date(context.now).toISOString().slice(0, 10),
  };
  const template = file.release?.version ?? `\${number}`;
  const version = fillWith(template, ['release', 'version'], variables);
  const fault = faultOfVersion(version);
  if (fault) throw invalid(`release.version is "${version}": ${fault}`, 'release.version');
  return { ...variables, version };
}

function planRelease(file: PipelineFile, variables: Variables, context: PlanContext): ReleasePlan | null {
  if (!file.release) return null;
  const { verify = {}, version: _, ...rest } = file.release;
  const { stack = context.pipeline, compose, overrides = {}, files = [] } = fillWith(rest, ['release'], variables);
  const fault = faultOfName(stack);
  if (fault) throw invalid(`release.stack is "${stack}": ${fault}`, 'release.stack');
  return { version: variables.version, stack, compose, overrides, files, verify: verifySteps(verify, variables) };
}

function planNotify(file: PipelineFile): NotifyPlan {
  const { to = [], on = ['failed', 'fixed', 'deployed', 'approval'] } = file.notify?.mail ?? {};
  return { mail: { to, on } };
}

/** What a build gets for the file's parameters. Throws `invalid`, naming `parameters.<name>`. */
export function resolveParameters(file: PipelineFile, given: Readonly<Record<string, string>>): Record<string, string> {
  const known = file.parameters ?? {};
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    throw invalid(`there is no parameter "${name}"${suggestion(name, Object.keys(known))}`, `parameters.${name}`);
  }
  const resolved: Record<string, string> = {};
  for (const [name, parameter] of Object.entries(known)) {
    const value = Object.hasOwn(given, name) ? given[name] : parameter.default;
    if (value === undefined) throw invalid(`the parameter "${name}" must be given`, `parameters.${name}`);
    const fault = faultOfParameter(parameter, value);
    if (fault) throw invalid(`the parameter "${name}" is "${value.slice(0, 100)}": ${fault}`, `parameters.${name}`);
    resolved[name] = value;
  }
  return resolved;
}

export interface DeploymentInput {
  project: string;
  environment: Environment;
  release: Release;
  stack: string;
  number: number;
  trigger: Trigger;
  target: Target;
  registry: RegistrySpec | null;
  notify: NotifyPlan;
}

/** inspect → deploy → verify…, and a restore that runs only if one of the last two did not pass. */
export function planDeployment(input: DeploymentInput): DeploymentPlan {
  const { project, environment, release, stack, target } = input;
  const taken = release.verify.map((step) => step.name);
  const inspect = unusedName('inspect', taken);
  const deploy = unusedName('deploy', taken);
  const verify = release.verify.map(
    (step): VerifyStep => ({ ...step, needs: step.needs.length > 0 ? step.needs : [deploy] }),
  );
  return {
    version: PLAN_VERSION,
    kind: 'deployment',
    project,
    environment: environment.name,
    stack,
    composeProject: composeProject(project, environment.name, stack),
    number: input.number,
    trigger: input.trigger,
    engine: environment.engine,
    policy: environment.policy,
    url: environment.url,
    registry: input.registry,
    env: {
      CI: 'true',
      ...target.variables,
      SLIPWAY_PROJECT: project,
      SLIPWAY_NUMBER: String(release.build),
      SLIPWAY_VERSION: release.version,
      SLIPWAY_REVISION: release.revision,
      SLIPWAY_BRANCH: release.branch,
      SLIPWAY_TRIGGER: input.trigger,
      SLIPWAY_ENVIRONMENT: environment.name,
      SLIPWAY_URL: environment.url ?? '',
      SLIPWAY_STACK: stack,
    },
    timeout: environment.timeout,
    target,
    steps: [
      { ...plain(inspect, []), kind: 'inspect', of: 'engine' },
      { ...plain(deploy, [inspect]), kind: 'deploy', what: 'apply' },
      ...verify,
      { ...plain(unusedName('restore', taken), [deploy]), kind: 'deploy', what: 'restore' },
    ],
    notify: input.notify,
  };
}

/** A look at what runs in an environment. */
export function planInspection(input: { project: string; environment: Environment; stack: string }): TaskPlan {
  const { project, environment, stack } = input;
  return {
    version: PLAN_VERSION,
    kind: 'task',
    project,
    environment: environment.name,
    stack,
    composeProject: composeProject(project, environment.name, stack),
    engine: environment.engine,
    timeout: INSPECTION_TIMEOUT,
    steps: [{ ...plain('inspect', []), kind: 'inspect', of: 'engine' }],
  };
}

/** The steps of a run that has not begun. Those that a condition leaves out are finished already. */
export function initialSteps(plan: Plan): Step[] {
  return plan.steps.map((step) => ({
    name: step.name,
    kind: step.kind,
    needs: step.needs,
    allowFailure: step.allowFailure,
    role: step.kind === 'deploy' && step.what === 'restore' ? 'restore' : 'work',
    status: step.skip === null ? 'waiting' : 'finished',
    result: step.skip === null ? null : 'skipped',
    reason: step.skip,
    skippedBy: step.skip === null ? null : 'condition',
    attempt: 0,
    exitCode: null,
    startedAt: null,
    finishedAt: null,
  }));
}

const plain = (
  name: string,
  needs: string[],
): Pick<PlannedStep, 'name' | 'needs' | 'timeout' | 'retry' | 'allowFailure' | 'skip'> => ({
  name,
  needs,
  timeout: null,
  retry: 0,
  allowFailure: false,
  skip: null,
});

/** `release`, or `release-2`… where the file has a step of that name. */
function unusedName(name: string, taken: readonly string[]): string {
  let candidate = name;
  for (let number = 2; taken.includes(candidate); number++) candidate = `${name}-${number}`;
  return candidate;
}

/** Compose takes lower case, digits, `-` and `_` only. */
const composeProject = (...parts: string[]): string =>
  parts
    .join('-')
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '-');
