/** What the API gives, as the client reads it. Times are RFC 3339 UTC. */
import type {
  BuiltImage,
  Gate,
  ObservedService,
  Change as RecordedChange,
  Step as RecordedStep,
  ReleaseFile,
  ReleaseImage,
  Result,
  Role,
  RunKind,
  Status,
  Trigger,
} from '../../pipelines/model.ts';

export type { BuiltImage, Gate, ObservedService, ReleaseImage, Result, Role, Status, Trigger };

export interface List<T> {
  items: T[];
  /** To be given as `before` for the items after these. */
  next?: number;
}

export interface Me {
  name: string;
  email: string | null;
  admin: boolean;
  projects: { slug: string; name: string; role: Role }[];
}

export interface Project {
  slug: string;
  name: string;
  createdAt: string;
}

export type Change = Omit<RecordedChange, 'at'> & { at: string };
export type Step = Omit<RecordedStep, 'startedAt' | 'finishedAt' | 'role' | 'skippedBy'> & {
  startedAt: string | null;
  finishedAt: string | null;
};

interface RunBase {
  project: string;
  number: number;
  status: Status;
  result: Result | null;
  reason: string | null;
  trigger: Trigger;
  requestedBy: string | null;
  attempt: number;
  runner: string | null;
  steps: Step[];
  queuedAt: string;
  startedAt: string | null;
  finishedAt: string | null;
}

export interface Build extends RunBase {
  pipeline: string;
  branch: string;
  revision: string;
  parameters: Record<string, string>;
  changes: Change[];
  /** Whether there are more than are listed. */
  moreChanges: boolean;
  images: BuiltImage[];
  version: string;
  release: string | null;
}

export interface Approval {
  by: string;
  decision: 'approved' | 'rejected';
  comment: string;
  at: string;
}

export interface Deployment extends RunBase {
  environment: string;
  stack: string;
  release: string;
  note: string | null;
  at: string | null;
  gates: Gate[];
  approvals: Approval[];
  before: ObservedService[] | null;
  after: ObservedService[] | null;
  restored: boolean | null;
}

export interface Counts {
  total: number;
  passed: number;
  failed: number;
  skipped: number;
}

export interface Tests extends Counts {
  items: {
    step: string;
    suite: string;
    name: string;
    result: 'passed' | 'failed' | 'skipped';
    seconds: number;
    message?: string;
    /** The first build that failed. */
    since?: number;
  }[];
}

export interface Artifact {
  path: string;
  sha256: string;
  size: number;
}

export interface Release {
  stack: string;
  version: string;
  pipeline: string;
  build: number;
  branch: string;
  revision: string;
  images: ReleaseImage[];
  compose: string;
  overrides: Record<string, string>;
  files: ReleaseFile[];
  verify: string[];
  blocked: { by: string; reason: string; at: string } | null;
  createdAt: string;
}

export interface Current {
  release: string;
  deployment: number;
  since: string;
  services: ObservedService[];
}

export interface Stack {
  name: string;
  current: (Current & { images: ReleaseImage[] }) | null;
  hold: { by: string | null; reason: string; at: string } | null;
  lock: { deployment: number; since: string } | null;
  observed: { at: string; services: ObservedService[] } | null;
}

export interface ApprovalRule {
  count: number;
  users?: string[];
  roles?: Role[];
  allowRequester: boolean;
  /** A duration such as `1h30m`. */
  expires?: string;
}

export interface Environment {
  name: string;
  order: number;
  engine: { kind: 'compose' | 'swarm'; host: string; hasTls: boolean };
  after: string[];
  promote: 'auto' | 'manual';
  branches: string[] | null;
  approvals: ApprovalRule | null;
  variables: Record<string, string>;
  pool: string;
  url: string | null;
  timeout: string;
  stacks: Stack[];
}

export type Forge = 'github' | 'gitlab' | 'gitea';

export interface Pipeline {
  name: string;
  source: {
    kind: 'git' | 'svn';
    url: string;
    branches: string[];
    submodules: boolean;
    lfs: boolean;
    hosts: string[];
    /** The page of a revision, with `{revision}` in it. */
    link: string | null;
    hasCredentials: boolean;
  };
  file: string;
  definition: string | null;
  poll: string | null;
  hasHookSecret: boolean;
  /** The forge that is told the states of builds. */
  status: { kind: Forge; url: string | null; hasToken: boolean; error: string | null } | null;
  createdAt: string;
  lastBuild: { number: number; status: Status; result: Result | null } | null;
}

export interface Head {
  branch: string;
  revision: string;
}

/** What was last seen of each branch, how polling and hooks go, and when the schedule is due. */
export interface Watch extends List<Head & { notedAt: string }> {
  /** Heads that have moved and wait for the quiet period to end. */
  quiet: (Head & { since: string; due: string })[];
  sources: { name: string; kind: 'git' | 'svn'; url: string; branch: string }[];
  poll: string | null;
  nextPoll: string | null;
  polledAt: string | null;
  reachedAt: string | null;
  error: string | null;
  /** Looks in a row that failed. */
  failures: number;
  hook: {
    lastAt: string | null;
    /** When a poll found a change that no hook had announced. */
    missedAt: string | null;
  };
  schedule: Schedule | null;
}

export interface Schedule {
  cron: string;
  timezone: string;
  next: string[];
  /** Newest first. */
  passed: { slot: string; at: string; outcome: 'built' | 'missed'; build: number | null }[];
}

/** Whether a source can be reached; what exactly failed, or what was found. */
export interface SourceTest {
  ok: boolean;
  error: string | null;
  branches: Head[];
}

/** Each revision by itself: whether it would be built, and why not. */
export interface Trial {
  branch: string;
  items: (Change & { builds: boolean; reason: string | null })[];
}

/** What a person who starts a build may choose. */
export interface Parameter {
  name: string;
  type: 'string' | 'boolean' | 'number' | 'choice';
  options: string[];
  /** null: it must be given. */
  default: string | null;
  description: string | null;
}

interface Compared {
  name: string;
  from: string | null;
  to: string | null;
}

/** What a promotion would change, against what runs now. `gates` are the closed ones. */
export interface Diff {
  stack: string;
  release: string;
  current: string | null;
  changes: Change[];
  images: Compared[];
  compose: { from: string | null; to: string };
  variables: Compared[];
  secrets: string[];
  tests: Counts;
  gates: Gate[];
}

export interface BoardCell {
  environment: string;
  current: Current | null;
  /** Releases of this stack that are newer than what runs here. */
  behind: number;
  held: boolean;
  /** Number of the deployment that holds the lock. */
  deploying: number | null;
}

export interface BoardRow {
  project: string;
  stack: string;
  latest: string | null;
  environments: BoardCell[];
}

export interface QueueItem {
  kind: RunKind;
  project: string;
  pipeline: string | null;
  environment: string | null;
  number: number;
  status: Status;
  reason: string | null;
  pool: string;
  runner: string | null;
  queuedAt: string;
  startedAt: string | null;
}

/** RFC 9457, with what Slipway adds. */
export interface Problem {
  title: string;
  status: number;
  detail: string;
  field?: string;
  gates?: Gate[];
}

/** One message of the event stream: enough to know what must be read again. */
export interface ServerEvent {
  id: number;
  type: string;
  data: {
    project: string | null;
    at: string;
    kind?: RunKind;
    number?: number;
    stack?: string;
    /** What happened to the run, e.g. `step.finished`. */
    event?: string;
    status?: Status;
    /** The status before. */
    was?: Status | null;
    result?: Result | null;
    step?: Pick<Step, 'name' | 'status' | 'result' | 'attempt'>;
  };
}
