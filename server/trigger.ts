/**
 * Turns "there is something to build" into a build with a frozen plan: reads the pipeline file at the exact revision, and in one
 * transaction inserts the build and moves the branch's cursor by compare-and-set. A crash neither loses nor doubles a commit.
 */
import { createHash } from 'node:crypto';
import { AppError, conflict } from '../pipelines/errors.ts';
import type { BuildPlan, BuildRun, Change, PlannedSource, Trigger as TriggerKind } from '../pipelines/model.ts';
import { initialSteps, type PlanContext, planBuild, resolveParameters } from '../pipelines/plan.ts';
import type { Slot } from '../pipelines/schedule.ts';
import type { PipelineFile } from '../pipelines/schema.ts';
import { freshRun } from '../pipelines/transition.ts';
import { pathsOf, watchSettings } from '../pipelines/watching.ts';
import { releaseRefusal } from './coordinator.ts';
import { definitionOrThrow } from './definition.ts';
import type { Ledger, Tx } from './ledger.ts';
import { addressOf, isDefault, isFirst, type Repository, type Sighting } from './repository.ts';
import type { Actor, BuildRequest } from './services.ts';
import type { Db } from './store/db.ts';
import { noteRebuilt } from './store/deliveries.ts';
import { hasSameSource, type Pipeline } from './store/pipelines.ts';
import { projectById, registryOf } from './store/projects.ts';
import { idempotent, nextNumber, queuedBuilds, rememberKey, runById } from './store/runs.ts';
import { noteSlotRun, trimSlots, writeSlot } from './store/slots.ts';
import { moveCursor, moveSource, noteBuilt, noteSettings, settle, sourceCursor, watchOf } from './store/watches.ts';

export const SCM_TIMEOUT = 60_000;
/** Slots of a schedule that are kept, for people to look at. */
export const KEPT_SLOTS = 100;

export interface TriggerDeps {
  db: Db;
  ledger: Ledger;
  repository: Repository;
  intakeOpen(): boolean;
}

/** Somebody else has moved a cursor, or changed the source, since the repository was asked: it is to be asked once more. */
export type Overtaken = 'overtaken';

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

  get intakeOpen(): boolean {
    return this.#deps.intakeOpen();
  }

  async manual(pipeline: Pipeline, request: BuildRequest, actor: Actor): Promise<BuildRun> {
    const { idempotencyKey: key, ...body } = request;
    const hash = createHash('sha256').update(JSON.stringify(body)).digest('hex');
    const before = key === undefined ? undefined : this.#madeBefore(pipeline, key, hash);
    if (before) return before;
    this.#requireIntake();
    const { repository, ledger } = this.#deps;
    const signal = AbortSignal.timeout(SCM_TIMEOUT);
    const sighting = await repository.look(pipeline, await repository.find(pipeline, request, signal), signal);
    const file = definitionOrThrow(sighting.definition);
    const parameters = resolveParameters(file, request.parameters ?? {});
    return ledger.write((tx) => {
      const raced = key === undefined ? undefined : this.#madeBefore(pipeline, key, hash);
      if (raced) return raced;
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
    const found = { head, newest: false, cursor: null, built: null };
    const sighting = await this.#deps.repository.look(pipeline, found, AbortSignal.timeout(SCM_TIMEOUT));
    definitionOrThrow(sighting.definition);
    const cause: Cause = { trigger: 'retry', requestedBy: actor.name, parameters: run.parameters };
    return this.#deps.ledger.write((tx) => this.#insert(tx, { ...sighting, changes: [], moreChanges: false }, cause));
  }

  /** A head that has moved is built, or where a filter leaves it out, only taken note of. */
  moved(sighting: Sighting, cause: 'poll' | 'hook', leftOut: boolean): BuildRun | 'left out' | Overtaken {
    const { pipeline, head, cursor } = sighting;
    return this.#deps.ledger.write((tx) => {
      if (!hasSameSource(tx.db, pipeline) || !isUnmoved(tx.db, sighting)) return 'overtaken';
      if (leftOut) {
        moveCursor(tx.db, pipeline.id, head, cursor, tx.now);
        settle(tx.db, pipeline.id, head.branch);
        this.#noteSettings(tx, sighting);
        return 'left out';
      }
      return this.#insert(tx, sighting, this.#byItself(sighting, cause));
    });
  }

  /** Further sources have moved, while the head has not; one whose file is broken, or names none any more, is left out. */
  sourcesMoved(sighting: Sighting, cause: 'poll' | 'hook'): BuildRun | 'left out' | Overtaken {
    if (sighting.sources.length === 0) return 'left out';
    return this.#deps.ledger.write((tx) => {
      const taken = sighting.sources.every((each) => !isCurrent(tx.db, sighting, each));
      if (taken || !hasSameSource(tx.db, sighting.pipeline) || !isUnmoved(tx.db, sighting)) return 'overtaken';
      return this.#insert(tx, sighting, this.#byItself(sighting, cause));
    });
  }

  /**
   * The schedule is due: `due` are its slots that have passed and are not written yet, oldest first. What was due last is built;
   * earlier ones were missed, and are only written down. Each slot makes one build at most, whoever comes twice.
   */
  scheduled(sighting: Sighting, due: readonly Slot[]): BuildRun[] {
    const { pipeline } = sighting;
    const last = due.at(-1)?.at;
    return this.#deps.ledger.write((tx) => {
      const runs: BuildRun[] = [];
      for (const slot of due) {
        const build = slot.at === last;
        if (!writeSlot(tx.db, pipeline.id, slot, build ? 'built' : 'missed') || !build) continue;
        const run = this.#insert(tx, sighting, this.#byItself(sighting, 'schedule'));
        runs.push(run);
        noteSlotRun(tx.db, pipeline.id, slot, run.id);
      }
      trimSlots(tx.db, pipeline.id, KEPT_SLOTS);
      return runs;
    });
  }

  /** Hooks of a registry, all up to and including `until`, build what has been built before. */
  again(sighting: Sighting, until: number): BuildRun {
    return this.#deps.ledger.write((tx) => {
      noteRebuilt(tx.db, sighting.pipeline.id, until, tx.now);
      return this.#insert(tx, sighting, this.#byItself(sighting, 'hook'));
    });
  }

  #byItself({ definition }: Sighting, trigger: 'poll' | 'hook' | 'schedule'): Cause {
    const parameters = definition.ok ? defaultsOf(definition.file) : {};
    return { trigger, requestedBy: null, parameters };
  }

  // ---- writing -----------------------------------------------------------------------------------------------------

  #insert(tx: Tx, sighting: Sighting, cause: Cause): BuildRun {
    const { pipeline, head, moreChanges } = sighting;
    if (!hasSameSource(tx.db, pipeline))
      throw conflict(`the source of pipeline ${pipeline.name} was changed meanwhile: try again`);
    // Nobody has moved the branch's cursor since the repository was asked.
    const newest = sighting.newest && isUnmoved(tx.db, sighting);
    const changes = this.#unlisted(tx, sighting, newest);
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
        moreChanges,
        images: [],
        version: plan.release?.version ?? String(number),
        release: null,
        pool: 'default',
        ...freshRun(initialSteps(plan), tx.now),
      },
      plan,
    );
    if (newest) this.#moveCursors(tx, sighting);
    if (sighting.definition.ok && sighting.definition.file.supersede) supersede(tx, run);
    return refusal === null ? run : tx.apply(run, { type: 'refused', reason: refusal });
  }

  /** Changes that no build has listed meanwhile. */
  #unlisted(tx: Tx, sighting: Sighting, newest: boolean): Change[] {
    if (sighting.newest && !newest) return [];
    const current = new Set(
      sighting.sources.filter((each) => isCurrent(tx.db, sighting, each)).map((each) => each.name),
    );
    const listed = sighting.first && !isFirst(tx.db, sighting.pipeline, sighting.head.branch);
    return sighting.changes.filter(({ source }) => (source === undefined ? !listed : current.has(source)));
  }

  /** A build of a head, however triggered, moves that branch's cursor; one of the first branch those of the further sources. */
  #moveCursors(tx: Tx, sighting: Sighting): void {
    const { pipeline, head, cursor, sources } = sighting;
    moveCursor(tx.db, pipeline.id, head, cursor, tx.now);
    noteBuilt(tx.db, pipeline.id, head);
    settle(tx.db, pipeline.id, head.branch);
    this.#noteSettings(tx, sighting);
    if (!isDefault(pipeline, head.branch)) return;
    for (const { name, source, branch, revision } of sources)
      moveSource(tx.db, pipeline.id, { name, address: addressOf({ ...source, branch }), revision }, tx.now);
  }

  #noteSettings(tx: Tx, { pipeline, head, definition }: Sighting): void {
    if (definition.ok && isDefault(pipeline, head.branch))
      noteSettings(tx.db, pipeline.id, watchSettings(definition.file), tx.now);
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

  #context(tx: Tx, sighting: Sighting, cause: Cause, number: number): PlanContext {
    const { pipeline, head, changes, externals, sources } = sighting;
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
      externals,
      sources,
      registry: registryOf(tx.db, pipeline.projectId, null),
      now: tx.now,
      parameters: cause.parameters,
      changedPaths: sighting.moreChanges ? null : pathsOf(changes),
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

/** Whether the branch's cursor is where it was before the repository was asked, and so is what its builds list. */
function isUnmoved(db: Db, { pipeline, head, cursor, built }: Sighting): boolean {
  const watch = watchOf(db, pipeline.id, head.branch);
  return (watch?.revision ?? null) === cursor && (watch?.built ?? null) === built;
}

/** Whether the cursor of a further source is where it was when the changes since were read. */
const isCurrent = (db: Db, { pipeline, sourceCursors }: Sighting, { name, source, branch }: PlannedSource): boolean =>
  sourceCursor(db, pipeline.id, name, addressOf({ ...source, branch })) === sourceCursors[name];

/** The parameters that have a default; a build that needs another one is refused, and says so. */
const defaultsOf = (file: PipelineFile): Record<string, string> =>
  Object.fromEntries(
    Object.entries(file.parameters ?? {}).flatMap(([name, { default: value }]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );

const scopeOf = (pipeline: Pipeline) => `build ${pipeline.id}`;

/** A newer poll or hook build of a branch takes the place of those that are still queued. */
function supersede(tx: Tx, by: BuildRun): void {
  if (!isByItself(by)) return;
  for (const run of queuedBuilds(tx.db, by.pipelineId, by.branch))
    if (run.number < by.number && isByItself(run))
      tx.apply(run, { type: 'stop', kind: 'cancel', by: null, reason: `superseded by build ${by.number}` });
}

const isByItself = ({ trigger }: BuildRun): boolean => trigger === 'poll' || trigger === 'hook';
