/**
 * What the layers ask of each other. Every port has two implementations or more and one contract suite in
 * `test/contract`. `signal` aborts promptly and rejects; after an abort nothing of the call goes on.
 */
import type { RunnerEvent } from './events.ts';
import type {
  Change,
  EngineSpec,
  External,
  ObservedService,
  Plan,
  RegistryCredentials,
  Run,
  SourceCredentials,
  SourceSpec,
  Target,
} from './model.ts';

/** Passed in everywhere: no hidden clocks. */
export interface Clock {
  /** Wall time, epoch ms: for records people read. May jump. */
  now(): number;
  /** Monotonic ms: for every deadline. Never jumps. */
  mono(): number;
  /** Calls back once after `ms` of monotonic time; the returned function cancels. Does not keep the process alive. */
  after(ms: number, call: () => void): () => void;
}

// ---- runner ↔ server -------------------------------------------------------------------------------------------------

export interface RunnerInfo {
  /** Unique and stable for one process: a restarted runner is another one. */
  id: string;
  name: string;
  pools: string[];
  slots: number;
  version: string;
}

/** Everything a runner gets to execute one attempt. Secrets only for the steps that name them. */
export interface Claim {
  runId: number;
  token: string;
  attempt: number;
  /** As it was claimed. The runner applies what it reports to its own copy, and so knows what is ready. */
  run: Run;
  plan: Plan;
  secrets: Record<string, string>;
  credentials: {
    source: SourceCredentials | null;
    /** Of the further sources, by name. */
    sources: Record<string, SourceCredentials | null>;
    registry: RegistryCredentials | null;
  };
  /** Deployments: what to put back if this one fails; null where nothing ran. */
  previous: Target | null;
  logLimit: number;
}

/** What the server wants of the runner, in answer to anything it says. */
export type Directive =
  | { do: 'continue' }
  /** End the open steps as `cancelled` (or `failed` for a timeout), run restore steps, report as usual. */
  | { do: 'stop'; kind: 'cancel' | 'timeout'; reason: string }
  /** The claim is over (held at a gate): clean up and report nothing more. */
  | { do: 'release' };

export interface LogRef {
  runId: number;
  step: string;
  attempt: number;
}

/**
 * The server as a runner sees it. Order: `claim` → `heartbeat` for as long as it holds the claim, beside
 * `event`, `log` and blobs. Every call bears the claim's token; a stale one throws `AppError('conflict')`, and the
 * runner kills what it started. All calls may be repeated: a doubled event is answered as the first was.
 */
export interface RunnerApi {
  register(runner: RunnerInfo): Promise<void>;
  /** A queued run of one of the runner's pools, or null. A queue message is only a hint to ask. */
  claim(runnerId: string): Promise<Claim | null>;
  /** Renews the lease. Held open up to 5 s; answers at once when there is something to say. */
  heartbeat(runId: number, token: string, signal: AbortSignal): Promise<Directive>;
  event(runId: number, token: string, event: RunnerEvent): Promise<Directive>;
  /**
   * Appends at `offset`; bytes already there are ignored. Answers the length the server has: where that is less than
   * `offset` nothing was written, and the runner sends again from there. `at`: wall time of the chunk.
   */
  log(ref: LogRef, token: string, offset: number, chunk: Uint8Array, at: number): Promise<number>;
  /** No more will come. `sha256` (hex) of all bytes sent; a mismatch throws. */
  closeLog(ref: LogRef, token: string, length: number, sha256: string): Promise<void>;
  /** Content-addressed; storing what is there already is a no-op. The bytes are checked against the hash. */
  putBlob(runId: number, token: string, sha256: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  getBlob(runId: number, token: string, sha256: string): Promise<AsyncIterable<Uint8Array>>;
}

/** Tells runners that there may be work. Messages may be lost, doubled and reordered: the claim decides. */
export interface Queue {
  /** Never throws and never waits on a broken transport. */
  dispatch(hint: { runId: number; attempt: number; pool: string }): void;
  /** Calls `handle` for hints of these pools until closed. */
  consume(pools: string[], handle: () => void): void;
  close(): Promise<void>;
}

// ---- tools -------------------------------------------------------------------------------------------------------------

/**
 * A branch (or what is watched like one) with a revision of it. Git: the name of a branch, or the full name of another
 * reference, such as `refs/tags/v1` or `refs/pull/7/head`. SVN: a path below the source's URL.
 */
export interface Head {
  branch: string;
  revision: string;
}

/** What a tool needs to reach a repository. */
export interface SourceAccess {
  source: SourceSpec;
  credentials: SourceCredentials | null;
  /** Mirrors and working copies of this source are kept below this folder; one process uses it at a time. */
  cache: string;
}

/** What one cheap question tells of a repository. */
export interface Pulse {
  /** Names the repository: sources with the same root share the answer. */
  root: string;
  /** Another one whenever a head may have moved, since the same question was asked last. */
  mark: string;
  /** The heads, unfiltered, where the question tells them anyway. */
  heads: Head[] | null;
}

/** Git and SVN as equals. Failures are `RemoteError('repository', …)`; messages carry no credentials. */
export interface Scm {
  /** Whether anything has moved. `source.branches` says which kinds of references count. */
  pulse(access: SourceAccess, signal: AbortSignal): Promise<Pulse>;
  /** All branches that match `source.branches`, with their newest revision. */
  heads(access: SourceAccess, signal: AbortSignal): Promise<Head[]>;
  /** The full revision that `revision` (may be short) names on `branch`; throws `invalid` where there is none. */
  resolve(access: SourceAccess, branch: string, revision: string, signal: AbortSignal): Promise<string>;
  /** Newest first: what `to` has and none of `not` has; at most `limit`. Revisions in `not` that are gone count for nothing. */
  log(access: SourceAccess, range: { to: Head; not: Head[]; limit: number }, signal: AbortSignal): Promise<Change[]>;
  /** Text of a file at an exact revision, or null where there is no such file. Refuses over 256 KiB. */
  readFile(access: SourceAccess, at: Head, path: string, signal: AbortSignal): Promise<string | null>;
  /**
   * What a checkout of this revision takes from elsewhere without the revision itself pinning it: each is resolved to what
   * it is now. Throws `invalid` for one that is not allowed.
   */
  externals(access: SourceAccess, at: Head, signal: AbortSignal): Promise<External[]>;
  /** Fills an empty folder with exactly this revision, and these externals. */
  checkout(
    access: SourceAccess,
    at: Head & { externals?: External[] },
    into: string,
    signal: AbortSignal,
  ): Promise<void>;
}

/** Lines for a step's log, beginning with `» `. */
export type Notice = (text: string) => void;

export interface StackRef {
  engine: EngineSpec;
  composeProject: string;
  /** Labels on everything that is made. */
  labels: Record<string, string>;
  /** Borne by every program that is started for it, so that none outlives a runner that was killed. */
  cookie: string;
}

/** A final compose text, policy checked, every image by digest; see `pipelines/compose/render.ts`. */
export interface RenderedStack {
  text: string;
  /** Images by service, as the release wants them. */
  images: Record<string, { reference: string; digest: string }>;
  /** Values Compose reads from its environment (secrets); never written to disk or argv. */
  environment: Record<string, string>;
}

/** An engine that runs stacks: compose now, Swarm later. */
export interface StackEngine {
  /** What runs now. Changes nothing. */
  observe(stack: StackRef, signal: AbortSignal): Promise<ObservedService[]>;
  /** Pulls what `rendered` needs. Repeating is cheap. */
  pull(
    stack: StackRef,
    rendered: RenderedStack,
    credentials: RegistryCredentials | null,
    notice: Notice,
    signal: AbortSignal,
  ): Promise<void>;
  /** Makes the stack so. Repeating changes nothing. Does not wait for health. Output goes to `write`. */
  apply(
    stack: StackRef,
    rendered: RenderedStack,
    write: (bytes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Waits until every service is healthy (see DESIGN §7) and proves its digest; throws `AppError` with the culprit. */
  settle(stack: StackRef, rendered: RenderedStack, notice: Notice, signal: AbortSignal): Promise<ObservedService[]>;
  /** Tells how containers that are not as they should be are, and the end of their logs. Says nothing of the others. */
  explain(stack: StackRef, notice: Notice, signal: AbortSignal): Promise<void>;
  /** Removes containers and networks, keeps volumes. Removing what is gone is fine. */
  remove(stack: StackRef, write: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<void>;
}

// ---- mail --------------------------------------------------------------------------------------------------------------

export interface MailMessage {
  from: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  messageId: string;
  references: string[];
  headers: Record<string, string>;
}

/** Sends one message to one recipient, or throws `RemoteError('smtp', …)`. Sending twice keeps the Message-ID. */
export interface Mailer {
  send(message: MailMessage, signal: AbortSignal): Promise<void>;
  close(): void;
}
