/** What the HTTP side asks of the core. Routes know this and the configuration stores; nothing else. */
import type { Readable } from 'node:stream';
import type {
  Artifact,
  BuildRun,
  Change,
  DeploymentRun,
  Environment,
  Gate,
  Release,
  Result,
  Run,
  SourceSpec,
  TestResult,
} from '../pipelines/model.ts';
import type { Head, LogRef } from '../pipelines/ports.ts';
import type { PushedImage } from '../pipelines/watching.ts';
import type { Listing, LogMatches } from './log-search.ts';
import type { LogCount, LogPart } from './logs.ts';
import type { StoredEvent } from './store/events.ts';
import type { Pipeline, StoredCredentials } from './store/pipelines.ts';
import type { Project } from './store/projects.ts';
import type { StackState } from './store/stacks.ts';

export type { StackState, StoredEvent };

/** Who asks. `userId` is null for Slipway itself. */
export interface Actor {
  userId: number | null;
  name: string;
  admin: boolean;
}

export interface BuildRequest {
  branch?: string;
  revision?: string;
  parameters?: Record<string, string>;
  /** The same key with the same request answers the build it made the first time. */
  idempotencyKey?: string;
}

export interface DeployRequest {
  release: string;
  stack?: string;
  note?: string;
  override?: string;
  /** Not before this time, epoch ms. */
  at?: number;
}

export interface RollbackRequest {
  stack?: string;
  /** A version; the one before the current where left out. */
  to?: string;
  reason: string;
}

/** Of a pipeline file, for a form. */
export interface Parameter {
  name: string;
  type: 'string' | 'boolean' | 'number' | 'choice';
  /** Of a choice. */
  options: string[];
  /** null: it must be given. */
  default: string | null;
  description: string | null;
}

export interface SourceTest {
  ok: boolean;
  /** What exactly failed. */
  error: string | null;
  branches: Head[];
}

export interface FilterTrial {
  branch?: string | undefined;
  limit: number;
  /** A pipeline file whose filters are tried; the one at the newest revision, where left out. */
  definition?: string | undefined;
}

export interface TriedChange {
  change: Change;
  /** Why it would not have been built, null where it would. */
  reason: string | null;
}

/** Newest first; `before` is the number (or id) of the last item seen. */
export interface Page {
  before?: number;
  limit: number;
}

export interface StoredTest extends TestResult {
  step: string;
  /** Number of the first run in the present streak that failed it. */
  since?: number;
}

/** A run that is waiting, queued or running, and why it is not further. */
export interface QueueItem {
  runId: number;
  kind: Run['kind'];
  projectId: number;
  /** Name of the pipeline, or of the environment. */
  owner: string;
  number: number;
  status: Run['status'];
  pool: string;
  runner: string | null;
  queuedAt: number;
  startedAt: number | null;
  reason: string | null;
}

/** What a promotion would change, against what runs now in the target. */
export interface Diff {
  stack: string;
  release: string;
  /** The release that runs now; null where nothing does. */
  current: string | null;
  /** Of all skipped releases, newest first. */
  changes: Change[];
  images: { name: string; from: string | null; to: string | null }[];
  compose: { from: string | null; to: string };
  variables: { name: string; from: string | null; to: string | null }[];
  /** Names of secrets that changed; never values. */
  secrets: string[];
  tests: { total: number; passed: number; failed: number; skipped: number };
  gates: Gate[];
}

export interface Services {
  runs: {
    build(pipelineId: number, number: number): BuildRun | undefined;
    builds(pipelineId: number, filter: Page & { branch?: string; result?: Result }): BuildRun[];
    /** Changes since the last build of its branch that passed; `since` is that one's number. */
    changesSinceGood(run: BuildRun): { changes: Change[]; more: boolean; since: number | null };
    deployment(environmentId: number, number: number): DeploymentRun | undefined;
    deployments(environmentId: number, page: Page): DeploymentRun[];
    tests(runId: number): StoredTest[];
    artifacts(runId: number): Artifact[];
    open(): QueueItem[];
  };
  releases: {
    get(projectId: number, stack: string, version: string): Release | undefined;
    /** `before` is a release's id. */
    list(projectId: number, page: Page & { stack?: string }): Release[];
    block(release: Release, reason: string, actor: Actor): void;
    stacksOf(projectId: number): string[];
  };
  stacks: {
    states(environmentId: number): StackState[];
  };
  trigger: {
    manual(pipeline: Pipeline, request: BuildRequest, actor: Actor): Promise<BuildRun>;
    retry(run: BuildRun, actor: Actor): Promise<BuildRun>;
  };
  sources: {
    /** Reads the branch heads and sets the cursors without building; what is wrong is told, and refuses nothing. */
    firstSight(pipeline: Pipeline): Promise<{ warning: string | null }>;
    branches(pipeline: Pipeline): Promise<Head[]>;
    /** Of the default branch, where none is named. */
    revisions(pipeline: Pipeline, branch: string | undefined, limit: number): Promise<Change[]>;
    /** What may be chosen for a build of this revision; of the newest of the default branch, where none is named. */
    parameters(
      pipeline: Pipeline,
      at: { branch?: string | undefined; revision?: string | undefined },
    ): Promise<Parameter[]>;
    test(pipeline: Pipeline): Promise<SourceTest>;
    /** Of a source that is not kept yet. */
    testNew(project: Project, source: SourceSpec, credentials: StoredCredentials | null): Promise<SourceTest>;
    /** Which of the newest revisions would have been built, and why not the others. */
    tryFilters(pipeline: Pipeline, trial: FilterTrial): Promise<{ branch: string; items: TriedChange[] }>;
    /** When the repository is asked next, and how often in a row that has failed. */
    outlook(pipeline: Pipeline): { nextPoll: number | null; failures: number };
    /**
     * Takes a hook, whose signature is right, once: the repository is looked at now, or after a restart. `off`: the pipeline
     * file does not want hooks; `before`: this delivery was taken already.
     */
    hook(pipeline: Pipeline, hook: { delivery: string; event: string }): 'taken' | 'before' | 'off';
    /** Takes the pushes of images that `on.images` means, each once, and builds; answers how many that are. */
    imagesPushed(pipeline: Pipeline, images: readonly PushedImage[]): number;
  };
  promoter: {
    /** Throws a conflict with `gates` where waiting cannot open them. */
    promote(environment: Environment, request: DeployRequest, actor: Actor): Promise<DeploymentRun>;
    rollback(environment: Environment, request: RollbackRequest, actor: Actor): DeploymentRun;
    approve(run: DeploymentRun, comment: string, actor: Actor): DeploymentRun;
    reject(run: DeploymentRun, comment: string, actor: Actor): DeploymentRun;
    diff(environment: Environment, release: Release): Promise<Diff>;
  };
  coordinator: {
    cancel<R extends Run>(run: R, actor: Actor, reason: string): R;
  };
  logs: {
    /** Null where nothing was written yet. */
    stat(ref: LogRef): { length: number; closed: boolean } | null;
    /** Bytes `from` (inclusive) to `to` (exclusive). */
    read(ref: LogRef, from: number, to: number): Readable;
    /** Bytes from `from` on, until the log is closed or `signal` aborts. */
    follow(ref: LogRef, from: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
    /** Lines that contain `query`; where it is null, those that look like an error. */
    search(ref: LogRef, query: string | null, listing: Listing): Promise<LogMatches>;
    count(ref: LogRef): Promise<LogCount>;
    /** Lines `from` to `to`, counted from 1. */
    lines(ref: LogRef, from: number, to: number): Promise<LogPart>;
    /** The count now and whenever it has grown, until the log is closed or `signal` aborts. */
    watch(ref: LogRef, signal: AbortSignal): AsyncIterable<LogCount>;
  };
  blobs: {
    stream(sha256: string): Readable;
  };
  events: {
    since(id: number, limit: number): StoredEvent[];
    last(): number;
    subscribe(listener: (event: StoredEvent) => void): () => void;
  };
  health: {
    ready(): { ok: boolean; checks: Record<string, string> };
  };
}
