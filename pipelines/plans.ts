/** Plans: made at the trigger, frozen, and executed as they are. `model.ts` exports them with the other nouns. */
import type { EngineSpec, Policy, RegistrySpec, ReleaseContent, SourceSpec, Trigger } from './model.ts';

interface PlannedBase {
  name: string;
  needs: string[];
  timeout: number | null;
  retry: number;
  allowFailure: boolean;
  /** Set where `when:` says that this step is left out; the sentence says why. */
  skip: string | null;
}

/** A container beside a step, reachable under `name`. */
export interface ServiceSpec {
  name: string;
  image: string;
  env: Record<string, string>;
  command: string[] | null;
}

export interface ScriptSpec {
  /** null = on the runner's own host. */
  image: string | null;
  /** Joined to one script, run under `sh -e`. */
  run: string[];
  env: Record<string, string>;
  secrets: string[];
  services: ServiceSpec[];
  cache: string[];
  /** Globs below the workspace. */
  artifacts: string[];
  junit: string[];
  /** Bytes; null = the runner's default. */
  memory: number | null;
  cpus: number | null;
  reuse: boolean;
}

export interface RunStep extends PlannedBase, ScriptSpec {
  kind: 'run';
}
export interface VerifyStep extends PlannedBase, ScriptSpec {
  kind: 'verify';
}
export interface ImageBuild {
  /** Name within the registry. */
  image: string;
  context: string;
  dockerfile: string | null;
  target: string | null;
  args: Record<string, string>;
  tags: string[];
}
export interface ImageStep extends PlannedBase {
  kind: 'image';
  /** Either one image, or every service with `build:` of a compose file in the workspace. */
  build: ImageBuild | { compose: string };
  secrets: string[];
}
/** of `workspace`: collects the release after a build; of `engine`: looks at what runs before a deployment. */
export interface InspectStep extends PlannedBase {
  kind: 'inspect';
  of: 'workspace' | 'engine';
}
/** `apply` puts the release in place; `restore` puts the previous one back. */
export interface DeployStep extends PlannedBase {
  kind: 'deploy';
  what: 'apply' | 'restore';
}
export type PlannedStep = RunStep | ImageStep | InspectStep | DeployStep | VerifyStep;

/** What to collect once a build has passed. */
export interface ReleasePlan {
  version: string;
  stack: string;
  compose: string[];
  overrides: Record<string, string>;
  files: string[];
  verify: VerifyStep[];
}

export type MailOn = 'failed' | 'fixed' | 'passed' | 'deployed' | 'approval';
export interface NotifyPlan {
  mail: { to: string[]; on: MailOn[] };
}

/** Plans carry a version; the server accepts the one before. */
export const PLAN_VERSION = 1;

/**
 * A part of a checkout that a repository takes from elsewhere, at an exact revision: an SVN external.
 */
export interface External {
  /** Below the workspace, `/`-separated. */
  path: string;
  url: string;
  revision: string;
}

/** A further source of a build, checked out below the workspace. */
export interface PlannedSource {
  /** As the file calls it. */
  name: string;
  source: SourceSpec;
  branch: string;
  revision: string;
  externals: External[];
  /** The folder of the workspace that it fills. */
  path: string;
  /** The project's secret that it is reached with; null for the pipeline's own credentials, on the same host. */
  secret: string | null;
}

export interface BuildPlan {
  version: typeof PLAN_VERSION;
  kind: 'build';
  project: string;
  pipeline: string;
  number: number;
  trigger: Trigger;
  source: SourceSpec;
  branch: string;
  revision: string;
  externals: External[];
  /** Further ones; `source` fills the workspace itself. */
  sources: PlannedSource[];
  registry: RegistrySpec | null;
  /** Whether the code may be a stranger's, as that of a pull request: no secrets, no host, nothing pushed or released. */
  foreign: boolean;
  /** Environment of every script. */
  env: Record<string, string>;
  timeout: number;
  steps: PlannedStep[];
  release: ReleasePlan | null;
  notify: NotifyPlan;
}

/** A release with what it needs to be put in place, frozen. */
export interface Target {
  release: string;
  content: ReleaseContent;
  variables: Record<string, string>;
}

export interface DeploymentPlan {
  version: typeof PLAN_VERSION;
  kind: 'deployment';
  project: string;
  environment: string;
  stack: string;
  /** `<project>-<environment>-<stack>`, lower case: the compose project's or Swarm stack's name. */
  composeProject: string;
  number: number;
  trigger: Trigger;
  engine: EngineSpec;
  policy: Policy;
  url: string | null;
  registry: RegistrySpec | null;
  /** Environment of verify scripts. */
  env: Record<string, string>;
  timeout: number;
  target: Target;
  steps: PlannedStep[];
  notify: NotifyPlan;
}

export interface TaskPlan {
  version: typeof PLAN_VERSION;
  kind: 'task';
  project: string;
  environment: string;
  stack: string;
  composeProject: string;
  engine: EngineSpec;
  timeout: number;
  steps: PlannedStep[];
}

export type Plan = BuildPlan | DeploymentPlan | TaskPlan;
