/**
 * Turns "there is something to build" into a build with a frozen plan: reads the pipeline file at the exact revision, and in one
 * transaction inserts the build and moves the branch's cursor by compare-and-set. A crash neither loses nor doubles a commit.
 */
import { createHash } from 'node:crypto';
import { AppError, conflict, invalid, messageOf } from '../pipelines/errors.ts';
import type { BuildPlan, BuildRun, Change, Trigger as TriggerKind } from '../pipelines/model.ts';
import { matchesAny, matchesMessage } from '../pipelines/patterns.ts';
import { initialSteps, type PlanContext, planBuild, resolveParameters } from '../pipelines/plan.ts';
import type { Clock, Head, Scm, SourceAccess } from '../pipelines/ports.ts';
import type { PipelineFile } from '../pipelines/schema.ts';
import { freshRun } from '../pipelines/transition.ts';
import { releaseRefusal } from './coordinator.ts';
import { type Definition, definitionOrThrow, readDefinition } from './definition.ts';
import type { Ledger, Tx } from './ledger.ts';
import type { Actor, BuildRequest } from './services.ts';
import type { Db } from './store/db.ts';
import type { Pipeline } from './store/pipelines.ts';
import { projectById, registryOf } from './store/projects.ts';
import { idempotent, lastBuild, nextNumber, rememberKey, runById } from './store/runs.ts';
import {
  cursorOf,
  forgetBranch,
  moveCursor,
  noteFilePoll,
  notePoll,
  noteSight,
  pollState,
  watchesOf,
} from './store/watches.ts';

const FIRST_SIGHT = 5_000;
const SCM_TIMEOUT = 60_000;
/** Changes listed with a build; more are left out, and the last one listed says so. */
const MAX_CHANGES = 200;

export interface TriggerDeps {
  db: Db;
  ledger: Ledger;
  clock: Clock;
  scm(pipeline: Pipeline): Scm;
  access(pipeline: Pipeline): SourceAccess;
  intakeOpen(): boolean;
}

/** Everything read from the repository before the transaction. */
interface Sighting {
  pipeline: Pipeline;
  head: Head;
  /** Whether `head.revision` is the newest of its branch. */
  newest: boolean;
  definition: Definition;
  changes: Change[];
}

interface Cause {
  trigger: TriggerKind;
  requestedBy: string | null;
  parameters: Record<string, string>;
}

export class Trigger {
  readonly #deps: TriggerDeps;

  constructor(deps: TriggerDeps) {
    this.#deps = deps;
  }

  async manual(pipeline: Pipeline, request: BuildRequest, actor: Actor): Promise<BuildRun> {
    const { idempotencyKey: key, ...body } = request;
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    const before = key === undefined ? undefined : this.#madeBefore(pipeline, key, hash);
    if (before) return before;
    this.#requireIntake();
    const signal = AbortSignal.timeout(SCM_TIMEOUT);
    const { head, newest } = await this.#find(pipeline, request, signal);
    const sighting = await this.#look(pipeline, head, newest, signal);
    const file = definitionOrThrow(sighting.definition);
    const parameters = resolveParameters(file, request.parameters ?? {});
    return this.#deps.ledger.write((tx) => {
      const raced = key === undefined ? undefined : this.#madeBefore(pipeline, key, hash);
      if (raced) return raced;
      if (newest) moveCursor(tx.db, pipeline.id, head, cursorOf(tx.db, pipeline.id, head.branch), tx.now);
      const run = this.#insert(tx, sighting, { trigger: 'manual', requestedBy: actor.name, parameters });
      if (key !== undefined) rememberKey(tx.db, scopeOf(pipeline), key, hash, run.id, tx.now);
      return run;
    });
  }

  #madeBefore(pipeline: Pipeline, key: string, hash: string): BuildRun | undefined {
    const found = idempotent(this.#deps.db, scopeOf(pipeline), key);
    if (!found) return undefined;
    if (found.body_hash !== hash) throw conflict('this Idempotency-Key was used for another request: take a new one');
    return runById(this.#deps.db, found.run_id) as BuildRun;
  }

  /** A new number at the same revision, with the same parameters. */
  async retry(run: BuildRun, pipeline: Pipeline, actor: Actor): Promise<BuildRun> {
    if (run.status !== 'finished') throw conflict(`build ${run.number} is ${run.status}: cancel it first, or wait`);
    this.#requireIntake();
    const head = { branch: run.branch, revision: run.revision };
    const definition = await this.#definition(pipeline, head, AbortSignal.timeout(SCM_TIMEOUT));
    definitionOrThrow(definition);
    const sighting = { pipeline, head, newest: false, definition, changes: [] };
    const cause: Cause = { trigger: 'retry', requestedBy: actor.name, parameters: run.parameters };
    return this.#deps.ledger.write((tx) => this.#insert(tx, sighting, cause));
  }

  /** Reads the heads and sets the cursors without building. What is wrong is told, and refuses nothing. */
  async firstSight(pipeline: Pipeline): Promise<{ warning: string | null }> {
    try {
      const signal = AbortSignal.timeout(FIRST_SIGHT);
      const heads = await this.#heads(pipeline, signal);
      const noted = pollState(this.#deps.db, pipeline.id).source;
      if (JSON.stringify(noted) !== JSON.stringify(pipeline.source)) await this.#note(pipeline, heads, signal);
      this.#deps.ledger.write((tx) => notePoll(tx.db, pipeline.id, null, tx.now));
      if (defaultHead(pipeline, heads)) return { warning: null };
      const wanted = defaultBranch(pipeline);
      return {
        warning: `the repository has no branch ${wanted} (source.branches): nothing is built before there is one`,
      };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#deps.ledger.write((tx) => notePoll(tx.db, pipeline.id, error.message, tx.now));
      return { warning: error.message };
    }
  }

  async #note(pipeline: Pipeline, heads: Head[], signal: AbortSignal): Promise<void> {
    const head = defaultHead(pipeline, heads);
    const definition = head && (await this.#definition(pipeline, head, signal));
    this.#deps.ledger.write((tx) => {
      noteSight(tx.db, pipeline.id, pipeline.source, heads, tx.now);
      if (definition?.ok) noteFilePoll(tx.db, pipeline.id, definition.file.on?.poll ?? null);
    });
  }

  /** One look at a repository: whatever moved is built. Answers how many builds came of it. */
  async poll(pipeline: Pipeline, signal: AbortSignal): Promise<number> {
    if (!this.#deps.intakeOpen()) return 0;
    const heads = await this.#heads(pipeline, signal);
    const { db } = this.#deps;
    if (pollState(db, pipeline.id).source === null) {
      await this.#note(pipeline, heads, signal);
      return 0;
    }
    const cursors = new Map(watchesOf(db, pipeline.id).map((watch) => [watch.branch, watch.revision]));
    const moved = heads.filter((head) => cursors.get(head.branch) !== head.revision);
    for (const branch of cursors.keys())
      if (!heads.some((head) => head.branch === branch)) forgetBranch(db, pipeline.id, branch);
    let built = 0;
    for (const head of moved)
      if (await this.#sighted(pipeline, head, cursors.get(head.branch) ?? null, signal)) built += 1;
    return built;
  }

  async #sighted(pipeline: Pipeline, head: Head, cursor: string | null, signal: AbortSignal): Promise<BuildRun | null> {
    const sighting = await this.#look(pipeline, head, true, signal);
    return this.#deps.ledger.write((tx) => {
      if (!moveCursor(tx.db, pipeline.id, head, cursor, tx.now)) return null;
      const { definition } = sighting;
      if (definition.ok && head.branch === defaultBranch(pipeline))
        noteFilePoll(tx.db, pipeline.id, definition.file.on?.poll ?? null);
      if (definition.ok && !wanted(definition.file.on, sighting)) return null;
      const parameters = definition.ok ? resolveParameters(definition.file, {}) : {};
      return this.#insert(tx, sighting, { trigger: 'poll', requestedBy: null, parameters });
    });
  }

  // ---- for forms and connection tests ------------------------------------------------------------------------------

  branches(pipeline: Pipeline): Promise<Head[]> {
    return this.#heads(pipeline, AbortSignal.timeout(SCM_TIMEOUT));
  }

  async revisions(pipeline: Pipeline, branch: string, limit: number): Promise<Change[]> {
    const signal = AbortSignal.timeout(SCM_TIMEOUT);
    const { head } = await this.#find(pipeline, { branch }, signal);
    return this.#deps
      .scm(pipeline)
      .log(this.#deps.access(pipeline), { to: head.revision, not: [], branch: head.branch, limit }, signal);
  }

  async test(pipeline: Pipeline): Promise<{ ok: boolean; error: string | null; branches: Head[] }> {
    try {
      return { ok: true, error: null, branches: await this.#heads(pipeline, AbortSignal.timeout(SCM_TIMEOUT)) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { ok: false, error: messageOf(error), branches: [] };
    }
  }

  // ---- reading -----------------------------------------------------------------------------------------------------

  #heads(pipeline: Pipeline, signal: AbortSignal): Promise<Head[]> {
    return this.#deps.scm(pipeline).heads(this.#deps.access(pipeline), signal);
  }

  /** The revision that a person means. */
  async #find(
    pipeline: Pipeline,
    request: { branch?: string; revision?: string },
    signal: AbortSignal,
  ): Promise<{ head: Head; newest: boolean }> {
    const heads = await this.#heads(pipeline, signal);
    const head =
      request.branch === undefined
        ? defaultHead(pipeline, heads)
        : heads.find(({ branch }) => branch === request.branch);
    if (!head) {
      const known =
        heads
          .slice(0, 10)
          .map(({ branch }) => branch)
          .join(', ') || 'none';
      throw invalid(
        `there is no watched branch ${request.branch ?? defaultBranch(pipeline)}; those there are: ${known}`,
        'branch',
      );
    }
    if (request.revision === undefined) return { head, newest: true };
    const access = this.#deps.access(pipeline);
    const revision = await this.#deps.scm(pipeline).resolve(access, head.branch, request.revision, signal);
    return { head: { branch: head.branch, revision }, newest: revision === head.revision };
  }

  async #definition(pipeline: Pipeline, at: Head, signal: AbortSignal): Promise<Definition> {
    if (pipeline.definition !== null) return readDefinition(pipeline.definition, 'the definition');
    const text = await this.#deps.scm(pipeline).readFile(this.#deps.access(pipeline), at, pipeline.file, signal);
    return readDefinition(text, pipeline.file);
  }

  async #look(pipeline: Pipeline, head: Head, newest: boolean, signal: AbortSignal): Promise<Sighting> {
    const definition = await this.#definition(pipeline, head, signal);
    return { pipeline, head, newest, definition, changes: await this.#changes(pipeline, head, signal) };
  }

  /** Every revision since the last build of this branch; of a branch never seen, what no other watched branch has. */
  async #changes(pipeline: Pipeline, head: Head, signal: AbortSignal): Promise<Change[]> {
    const { db } = this.#deps;
    const last = lastBuild(db, pipeline.id, head.branch, Number.MAX_SAFE_INTEGER, [
      'passed',
      'failed',
      'errored',
      'cancelled',
    ]);
    const cursor = cursorOf(db, pipeline.id, head.branch);
    const known = [last?.revision, cursor].filter((revision) => revision !== undefined && revision !== null);
    const not = known.length > 0 ? known : watchesOf(db, pipeline.id).map(({ revision }) => revision);
    const log = (not: string[], limit: number) =>
      this.#deps
        .scm(pipeline)
        .log(this.#deps.access(pipeline), { to: head.revision, not, branch: head.branch, limit }, signal);
    const changes = await log(not, MAX_CHANGES);
    return changes.length === 0 && !last ? log([], 1) : changes;
  }

  // ---- writing -----------------------------------------------------------------------------------------------------

  #insert(tx: Tx, sighting: Sighting, cause: Cause): BuildRun {
    const { pipeline, head, changes } = sighting;
    const number = nextNumber(tx.db, 'build', pipeline.id);
    const { plan, refusal } = this.#plan(tx, sighting, cause, number);
    const run = tx.insert<BuildRun>(
      {
        kind: 'build',
        projectId: pipeline.projectId,
        pipelineId: pipeline.id,
        number,
        trigger: cause.trigger,
        requestedBy: cause.requestedBy,
        branch: head.branch,
        revision: head.revision,
        parameters: cause.parameters,
        changes,
        images: [],
        version: plan.release?.version ?? String(number),
        release: null,
        pool: 'default',
        ...freshRun(initialSteps(plan), tx.now),
      },
      plan,
    );
    return refusal === null ? run : tx.apply(run, { type: 'refused', reason: refusal });
  }

  /** The plan, or one without steps and why. A person who asks hears the reason; a poll makes a build that bears it. */
  #plan(tx: Tx, sighting: Sighting, cause: Cause, number: number): { plan: BuildPlan; refusal: string | null } {
    const { pipeline, definition } = sighting;
    const empty = () => planBuild({ steps: {} }, this.#context(tx, sighting, cause, number));
    if (!definition.ok) return { plan: empty(), refusal: definition.reason };
    try {
      const plan = planBuild(definition.file, this.#context(tx, sighting, cause, number));
      return { plan, refusal: plan.release && releaseRefusal(tx.db, pipeline.projectId, pipeline.id, plan.release) };
    } catch (error) {
      // A value that is filled in, such as a branch's name in a version, may be what is wrong.
      if (!(error instanceof AppError) || cause.requestedBy !== null) throw error;
      return { plan: empty(), refusal: error.message };
    }
  }

  #context(tx: Tx, { pipeline, head, changes }: Sighting, cause: Cause, number: number): PlanContext {
    const project = projectById(tx.db, pipeline.projectId);
    if (!project) throw new Error(`pipeline ${pipeline.id} has no project`);
    return {
      project: project.slug,
      pipeline: pipeline.name,
      number,
      trigger: cause.trigger,
      source: pipeline.source,
      branch: head.branch,
      revision: head.revision,
      registry: registryOf(tx.db, pipeline.projectId, null),
      now: tx.now,
      parameters: cause.parameters,
      changedPaths: pathsOf(changes),
    };
  }

  #requireIntake(): void {
    if (this.#deps.intakeOpen()) return;
    throw new AppError(
      'unavailable',
      'the disk of this server is nearly full (under 1 GiB free): free some space, then try again',
    );
  }
}

const scopeOf = (pipeline: Pipeline) => `build ${pipeline.id}`;

const defaultBranch = (pipeline: Pipeline): string => pipeline.source.branches[0] ?? 'main';
const defaultHead = (pipeline: Pipeline, heads: Head[]): Head | undefined =>
  heads.find(({ branch }) => branch === defaultBranch(pipeline)) ??
  heads.find(({ branch }) => matchesAny([defaultBranch(pipeline)], branch));

/** All paths that changed; null where some are not known. */
function pathsOf(changes: readonly Change[]): string[] | null {
  if (changes.length === 0 || changes.some((change) => change.files === undefined)) return null;
  return [...new Set(changes.flatMap((change) => change.files ?? []))];
}

/** Whether the file's own filters let a poll or hook build it. The message is that of the newest commit. */
function wanted(on: PipelineFile['on'], { head, changes }: Sighting): boolean {
  if (!on) return true;
  if (on.branches && !matchesAny(on.branches, head.branch)) return false;
  const paths = pathsOf(changes);
  if (on.paths && paths !== null && !paths.some((path) => matchesAny(on.paths ?? [], path))) return false;
  const [newest] = changes;
  if (on.message !== undefined && newest && !matchesMessage(on.message, newest.message)) return false;
  return on.authors === undefined || changes.length === 0 || changes.some((change) => isBy(on.authors ?? [], change));
}

/** An author is known by name and by address: either is enough to be meant, or to be left out. */
function isBy(patterns: readonly string[], { author, email }: Change): boolean {
  const names = [author, email].filter((name) => name !== null);
  const meant = (pattern: string) => names.some((name) => matchesAny([pattern], name));
  const out = patterns.filter((pattern) => pattern.startsWith('!'));
  const included = patterns.filter((pattern) => !pattern.startsWith('!'));
  return !out.some((pattern) => meant(pattern.slice(1))) && (included.length === 0 || included.some(meant));
}
