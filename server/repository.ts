/** Everything that is read of a pipeline's repositories before a transaction: heads, definitions, changes, pins. */
import { branchLabel, isForeign } from '../pipelines/branches.ts';
import { AppError, invalid, RemoteError } from '../pipelines/errors.ts';
import type { Change, External, PlannedSource, SourceSpec } from '../pipelines/model.ts';
import { matchesAny } from '../pipelines/patterns.ts';
import type { Head, Pulse, Scm, SourceAccess } from '../pipelines/ports.ts';
import { type FurtherSource, furtherSources } from '../pipelines/watching.ts';
import { type Definition, readDefinition } from './definition.ts';
import type { Db } from './store/db.ts';
import type { Pipeline } from './store/pipelines.ts';
import { builds } from './store/runs.ts';
import { pollState, sourceCursor, watchesOf } from './store/watches.ts';

/** Changes listed with a build; where there are more, the build says so. */
export const MAX_CHANGES = 200;

/** Where a pipeline's source, or one of its further ones, is and how it is reached. */
export interface Reach {
  scm(kind: SourceSpec['kind']): Scm;
  access(pipeline: Pipeline): SourceAccess;
  accessFurther(pipeline: Pipeline, source: FurtherSource, branch: string): SourceAccess;
}

/** A revision, and what was known of its branch before the repository was asked. */
export interface Found {
  head: Head;
  /** Whether `head.revision` is the newest of its branch. */
  newest: boolean;
  /** The branch's cursor, and up to where its builds list its changes; null where it had none. */
  cursor: string | null;
  built: string | null;
}

/** A revision that may become a build, with all that is read of it. */
export interface Sighting extends Found {
  pipeline: Pipeline;
  definition: Definition;
  /** What no build of the branch lists yet, newest first; those of further sources bear their names. */
  changes: Change[];
  moreChanges: boolean;
  /** Whether its own changes are listed only because no build of the branch has been made. */
  first: boolean;
  externals: External[];
  sources: PlannedSource[];
  /** Cursors of the further sources, which `changes` start from. */
  sourceCursors: Record<string, string | null>;
}

/** Another one for every other place that a further source may be at. */
export const addressOf = ({ kind, url, branch }: Pick<FurtherSource, 'kind' | 'url' | 'branch'>): string =>
  JSON.stringify([kind, url, branch]);

export const defaultBranch = (pipeline: Pipeline): string => pipeline.source.branches[0] ?? 'main';
/** Whether the branch is the first one named, or one that it means where it is a pattern. */
export const isDefault = (pipeline: Pipeline, branch: string): boolean =>
  branch === defaultBranch(pipeline) || matchesAny([defaultBranch(pipeline)], branch);
export const defaultHead = (pipeline: Pipeline, heads: readonly Head[]): Head | undefined =>
  heads.find(({ branch }) => branch === defaultBranch(pipeline)) ??
  heads.find(({ branch }) => matchesAny([defaultBranch(pipeline)], branch));

export class Repository {
  readonly #db: Db;
  readonly #reach: Reach;

  constructor(db: Db, reach: Reach) {
    this.#db = db;
    this.#reach = reach;
  }

  pulse(access: SourceAccess, signal: AbortSignal): Promise<Pulse> {
    return this.#reach.scm(access.source.kind).pulse(access, signal);
  }

  heads(pipeline: Pipeline, signal: AbortSignal): Promise<Head[]> {
    return this.#scm(pipeline).heads(this.#reach.access(pipeline), signal);
  }

  /** The revision that a person means. Throws `invalid` (field `branch` or `revision`) where there is none. */
  async find(
    pipeline: Pipeline,
    request: { branch?: string | undefined; revision?: string | undefined },
    signal: AbortSignal,
  ): Promise<Found> {
    // Before the question: a cursor that moves meanwhile is newer than the answer.
    const watches = watchesOf(this.#db, pipeline.id);
    const heads = await this.heads(pipeline, signal);
    const head =
      request.branch === undefined
        ? defaultHead(pipeline, heads)
        : heads.find(({ branch }) => branch === request.branch);
    if (!head) throw unknownBranch(request.branch ?? defaultBranch(pipeline), heads);
    const watch = watches.find(({ branch }) => branch === head.branch);
    const known = { cursor: watch?.revision ?? null, built: watch?.built ?? null };
    if (request.revision === undefined) return { head, newest: true, ...known };
    const access = this.#reach.access(pipeline);
    const revision = await this.#scm(pipeline).resolve(access, head.branch, request.revision, signal);
    return { head: { branch: head.branch, revision }, newest: revision === head.revision, ...known };
  }

  async definition(pipeline: Pipeline, at: Head, signal: AbortSignal): Promise<Definition> {
    if (pipeline.definition !== null) return readDefinition(pipeline.definition, 'the definition');
    const text = await this.#scm(pipeline).readFile(this.#reach.access(pipeline), at, pipeline.file, signal);
    return readDefinition(text, pipeline.file);
  }

  /** The newest revisions of a branch. */
  async revisions(
    pipeline: Pipeline,
    branch: string | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<{ head: Head; changes: Change[] }> {
    const { head } = await this.find(pipeline, { branch }, signal);
    return { head, changes: await this.#log(pipeline, head, [], limit, signal) };
  }

  async look(pipeline: Pipeline, found: Found, signal: AbortSignal): Promise<Sighting> {
    const { head, newest } = found;
    const text = await this.definition(pipeline, head, signal);
    const { definition, sources } = await this.#pinned(pipeline, head, text, signal);
    const sourceCursors = Object.fromEntries(sources.map((each) => [each.name, this.#sourceCursor(pipeline, each)]));
    const [{ own, first }, further, externals] = await Promise.all([
      this.#changes(pipeline, found, signal),
      newest && isDefault(pipeline, head.branch) ? this.#furtherChanges(pipeline, sources, sourceCursors, signal) : [],
      this.#scm(pipeline).externals(this.#reach.access(pipeline), head, signal),
    ]);
    const changes = [...own, ...further].slice(0, MAX_CHANGES);
    const moreChanges = own.length + further.length > MAX_CHANGES;
    return { ...found, pipeline, definition, changes, moreChanges, first, externals, sources, sourceCursors };
  }

  /** What has come since the cursor: the filters judge that, and not what an earlier poll has left out already. */
  async fresh(
    { pipeline, head, changes, moreChanges, cursor, built }: Sighting,
    signal: AbortSignal,
  ): Promise<{ changes: Change[]; more: boolean }> {
    const own = changes.filter(({ source }) => source === undefined);
    if (cursor === null || cursor === built) return { changes: own, more: moreChanges };
    const since = [{ branch: head.branch, revision: cursor }];
    const fresh = await this.#log(pipeline, head, since, MAX_CHANGES + 1, signal);
    return { changes: fresh, more: fresh.length > MAX_CHANGES };
  }

  /** The further sources that the watch settings name, at their present heads, with what is wrong left out. */
  async furtherHeads(pipeline: Pipeline, signal: AbortSignal): Promise<PlannedSource[]> {
    const { settings } = pollState(this.#db, pipeline.id);
    return this.#pin(pipeline, settings.sources, defaultBranch(pipeline), signal);
  }

  // ---- further sources -----------------------------------------------------------------------------------------------

  /** What a user can mend makes the definition wrong; a server that is away is another matter, and thrown. */
  async #pinned(pipeline: Pipeline, { branch }: Head, definition: Definition, signal: AbortSignal) {
    if (!definition.ok) return { definition, sources: [] };
    try {
      const wanted = furtherSources(definition.file);
      if (isForeign(branch)) this.#refuseStrange(pipeline, wanted);
      return { definition, sources: await this.#pin(pipeline, wanted, branch, signal) };
    } catch (error) {
      if (!(error instanceof AppError) || error instanceof RemoteError) throw error;
      return { definition: { ok: false as const, reason: error.message, errors: [] }, sources: [] };
    }
  }

  /** A stranger's file may not make the server talk to whatever it names. */
  #refuseStrange(pipeline: Pipeline, wanted: readonly FurtherSource[]): void {
    const known = pollState(this.#db, pipeline.id).settings.sources.map(addressOf);
    const strange = wanted.find((source) => !known.includes(addressOf(source)));
    if (strange) throw invalid(`sources.${strange.name}: a pull request may not add sources`, 'sources');
  }

  #pin(
    pipeline: Pipeline,
    wanted: readonly FurtherSource[],
    branch: string,
    signal: AbortSignal,
  ): Promise<PlannedSource[]> {
    return Promise.all(
      wanted.map(async (source) => {
        const access = this.#reach.accessFurther(pipeline, source, branch);
        const scm = this.#reach.scm(source.kind);
        const head = (await scm.heads(access, signal)).find((each) => each.branch === source.branch);
        if (!head) {
          throw invalid(`sources.${source.name}: ${source.url} has no branch ${source.branch}`, 'sources');
        }
        const externals = await scm.externals(access, head, signal);
        const { name, path, secret } = source;
        return { name, source: access.source, ...head, externals, path, secret };
      }),
    );
  }

  #sourceCursor(pipeline: Pipeline, { name, source, branch }: PlannedSource): string | null {
    return sourceCursor(this.#db, pipeline.id, name, addressOf({ ...source, branch }));
  }

  async #furtherChanges(
    pipeline: Pipeline,
    sources: readonly PlannedSource[],
    cursors: Sighting['sourceCursors'],
    signal: AbortSignal,
  ): Promise<Change[]> {
    const each = sources.map(async ({ name, source, branch, revision, secret, path }) => {
      const { kind, url } = source;
      const cursor = cursors[name] ?? null;
      if (cursor === null || cursor === revision) return [];
      const access = this.#reach.accessFurther(pipeline, { name, kind, url, branch, path, secret }, branch);
      const range = { to: { branch, revision }, not: [{ branch, revision: cursor }], limit: MAX_CHANGES + 1 };
      const changes = await this.#reach.scm(kind).log(access, range, signal);
      return changes.map((change): Change => ({ ...change, source: name }));
    });
    return (await Promise.all(each)).flat();
  }

  // ---- changes -------------------------------------------------------------------------------------------------------

  /** One more than are listed, where there are more. */
  async #changes(
    pipeline: Pipeline,
    { head, newest, built }: Found,
    signal: AbortSignal,
  ): Promise<{ own: Change[]; first: boolean }> {
    if (!newest) return { own: await this.#log(pipeline, head, [], 1, signal), first: false };
    // What the branch's builds list already; of a branch never seen, what other watched branches have.
    const listed =
      built === null
        ? watchesOf(this.#db, pipeline.id).filter(({ branch }) => branch !== head.branch)
        : [{ branch: head.branch, revision: built }];
    const own = await this.#log(pipeline, head, listed, MAX_CHANGES + 1, signal);
    const first = own.length === 0 && isFirst(this.#db, pipeline, head.branch);
    return { own: first ? await this.#log(pipeline, head, [], 1, signal) : own, first };
  }

  async #log(pipeline: Pipeline, to: Head, not: Head[], limit: number, signal: AbortSignal): Promise<Change[]> {
    const changes = await this.#scm(pipeline).log(this.#reach.access(pipeline), { to, not, limit }, signal);
    const { link } = pipeline.source;
    return link === undefined ? changes : changes.map((change) => ({ ...change, url: linkOf(link, change) }));
  }

  #scm(pipeline: Pipeline): Scm {
    return this.#reach.scm(pipeline.source.kind);
  }
}

/** Whether no build of the branch has been made. */
export const isFirst = (db: Db, { id }: Pipeline, branch: string): boolean =>
  builds(db, id, { branch, limit: 1 }).length === 0;

const linkOf = (template: string, { revision }: Change): string => template.replaceAll('{revision}', revision);

function unknownBranch(wanted: string, heads: readonly Head[]): AppError {
  const known = heads.slice(0, 10).map(({ branch }) => branchLabel(branch));
  return invalid(
    `there is no watched branch ${wanted}; those there are: ${known.join(', ') || 'none'}${heads.length > 10 ? ', …' : ''}`,
    'branch',
  );
}
