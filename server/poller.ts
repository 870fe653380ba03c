/** Looks at a pipeline's repositories: whatever has moved is built, unless a filter leaves it out or it is not quiet yet. */
import { branchMatcher } from '../pipelines/branches.ts';
import { AppError } from '../pipelines/errors.ts';
import type { BuildRun } from '../pipelines/model.ts';
import type { Head } from '../pipelines/ports.ts';
import { type Slot, slotsAfter } from '../pipelines/schedule.ts';
import { watchSettings, whyNotBuilt } from '../pipelines/watching.ts';
import type { Ledger, Tx } from './ledger.ts';
import { addressOf, defaultBranch, defaultHead, type Repository } from './repository.ts';
import type { Db } from './store/db.ts';
import { hasSameSource, type Pipeline } from './store/pipelines.ts';
import { lastSlotAt } from './store/slots.ts';
import {
  forgetBranch,
  isQuietOver,
  moveSource,
  notePoll,
  noteSettings,
  noteSight,
  pollState,
  quietOf,
  quietsOf,
  settle,
  sourceCursor,
  type Watch,
  waitQuietly,
  watchesOf,
  watchOf,
} from './store/watches.ts';
import { KEPT_SLOTS, type Overtaken, type Trigger } from './trigger.ts';

const FIRST_SIGHT = 5_000;
const LATE = 'the repository has not answered within 5 seconds: it is tried again, and a large one is being fetched';
/** A branch that never comes to rest is built all the same, after so many quiet periods. */
const MOST_QUIET_PERIODS = 10;

export type Cause = 'poll' | 'hook';

/** What one look came to. */
export interface Looked {
  builds: BuildRun[];
  /** Branches (or further sources) that had moved, built or not. */
  moved: string[];
  /** Whether any of them was not known yet to have moved, and no hook has told of it. */
  unannounced: boolean;
  /** Whether others were faster, or the source has changed: then it is looked at again. */
  overtaken: boolean;
}

const NOTHING: Looked = { builds: [], moved: [], unannounced: false, overtaken: false };

const together = (one: Looked, other: Looked): Looked => ({
  builds: [...one.builds, ...other.builds],
  moved: [...one.moved, ...other.moved],
  unannounced: one.unannounced || other.unannounced,
  overtaken: one.overtaken || other.overtaken,
});

function cameTo(moved: Looked, run: BuildRun | 'left out' | Overtaken): Looked {
  if (run === 'overtaken') return { ...moved, overtaken: true };
  return run === 'left out' ? moved : { ...moved, builds: [run] };
}

export interface PollerDeps {
  db: Db;
  ledger: Ledger;
  repository: Repository;
  trigger: Trigger;
}

export class Poller {
  readonly #deps: PollerDeps;

  constructor(deps: PollerDeps) {
    this.#deps = deps;
  }

  /** Reads the heads and sets the cursors without building. What is wrong is told, and refuses nothing. */
  async firstSight(pipeline: Pipeline): Promise<{ warning: string | null }> {
    const { db, ledger, repository } = this.#deps;
    try {
      const signal = AbortSignal.timeout(FIRST_SIGHT);
      const heads = await repository.heads(pipeline, signal);
      if (this.#isNoted(pipeline)) await this.#noteDefinition(pipeline, heads, signal);
      else await this.#note(pipeline, heads, signal);
      ledger.write((tx) => notePoll(tx.db, pipeline.id, null, tx.now));
      if (defaultHead(pipeline, heads)) return { warning: null };
      const wanted = defaultBranch(pipeline);
      return {
        warning: `the repository has no branch ${wanted} (source.branches): nothing is built before there is one`,
      };
    } catch (error) {
      const warning = isTimeout(error) ? LATE : error instanceof AppError ? error.message : null;
      if (warning === null) throw error;
      ledger.write((tx) => notePoll(db, pipeline.id, warning, tx.now));
      return { warning };
    }
  }

  /** Whether the heads of the source, as it is now, were taken note of. */
  #isNoted(pipeline: Pipeline): boolean {
    return JSON.stringify(pollState(this.#deps.db, pipeline.id).source) === JSON.stringify(pipeline.source);
  }

  async #note(pipeline: Pipeline, heads: Head[], signal: AbortSignal): Promise<void> {
    const noted = await this.#noteDefinition(pipeline, heads, signal, (tx) =>
      noteSight(tx.db, pipeline.id, pipeline.source, heads, tx.now),
    );
    if (noted) await this.#noteSources(pipeline, signal);
  }

  /** What the file says of time and sources; false where the pipeline has another source by now. */
  async #noteDefinition(
    pipeline: Pipeline,
    heads: Head[],
    signal: AbortSignal,
    before: (tx: Tx) => void = () => {},
  ): Promise<boolean> {
    const { ledger, repository } = this.#deps;
    const head = defaultHead(pipeline, heads);
    const definition = head && (await repository.definition(pipeline, head, signal));
    return ledger.write((tx) => {
      if (!hasSameSource(tx.db, pipeline)) return false;
      before(tx);
      if (definition?.ok) noteSettings(tx.db, pipeline.id, watchSettings(definition.file), tx.now);
      return true;
    });
  }

  /** Further sources that were never seen are taken note of; one that is away is seen later. */
  async #noteSources(pipeline: Pipeline, signal: AbortSignal): Promise<void> {
    const sources = await this.#deps.repository.furtherHeads(pipeline, signal).catch((error: unknown) => {
      if (error instanceof AppError) return [];
      throw error;
    });
    this.#deps.ledger.write((tx) => {
      for (const { name, source, branch, revision } of sources) {
        const address = addressOf({ ...source, branch });
        if (sourceCursor(tx.db, pipeline.id, name, address) === null)
          moveSource(tx.db, pipeline.id, { name, address, revision }, tx.now);
      }
    });
  }

  /**
   * One look at the repository; null where nothing may be built now, and so nothing was looked at. `before`: the cursors as
   * they were before `heads` was asked for, so that what moves meanwhile is not taken for older than it is.
   */
  async poll(
    pipeline: Pipeline,
    cause: Cause,
    signal: AbortSignal,
    given?: { before: Watch[]; heads: Head[] },
  ): Promise<Looked | null> {
    const { db, trigger, repository } = this.#deps;
    if (!trigger.intakeOpen) return null;
    const before = given?.before ?? watchesOf(db, pipeline.id);
    const heads = given
      ? given.heads.filter(({ branch }) => branchMatcher(pipeline.source.branches)(branch))
      : await repository.heads(pipeline, signal);
    if (!this.#isNoted(pipeline)) {
      await this.#note(pipeline, heads, signal);
      // Of branches that were known before, some may have moved.
      return { ...NOTHING, overtaken: true };
    }
    if (!this.#forgetAllBut(pipeline, heads, before)) return { ...NOTHING, overtaken: true };
    const looked = await this.#movedHeads(pipeline, heads, before, cause, signal);
    return together(looked, await this.#movedSources(pipeline, heads, looked, cause, signal));
  }

  /** Branches that are gone, and waits for heads that have moved back. False where the pipeline has another source by now. */
  #forgetAllBut(pipeline: Pipeline, heads: readonly Head[], before: readonly Watch[]): boolean {
    const { id } = pipeline;
    return this.#deps.ledger.write((tx) => {
      if (!hasSameSource(tx.db, pipeline)) return false;
      for (const { branch } of before)
        if (!heads.some((head) => head.branch === branch)) forgetBranch(tx.db, id, branch);
      const moved = new Set(movedSince(before, heads).map(({ branch }) => branch));
      for (const { branch } of quietsOf(tx.db, id)) if (!moved.has(branch)) settle(tx.db, id, branch);
      return true;
    });
  }

  /** One branch that cannot be read does not keep the others from being built; the first failure is told afterwards. */
  async #movedHeads(
    pipeline: Pipeline,
    heads: readonly Head[],
    before: readonly Watch[],
    cause: Cause,
    signal: AbortSignal,
  ): Promise<Looked> {
    const watches = new Map(before.map((watch) => [watch.branch, watch]));
    let looked = NOTHING;
    const failures: unknown[] = [];
    for (const head of movedSince(before, heads)) {
      try {
        looked = together(looked, await this.#movedHead(pipeline, head, watches.get(head.branch), cause, signal));
      } catch (error) {
        signal.throwIfAborted();
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return looked;
  }

  async #movedHead(
    pipeline: Pipeline,
    head: Head,
    watch: Watch | undefined,
    cause: Cause,
    signal: AbortSignal,
  ): Promise<Looked> {
    const { db, repository, trigger } = this.#deps;
    const waiting = quietOf(db, pipeline.id, head.branch);
    const moved: Looked = {
      ...NOTHING,
      moved: [head.branch],
      unannounced: cause === 'poll' && waiting?.revision !== head.revision,
    };
    const definition = await repository.definition(pipeline, head, signal);
    const quiet = definition.ok ? definition.file.quiet : undefined;
    if (quiet !== undefined && !this.#hasSettled(pipeline, head, quiet, cause)) return moved;
    const known = { cursor: watch?.revision ?? null, built: watch?.built ?? null };
    const sighting = await repository.look(pipeline, { head, newest: true, ...known }, signal);
    const on = sighting.definition.ok ? sighting.definition.file.on : undefined;
    const { changes, more } = await repository.fresh(sighting, signal);
    const leftOut = whyNotBuilt(on, head.branch, changes, more) !== null;
    return cameTo(moved, trigger.moved(sighting, waiting?.cause ?? cause, leftOut));
  }

  /** Whether the head has been the same for the quiet period; the wait begins, or begins anew, where it has not. */
  #hasSettled({ id }: Pipeline, head: Head, quiet: number, cause: Cause): boolean {
    return this.#deps.ledger.write((tx) => {
      const waiting = quietOf(tx.db, id, head.branch);
      if (waiting?.revision === head.revision) return isQuietOver(waiting, tx.now);
      const firstAt = waiting?.firstAt ?? tx.now;
      const dueAt = Math.min(tx.now + quiet, firstAt + MOST_QUIET_PERIODS * quiet);
      if (dueAt <= tx.now) return true;
      waitQuietly(tx.db, id, { ...head, cause: waiting?.cause ?? cause, firstAt, dueAt });
      return false;
    });
  }

  /** A further source that has moved builds the head of the first branch anew, unless that was built just now. */
  async #movedSources(
    pipeline: Pipeline,
    heads: readonly Head[],
    looked: Looked,
    cause: Cause,
    signal: AbortSignal,
  ): Promise<Looked> {
    const { db, repository, trigger } = this.#deps;
    const head = defaultHead(pipeline, heads);
    const { settings } = pollState(db, pipeline.id);
    if (settings.sources.length === 0 || !head || looked.moved.includes(head.branch)) return NOTHING;
    const cursorOf = (name: string, address: string) => sourceCursor(db, pipeline.id, name, address);
    const sources = await repository.furtherHeads(pipeline, signal);
    const moved = sources.filter(({ name, source, branch, revision }) => {
      const cursor = cursorOf(name, addressOf({ ...source, branch }));
      return cursor !== null && cursor !== revision;
    });
    if (moved.length === 0) {
      if (sources.some(({ name, source, branch }) => cursorOf(name, addressOf({ ...source, branch })) === null))
        await this.#noteSources(pipeline, signal);
      return NOTHING;
    }
    const built = watchOf(db, pipeline.id, head.branch)?.built ?? null;
    const sighting = await repository.look(pipeline, { head, newest: true, cursor: head.revision, built }, signal);
    const run = trigger.sourcesMoved(sighting, cause);
    const found: Looked = { ...NOTHING, moved: moved.map(({ name }) => name), unannounced: cause === 'poll' };
    return cameTo(found, run);
  }

  /** Builds the head of the first branch, though nothing has moved: an image that it is made with has, before `until`. */
  async rebuild(pipeline: Pipeline, until: number, signal: AbortSignal): Promise<BuildRun> {
    const { repository, trigger } = this.#deps;
    return trigger.again(await repository.look(pipeline, await repository.find(pipeline, {}, signal), signal), until);
  }

  /** Builds what the schedule has due. */
  async schedule(pipeline: Pipeline, zone: string, now: number, signal: AbortSignal): Promise<BuildRun[]> {
    const { db, repository, trigger } = this.#deps;
    const { settings, scheduleSince } = pollState(db, pipeline.id);
    if (!settings.schedule || scheduleSince === null || !trigger.intakeOpen) return [];
    const { cron, timezone } = settings.schedule;
    const since = Math.max(scheduleSince, lastSlotAt(db, pipeline.id) ?? 0);
    const due = newestSlots(cron, timezone ?? zone, since, now);
    if (due.length === 0) return [];
    const sighting = await repository.look(pipeline, await repository.find(pipeline, {}, signal), signal);
    return trigger.scheduled(sighting, due);
  }
}

const movedSince = (before: readonly Watch[], heads: readonly Head[]): Head[] => {
  const cursors = new Map(before.map((watch) => [watch.branch, watch.revision]));
  return heads.filter((head) => cursors.get(head.branch) !== head.revision);
};

const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === 'TimeoutError';

/** The slots that are due, oldest first; after a long absence only the newest of them. */
function newestSlots(cron: string, zone: string, since: number, now: number): Slot[] {
  let newest: Slot[] = [];
  for (let from = since; ; from = newest.at(-1)?.at ?? now) {
    const next = slotsAfter(cron, zone, from, now, KEPT_SLOTS);
    if (next.length > 0) newest = next;
    if (next.length < KEPT_SLOTS) return newest;
  }
}
