/** What people ask of deployments: promote, roll back, approve, reject, and see what would change. */
import { AppError, conflict, invalid, notFound } from '../pipelines/errors.ts';
import { approvalRefusal, closedGates, evaluateGates } from '../pipelines/gates.ts';
import type {
  Change,
  DeploymentPlan,
  DeploymentRun,
  Environment,
  Release,
  ReleaseContent,
  Role,
} from '../pipelines/model.ts';
import type { Clock } from '../pipelines/ports.ts';
import { passedIn, recheck, requestDeployment } from './deployments.ts';
import type { FindMissing } from './digests.ts';
import type { Ledger } from './ledger.ts';
import type { Actor, DeployRequest, Diff, RollbackRequest } from './services.ts';
import { type Db, rows } from './store/db.ts';
import { environmentById } from './store/environments.ts';
import { roleOf } from './store/projects.ts';
import { releaseById, releaseOf, stacksOf } from './store/releases.ts';
import { builds, passedInto, planOf, runById, testsOf } from './store/runs.ts';
import { stackState } from './store/stacks.ts';

export class Promoter {
  readonly #db: Db;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #findMissing: FindMissing;

  constructor(db: Db, ledger: Ledger, clock: Clock, findMissing: FindMissing) {
    this.#findMissing = findMissing;
    this.#db = db;
    this.#ledger = ledger;
    this.#clock = clock;
  }

  async promote(environment: Environment, request: DeployRequest, actor: Actor): Promise<DeploymentRun> {
    const stack = this.#stack(environment.projectId, request.stack);
    const release = releaseOf(this.#db, environment.projectId, stack, request.release);
    if (!release) throw notFound(`there is no release ${request.release} of ${stack}`);
    if (request.override !== undefined && this.#roleOf(environment.projectId, actor) !== 'admin') {
      throw new AppError('forbidden', 'Only an admin of this project can override a gate.');
    }
    const missing = await this.#findMissing(environment, release);
    return this.#ledger.write((tx) =>
      requestDeployment(tx, {
        environment,
        release: releaseById(tx.db, release.id) ?? release,
        trigger: 'promote',
        requestedBy: actor.name,
        note: request.note ?? null,
        at: request.at ?? null,
        override: request.override === undefined ? null : { by: actor.name, reason: request.override },
        missing,
      }),
    );
  }

  #roleOf(projectId: number, actor: Actor): Role | null {
    if (actor.admin) return 'admin';
    return actor.userId === null ? null : (roleOf(this.#db, projectId, actor.userId) ?? null);
  }

  /** Puts an earlier release back, with its own text, files and variables: the one before the current, or `to`. */
  rollback(environment: Environment, request: RollbackRequest, actor: Actor): DeploymentRun {
    const stack = this.#stack(environment.projectId, request.stack);
    return this.#ledger.write((tx) => {
      const release = this.#earlier(environment, stack, request.to);
      return requestDeployment(tx, {
        environment,
        release,
        trigger: 'rollback',
        requestedBy: actor.name,
        note: request.reason,
        at: null,
        override: null,
        missing: null,
      });
    });
  }

  #earlier(environment: Environment, stack: string, to: string | undefined): Release {
    const { current } = stackState(this.#db, environment.id, stack);
    const been = passedInto(this.#db, environment.id, stack, 100);
    const found =
      to === undefined
        ? been.find((run) => current !== null && run.releaseId !== current.releaseId)
        : been.find((run) => run.release === to);
    const release = found && releaseById(this.#db, found.releaseId);
    if (release) return release;
    if (to !== undefined)
      throw conflict(`${to} of ${stack} never ran in ${environment.name}: roll back to one that did, or promote it`);
    throw conflict(
      `nothing ran in ${environment.name} before ${current?.release ?? 'now'}: there is nothing to roll back to`,
    );
  }

  approve(run: DeploymentRun, comment: string, actor: Actor): DeploymentRun {
    return this.#decide(run, (tx, now) => {
      const environment = environmentById(tx.db, now.environmentId);
      const role = this.#roleOf(now.projectId, actor);
      const why = approvalRefusal(
        environment?.approvals ?? null,
        { name: actor.name, role, admin: actor.admin },
        now.requestedBy,
      );
      if (why) throw new AppError('forbidden', why);
      const baseline = stackState(tx.db, now.environmentId, now.stack).current?.deployment ?? null;
      return recheck(tx, tx.apply(now, { type: 'approved', by: actor.name, comment, baseline }));
    });
  }

  reject(run: DeploymentRun, comment: string, actor: Actor): DeploymentRun {
    return this.#decide(run, (tx, now) => tx.apply(now, { type: 'rejected', by: actor.name, comment }));
  }

  #decide(
    run: DeploymentRun,
    decide: (tx: Parameters<Parameters<Ledger['write']>[0]>[0], now: DeploymentRun) => DeploymentRun,
  ): DeploymentRun {
    return this.#ledger.write((tx) => {
      const now = runById(tx.db, run.id) as DeploymentRun;
      const waits = now.status === 'waiting' && now.gates.some((gate) => gate.gate === 'approvals');
      if (!waits) throw conflict(`deployment #${now.number} is ${now.status}: it does not wait for an approval`);
      return decide(tx, now);
    });
  }

  #stack(projectId: number, stack: string | undefined): string {
    const known = stacksOf(this.#db, projectId);
    if (stack !== undefined) return stack;
    const [only] = known;
    if (only === undefined) throw notFound('nothing has been released in this project yet');
    if (known.length > 1) throw invalid(`this project has several stacks (${known.join(', ')}): say which`, 'stack');
    return only;
  }

  /** Against what runs *now*: commits of all releases in between, digests, compose text, variables, tests. */
  async diff(environment: Environment, release: Release): Promise<Diff> {
    const missing = await this.#findMissing(environment, release);
    const { current, lock } = stackState(this.#db, environment.id, release.stack);
    const running = current && releaseById(this.#db, current.releaseId);
    const frozen = current && (planOf(this.#db, current.runId) as DeploymentPlan).target;
    const tests = testsOf(this.#db, release.buildRunId);
    const tally = (result: string) => tests.filter((test) => test.result === result).length;
    const gates = evaluateGates({
      now: this.#clock.now(),
      environment,
      release,
      deployment: {
        number: 0,
        trigger: 'promote',
        approvals: [],
        requestedBy: null,
        at: null,
        override: null,
        stack: release.stack,
      },
      passedIn: passedIn(this.#db, release),
      current: current?.deployment ?? null,
      lockedBy: lock?.deployment ?? null,
      missing,
    });
    return {
      stack: release.stack,
      release: release.version,
      current: current?.release ?? null,
      changes: changesBetween(this.#db, running ?? null, release),
      images: compare(digests(running?.content), digests(release.content)),
      compose: { from: frozen?.content.compose ?? null, to: release.content.compose },
      variables: compare(frozen?.variables ?? {}, environment.variables).filter(({ from, to }) => from !== to),
      secrets: this.#changedSecrets(environment, current?.since ?? null),
      tests: { total: tests.length, passed: tally('passed'), failed: tally('failed'), skipped: tally('skipped') },
      gates: closedGates(gates),
    };
  }

  #changedSecrets(environment: Environment, since: number | null): string[] {
    return rows<{ name: string }>(
      this.#db,
      'SELECT DISTINCT name FROM secrets WHERE project_id = ? AND (environment_id IS NULL OR environment_id = ?) AND updated_at > ? ORDER BY name',
      environment.projectId,
      environment.id,
      since ?? 0,
    ).map(({ name }) => name);
  }
}

/** Changes of every build after the one of `from` up to that of `to`, newest first: skipped and failed builds too. */
export function changesBetween(db: Db, from: Release | null, to: Release): Change[] {
  const since = from?.pipelineId === to.pipelineId ? from.build : 0;
  return builds(db, to.pipelineId, { before: to.build + 1, limit: 200, branch: to.branch })
    .filter(({ number }) => number > since)
    .flatMap(({ changes }) => changes);
}

const digests = (content: ReleaseContent | undefined): Record<string, string> =>
  Object.fromEntries((content?.images ?? []).map(({ name, digest }) => [name, digest]));

function compare(
  from: Record<string, string>,
  to: Record<string, string>,
): { name: string; from: string | null; to: string | null }[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort();
  return names.map((name) => ({ name, from: from[name] ?? null, to: to[name] ?? null }));
}
