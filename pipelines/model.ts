/**
 * The nouns of Slipway. Read this file and `ports.ts` and you know what the product does.
 *
 * Times are epoch milliseconds, durations are milliseconds unless the name says otherwise, sizes are bytes,
 * digests are `sha256:<hex>`. Everything here is plain JSON: it is stored, sent to runners and shown as it is.
 */
import type { VerifyStep } from './plans.ts';

export type * from './plans.ts';

export type RunKind = 'build' | 'deployment' | 'task';
/** Why a run exists. */
export type Trigger = 'poll' | 'hook' | 'schedule' | 'manual' | 'retry' | 'promote' | 'rollback';
export type Status = 'waiting' | 'queued' | 'running' | 'finished';
/** failed: their code said no. errored: our side or the machine broke. */
export type Result = 'passed' | 'failed' | 'cancelled' | 'errored';
export type StepKind = 'run' | 'image' | 'inspect' | 'deploy' | 'verify';
export type StepStatus = 'waiting' | 'running' | 'finished';
export type StepResult = Result | 'skipped';

/** One commit. */
export interface Change {
  revision: string;
  author: string | null;
  email: string | null;
  message: string;
  at: number;
  /** Paths touched, where known; capped. */
  files?: string[];
  /** Whether it touched more paths than `files` lists. */
  moreFiles?: boolean;
  /** The further source it is of, as the pipeline file calls it; left out for the pipeline's own. */
  source?: string;
  /** Its page, by the template of its source. */
  url?: string;
}

/** A node of a run's graph, with what has become of it. */
export interface Step {
  name: string;
  kind: StepKind;
  needs: string[];
  /** A failure here does not fail the run. */
  allowFailure: boolean;
  /** `restore` steps run only once a deploy has begun and something after it did not pass. */
  role: 'work' | 'restore';
  status: StepStatus;
  result: StepResult | null;
  /** One sentence, when the result is not `passed`. */
  reason: string | null;
  /** Skipped by a condition (`when:`) counts as satisfied for dependents; skipped by upstream does not. */
  skippedBy: 'condition' | 'upstream' | 'stop' | null;
  /** Raised at each start, over all attempts of the run; a log belongs to (run, step, attempt). */
  attempt: number;
  exitCode: number | null;
  startedAt: number | null;
  finishedAt: number | null;
}

/** What a step's image build made, read back from the registry. */
export interface BuiltImage {
  /** Name within the registry, e.g. `shop/web`. */
  name: string;
  /** Pullable by digest: `registry/shop/web@sha256:…`. */
  reference: string;
  digest: string;
  tags: string[];
  size: number;
  /** The compose service it was built for, where it came from `build: {compose: …}`. */
  service?: string;
}

/** An image a release pins. Third-party ones too. */
export interface ReleaseImage {
  name: string;
  reference: string;
  digest: string;
}

/** A file that travels with a release, by content. */
export interface ReleaseFile {
  /** Relative to the workspace, `/`-separated. */
  path: string;
  sha256: string;
  size: number;
  mode: number;
}

/**
 * The immutable content of a release. `compose` is the merged text of `release.compose`: variables unfilled, every image
 * by digest, no `build:`. `overrides` are merged on top for one environment.
 */
export interface ReleaseContent {
  compose: string;
  overrides: Record<string, string>;
  files: ReleaseFile[];
  images: ReleaseImage[];
  /** The folder (in the workspace) that relative paths in `compose` start from; '' is the workspace itself. */
  directory: string;
}

export interface TestResult {
  suite: string;
  name: string;
  result: 'passed' | 'failed' | 'skipped';
  seconds: number;
  message?: string;
}

export interface Artifact {
  path: string;
  sha256: string;
  size: number;
}

/** What was seen of one service of a stack on its engine. */
export interface ObservedService {
  name: string;
  /** Containers running. */
  replicas: number;
  /** Of those, healthy (or running without a health check). */
  healthy: number;
  /** Digest of the image the containers run; null where containers differ or it cannot be told. */
  digest: string | null;
}

/** Everything a step hands over when it finishes, in one write with its result. */
export interface StepOutput {
  images?: BuiltImage[];
  release?: ReleaseContent;
  tests?: TestResult[];
  artifacts?: Artifact[];
  /** inspect: what ran before; deploy: what runs now, proven. */
  observed?: ObservedService[];
  /** restore steps: whether the previous release is back. */
  restored?: boolean;
}

/** A request to end a running run early, and what it becomes. */
export interface Stop {
  kind: 'cancel' | 'timeout';
  by: string | null;
  reason: string;
  at: number;
}

interface RunBase {
  id: number;
  kind: RunKind;
  projectId: number;
  /** Builds count per pipeline, deployments per environment. Never reused. */
  number: number;
  trigger: Trigger;
  /** A username, or null for Slipway itself. */
  requestedBy: string | null;
  pool: string;
  status: Status;
  result: Result | null;
  reason: string | null;
  /** Claims so far. */
  attempt: number;
  /** Attempts that ended with a lost runner; a server restart does not count. */
  losses: number;
  /** How far side effects have gone: decides what a lost runner means. */
  effect: 'none' | 'pushed' | 'deploying';
  stop: Stop | null;
  /** Who holds the claim. */
  runner: string | null;
  token: string | null;
  steps: Step[];
  queuedAt: number;
  startedAt: number | null;
  finishedAt: number | null;
}

export interface BuildRun extends RunBase {
  kind: 'build';
  pipelineId: number;
  branch: string;
  revision: string;
  parameters: Record<string, string>;
  changes: Change[];
  /** Whether there are more changes than are listed. */
  moreChanges: boolean;
  images: BuiltImage[];
  /** What the plan calls this build's version; the release made of it bears it. */
  version: string;
  /** Set when the release exists. */
  release: string | null;
}

export interface Approval {
  by: string;
  decision: 'approved' | 'rejected';
  comment: string;
  at: number;
  /** The deployment that was `current` when this was decided; an approval of something else is void. */
  baseline: number | null;
}

export type GateName =
  | 'blocked'
  | 'branch'
  | 'after'
  | 'approvals'
  | 'freeze'
  | 'lock'
  | 'digests'
  | 'at'
  | 'unchanged';
export interface Gate {
  gate: GateName;
  open: boolean;
  /** Whether time or people can open it (else asking is refused). */
  waits: boolean;
  /** A sentence: what, who can open it, and when. */
  message: string;
}

export interface DeploymentRun extends RunBase {
  kind: 'deployment';
  environmentId: number;
  stack: string;
  releaseId: number;
  release: string;
  note: string | null;
  /** Somebody who may has taken it on themselves that the environments before were not passed. */
  override: { by: string; reason: string } | null;
  /** Not before this time. */
  at: number | null;
  gates: Gate[];
  approvals: Approval[];
  /** The deployment that was current when this one was asked for, or when it was last shown to be. */
  baseline: number | null;
  before: ObservedService[] | null;
  after: ObservedService[] | null;
  restored: boolean | null;
}

export interface TaskRun extends RunBase {
  kind: 'task';
  environmentId: number;
  stack: string;
  task: 'inspect';
  observed: ObservedService[] | null;
}

export type Run = BuildRun | DeploymentRun | TaskRun;

// ---- configuration -------------------------------------------------------------------------------------------------

export type Role = 'viewer' | 'developer' | 'release-manager' | 'admin';

export interface SourceSpec {
  kind: 'git' | 'svn';
  url: string;
  /**
   * Patterns of watched branches; the first one named is the default branch. Git: a pattern that begins with `refs/` means
   * other references, as in `refs/tags/v*` or `refs/pull/**`. SVN: paths below `url`.
   */
  branches: string[];
  /** Git: whether submodules are checked out, too. */
  submodules?: boolean | undefined;
  /** Git: whether files kept in LFS are fetched. */
  lfs?: boolean | undefined;
  /** Further hosts that submodules and SVN externals may come from; the source's own always may. */
  hosts?: string[] | undefined;
  /** Of the page of a revision, which stands for `{revision}` in it. */
  link?: string | undefined;
}

/** Never stored unencrypted, never returned, never in argv. */
export type SourceCredentials =
  | { username: string; password: string }
  | { token: string }
  | { sshKey: string; knownHosts?: string | undefined };

export interface RegistrySpec {
  /** `host[:port][/path]`; images are `url/<image>`. */
  url: string;
  insecure: boolean;
}
export interface RegistryCredentials {
  username: string;
  password: string;
}

export interface EngineSpec {
  kind: 'compose' | 'swarm';
  /** `unix:///…`, `tcp://…` or `ssh://…` */
  host: string;
  tls?: { ca?: string; cert?: string; key?: string };
}

export interface ApprovalRule {
  count: number;
  users?: string[];
  roles?: Role[];
  allowRequester: boolean;
  /** Milliseconds until an unanswered request ends. */
  expires?: number;
}

/** A one-off (`from`/`until`, RFC 3339) or recurring (`cron` and `duration`) window in which nothing is deployed. */
export interface Freeze {
  name: string;
  timezone?: string;
  from?: string;
  until?: string;
  cron?: string;
  /** Milliseconds. */
  duration?: number;
}

/** Dangerous compose keys that are allowed here; none by default. */
export type PolicyKey =
  | 'privileged'
  | 'docker-socket'
  | 'host-namespaces'
  | 'cap-add'
  | 'devices'
  | 'security-opt'
  | 'host-mounts'
  | 'sysctls';
export type Policy = PolicyKey[];

export interface Environment {
  id: number;
  projectId: number;
  name: string;
  order: number;
  engine: EngineSpec;
  after: string[];
  promote: 'auto' | 'manual';
  branches: string[] | null;
  approvals: ApprovalRule | null;
  freezes: Freeze[];
  variables: Record<string, string>;
  registry: RegistrySpec | null;
  pool: string;
  url: string | null;
  /** Milliseconds for deploy and verify together. */
  timeout: number;
  /** Releases kept for rolling back. */
  keep: number;
  policy: Policy;
}

export interface Release {
  id: number;
  projectId: number;
  stack: string;
  version: string;
  pipelineId: number;
  /** The build it came from. */
  build: number;
  buildRunId: number;
  branch: string;
  revision: string;
  content: ReleaseContent;
  /** Run after every deployment, against the environment. */
  verify: VerifyStep[];
  blocked: { by: string; reason: string; at: number } | null;
  createdAt: number;
}

/** What runs in (environment, stack). Changed only by a deployment that passed. */
export interface Current {
  releaseId: number;
  release: string;
  deployment: number;
  runId: number;
  since: number;
  services: ObservedService[];
}
