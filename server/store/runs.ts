/** Runs: the snapshot that `transition.apply` returned, its frozen plan, and the columns to look them up by. */
import type {
  Artifact,
  BuildRun,
  Change,
  DeploymentRun,
  Plan,
  Result,
  Run,
  StepOutput,
  TestResult,
} from '../../pipelines/model.ts';
import { change, type Db, row, rows } from './db.ts';

interface RunRow {
  id: number;
  state_json: string;
}

const toRun = <R extends Run>({ id, state_json }: RunRow): R => ({ ...JSON.parse(state_json), id }) as R;
const SELECT = 'SELECT id, state_json FROM runs';

/** A run that has no id yet. */
export type NewRun<R extends Run = Run> = R extends Run ? Omit<R, 'id'> : never;

export function insertRun<R extends Run>(db: Db, run: NewRun<R>, plan: Plan): R {
  const { id } = row<{ id: number }>(
    db,
    `INSERT INTO runs (kind, project_id, pipeline_id, environment_id, stack, number, status, result, pool, branch, revision,
       release_id, token, queued_at, finished_at, state_json, plan_json)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    ...columns(run as unknown as R),
    JSON.stringify(run),
    JSON.stringify(plan),
  ) as { id: number };
  return { ...run, id } as unknown as R;
}

export function saveRun(db: Db, run: Run): void {
  change(
    db,
    'UPDATE runs SET status = ?, result = ?, token = ?, queued_at = ?, finished_at = ?, state_json = ? WHERE id = ?',
    run.status,
    run.result,
    run.token,
    run.queuedAt,
    run.finishedAt,
    JSON.stringify(run),
    run.id,
  );
}

function columns(run: Run): unknown[] {
  const build = run.kind === 'build' ? run : null;
  const placed = run.kind === 'build' ? null : run;
  return [
    run.kind,
    run.projectId,
    build?.pipelineId ?? null,
    placed?.environmentId ?? null,
    placed?.stack ?? null,
    run.number,
    run.status,
    run.result,
    run.pool,
    build?.branch ?? null,
    build?.revision ?? null,
    run.kind === 'deployment' ? run.releaseId : null,
    run.token,
    run.queuedAt,
    run.finishedAt,
  ];
}

export function runById(db: Db, id: number): Run | undefined {
  const found = row<RunRow>(db, `${SELECT} WHERE id = ?`, id);
  return found && toRun(found);
}

/** The frozen plan; a deployment's may be filled in when it is held and asked for again, never afterwards. */
export function planOf(db: Db, runId: number): Plan {
  const found = row<{ plan_json: string }>(db, 'SELECT plan_json FROM runs WHERE id = ?', runId);
  if (!found) throw new Error(`run ${runId} has no plan`);
  return JSON.parse(found.plan_json) as Plan;
}

/**
 * The next queued run of these pools; what is built already goes before what is not. Deployments to one (environment, stack)
 * go in the order of their numbers, one at a time: an earlier one that is queued or running, or anyone holding the lock, holds
 * back the later ones.
 */
export function nextQueued(db: Db, pools: readonly string[]): Run | undefined {
  const firsts = pools.map((pool) => row<Queued>(db, NEXT_OF_POOL, pool)).filter((found) => found !== undefined);
  const [first] = firsts.sort((a, b) => a.unbuilt - b.unbuilt || a.queued_at - b.queued_at || a.id - b.id);
  return first && runById(db, first.id);
}

interface Queued {
  id: number;
  unbuilt: 0 | 1;
  queued_at: number;
}

/** Read off the index `runs_queue`, in its order: no longer with a long queue than with a short one. */
const NEXT_OF_POOL = `SELECT id, kind = 'build' AS unbuilt, queued_at FROM runs AS r WHERE status = 'queued' AND pool = ?
  AND NOT (kind = 'deployment' AND (
    EXISTS (SELECT 1 FROM locks AS l WHERE l.environment_id = r.environment_id AND l.stack = r.stack)
    OR EXISTS (SELECT 1 FROM runs AS o WHERE o.status IN ('queued', 'running') AND o.kind = 'deployment'
               AND o.environment_id = r.environment_id AND o.stack = r.stack AND o.number < r.number)))
  ORDER BY kind = 'build', queued_at, id LIMIT 1`;

/** The fence: takes the run only if it is still queued. */
export function takeClaim(db: Db, claimed: Run): boolean {
  const taken = change(
    db,
    "UPDATE runs SET status = 'running', token = ? WHERE id = ? AND status = 'queued'",
    claimed.token,
    claimed.id,
  );
  if (taken.changes === 0) return false;
  saveRun(db, claimed);
  return true;
}

export const openRuns = (db: Db, ...statuses: Run['status'][]): Run[] =>
  rows<RunRow>(
    db,
    `${SELECT} WHERE status <> 'finished' AND status IN (SELECT value FROM json_each(?)) ORDER BY queued_at, id`,
    JSON.stringify(statuses),
  ).map(toRun<Run>);

export const build = (db: Db, pipelineId: number, number: number): BuildRun | undefined => {
  const found = row<RunRow>(
    db,
    `${SELECT} WHERE kind = 'build' AND pipeline_id = ? AND number = ?`,
    pipelineId,
    number,
  );
  return found && toRun<BuildRun>(found);
};

export interface BuildFilter {
  before?: number | undefined;
  limit: number;
  branch?: string | undefined;
  result?: Result | undefined;
}

export function builds(db: Db, pipelineId: number, filter: BuildFilter): BuildRun[] {
  const { before = Number.MAX_SAFE_INTEGER, limit, branch, result } = filter;
  const where = `kind = 'build' AND pipeline_id = ? AND number < ?${branch ? ' AND branch = ?' : ''}${result ? ' AND result = ?' : ''}`;
  const values = [branch, result].filter((value) => value !== undefined);
  return rows<RunRow>(
    db,
    `${SELECT} WHERE ${where} ORDER BY number DESC LIMIT ?`,
    pipelineId,
    before,
    ...values,
    limit,
  ).map(toRun<BuildRun>);
}

/** Builds of a branch that nobody has taken yet. */
export const queuedBuilds = (db: Db, pipelineId: number, branch: string): BuildRun[] =>
  rows<RunRow>(
    db,
    `${SELECT} WHERE status = 'queued' AND kind = 'build' AND pipeline_id = ? AND branch = ? ORDER BY number`,
    pipelineId,
    branch,
  ).map(toRun<BuildRun>);

/** The last build of a branch before `number` that ended with one of `results`. */
export function lastBuild(
  db: Db,
  pipelineId: number,
  branch: string,
  before: number,
  results: readonly Result[],
): BuildRun | undefined {
  const found = row<RunRow>(
    db,
    `${SELECT} WHERE kind = 'build' AND pipeline_id = ? AND branch = ? AND number < ?
     AND result IN (SELECT value FROM json_each(?)) ORDER BY number DESC LIMIT 1`,
    pipelineId,
    branch,
    before,
    JSON.stringify(results),
  );
  return found && toRun<BuildRun>(found);
}

/** Builds that a look back takes into account. */
const LOOK_BACK = 50;

/** Changes of this build and of those of its branch since the last one before it that passed: `since`, null where none did. */
export function changesSinceGood(db: Db, run: BuildRun): { changes: Change[]; more: boolean; since: number | null } {
  const good = lastBuild(db, run.pipelineId, run.branch, run.number, ['passed'])?.number ?? null;
  const before = builds(db, run.pipelineId, { before: run.number, limit: LOOK_BACK, branch: run.branch });
  const since = [run, ...before.filter(({ number }) => number > (good ?? 0))];
  const more = since.some(({ moreChanges }) => moreChanges) || since.length > LOOK_BACK;
  return { changes: since.flatMap(({ changes }) => changes), more, since: good };
}

export const deployment = (db: Db, environmentId: number, number: number): DeploymentRun | undefined => {
  const found = row<RunRow>(
    db,
    `${SELECT} WHERE kind = 'deployment' AND environment_id = ? AND number = ?`,
    environmentId,
    number,
  );
  return found && toRun<DeploymentRun>(found);
};

export const deployments = (
  db: Db,
  environmentId: number,
  page: { before?: number | undefined; limit: number },
): DeploymentRun[] =>
  rows<RunRow>(
    db,
    `${SELECT} WHERE kind = 'deployment' AND environment_id = ? AND number < ? ORDER BY number DESC LIMIT ?`,
    environmentId,
    page.before ?? Number.MAX_SAFE_INTEGER,
    page.limit,
  ).map(toRun<DeploymentRun>);

/** Deployments to (environment, stack) that wait at a gate, first come first. */
export const waitingDeployments = (db: Db, environmentId: number, stack: string): DeploymentRun[] =>
  rows<RunRow>(
    db,
    `${SELECT} WHERE kind = 'deployment' AND status = 'waiting' AND environment_id = ? AND stack = ? ORDER BY number`,
    environmentId,
    stack,
  ).map(toRun<DeploymentRun>);

/** Passed deployments of a release, newest first; in one environment, or in all. */
export const passedDeployments = (db: Db, releaseId: number, environmentId?: number): DeploymentRun[] =>
  rows<RunRow>(
    db,
    `${SELECT} WHERE release_id = ? AND result = 'passed'${environmentId === undefined ? '' : ' AND environment_id = ?'} ORDER BY id DESC`,
    ...(environmentId === undefined ? [releaseId] : [releaseId, environmentId]),
  ).map(toRun<DeploymentRun>);

/** The last deployments of (environment, stack) that passed, newest first. */
export const passedInto = (db: Db, environmentId: number, stack: string, limit: number): DeploymentRun[] =>
  rows<RunRow>(
    db,
    `${SELECT} WHERE kind = 'deployment' AND result = 'passed' AND environment_id = ? AND stack = ? ORDER BY number DESC LIMIT ?`,
    environmentId,
    stack,
    limit,
  ).map(toRun<DeploymentRun>);

/** Hands out numbers that are never used again, from 1. `ownerId`: the pipeline of builds, else the environment. */
export function nextNumber(db: Db, of: Run['kind'], ownerId: number): number {
  const owners = of === 'build' ? 'pipelines' : 'environments';
  const found = row<{ number: number }>(
    db,
    `INSERT INTO numbers (series, next)
     SELECT ? || p.slug || '/' || o.name, 2 FROM ${owners} AS o JOIN projects AS p ON p.id = o.project_id WHERE o.id = ?
     ON CONFLICT (series) DO UPDATE SET next = next + 1 RETURNING next - 1 AS number`,
    `${of} `,
    ownerId,
  );
  if (!found) throw new Error(`there is no ${of} owner ${ownerId}`);
  return found.number;
}

// ---- what steps handed over --------------------------------------------------------------------------------------------

export interface StoredTest extends TestResult {
  step: string;
}

export function storeOutput(db: Db, runId: number, step: string, output: StepOutput): void {
  change(db, 'DELETE FROM tests WHERE run_id = ? AND step = ?', runId, step);
  for (const test of output.tests ?? []) {
    change(
      db,
      'INSERT INTO tests VALUES (?, ?, ?, ?, ?, ?, ?)',
      runId,
      step,
      test.suite,
      test.name,
      test.result,
      test.seconds,
      test.message ?? null,
    );
  }
  for (const { path, sha256, size } of output.artifacts ?? []) {
    change(db, 'INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?, ?)', runId, step, path, sha256, size);
  }
}

export const testsOf = (db: Db, runId: number): StoredTest[] =>
  rows<StoredTest & { message: string | null }>(
    db,
    'SELECT step, suite, name, result, seconds, message FROM tests WHERE run_id = ? ORDER BY rowid',
    runId,
  ).map(({ message, ...test }) => (message === null ? test : { ...test, message }));

export const artifactsOf = (db: Db, runId: number): Artifact[] =>
  rows<Artifact>(db, 'SELECT path, sha256, size FROM artifacts WHERE run_id = ? ORDER BY path', runId);

/** The run that this key made before in this scope, if any. */
export const idempotent = (db: Db, scope: string, key: string): { run_id: number; body_hash: string } | undefined =>
  row(db, 'SELECT run_id, body_hash FROM idempotency WHERE scope = ? AND key = ?', scope, key);

export const rememberKey = (db: Db, scope: string, key: string, bodyHash: string, runId: number, now: number): void => {
  change(db, 'INSERT INTO idempotency VALUES (?, ?, ?, ?, ?)', scope, key, bodyHash, runId, now);
};
