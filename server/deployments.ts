/**
 * Deployments inside a transaction: asked for, held at gates, let go, given the lock, and followed by the next environment.
 * Everything here may run in the transaction that made it necessary; nothing here does I/O.
 */
import { conflict } from '../pipelines/errors.ts';
import { closedGates, evaluateGates, type GateInput } from '../pipelines/gates.ts';
import type { DeploymentPlan, DeploymentRun, Environment, Gate, Release, Target, Trigger } from '../pipelines/model.ts';
import { initialSteps, planDeployment, planInspection } from '../pipelines/plan.ts';
import { freshRun } from '../pipelines/transition.ts';
import type { Tx } from './ledger.ts';
import type { Db } from './store/db.ts';
import { environmentById, environmentsOf } from './store/environments.ts';
import { projectById, registryOf } from './store/projects.ts';
import { notifyOf, releaseById } from './store/releases.ts';
import { nextNumber, passedDeployments, planOf, waitingDeployments } from './store/runs.ts';
import { setHold, stackState, takeLock } from './store/stacks.ts';

export interface DeploymentRequest {
  environment: Environment;
  release: Release;
  trigger: Extract<Trigger, 'promote' | 'rollback' | 'retry'>;
  /** Null for Slipway itself: an automatic promotion. */
  requestedBy: string | null;
  note: string | null;
  at: number | null;
  override: DeploymentRun['override'];
  /** Images that the registry no longer has; null where it was not asked. */
  missing: string[] | null;
}

/** Inserts a deployment, `queued` or `waiting` at its gates. Throws a conflict with `gates` where waiting cannot help. */
export function requestDeployment(tx: Tx, request: DeploymentRequest): DeploymentRun {
  const { environment, release, trigger } = request;
  const { stack } = release;
  const state = stackState(tx.db, environment.id, stack);
  const draft = {
    kind: 'deployment' as const,
    projectId: release.projectId,
    environmentId: environment.id,
    stack,
    releaseId: release.id,
    release: release.version,
    trigger,
    requestedBy: request.requestedBy,
    note: request.note,
    at: request.at,
    override: request.override,
    approvals: [],
    number: 0,
  };
  const gates = gatesOf(tx.db, tx.now, environment, release, draft, request.missing);
  refuseHopeless(gates, environment, release);
  const number = nextNumber(tx.db, 'deployment', environment.id);
  const plan = freezePlan(tx.db, request, number);
  const held = closedGates(gates).length > 0;
  if (trigger === 'promote' && request.requestedBy !== null) setHold(tx.db, environment.id, stack, null);
  return tx.insert<DeploymentRun>(
    {
      ...draft,
      number,
      pool: environment.pool,
      ...freshRun(initialSteps(plan), tx.now, held ? 'waiting' : 'queued'),
      gates,
      baseline: state.current?.deployment ?? null,
      before: null,
      after: null,
      restored: null,
    },
    plan,
  );
}

function refuseHopeless(gates: readonly Gate[], environment: Environment, release: Release): void {
  const hopeless = closedGates(gates).filter((gate) => !gate.waits);
  if (hopeless.length === 0) return;
  const why = hopeless.map((gate) => gate.message).join(' ');
  throw conflict(`${release.version} cannot go to ${environment.name}: ${why}`, { gates: closedGates(gates) });
}

function gatesOf(
  db: Db,
  now: number,
  environment: Environment,
  release: Release,
  deployment: GateInput['deployment'] & { id?: number },
  missing: string[] | null = null,
): Gate[] {
  const { current, lock } = stackState(db, environment.id, release.stack);
  return evaluateGates({
    now,
    environment,
    release,
    deployment,
    passedIn: passedIn(db, release),
    current: current?.deployment ?? null,
    lockedBy: lock && lock.runId !== deployment.id ? lock.deployment : null,
    missing,
  });
}

/** Names of the environments that a release has passed. */
export function passedIn(db: Db, release: Release): Set<string> {
  const ids = new Set(passedDeployments(db, release.id).map((run) => run.environmentId));
  return new Set(environmentsOf(db, release.projectId).flatMap((each) => (ids.has(each.id) ? [each.name] : [])));
}

function freezePlan(
  db: Db,
  { environment, release, trigger, requestedBy: _ }: DeploymentRequest,
  number: number,
): DeploymentPlan {
  const project = projectById(db, release.projectId);
  if (!project) throw new Error(`there is no project ${release.projectId}`);
  return planDeployment({
    project: project.slug,
    environment,
    release,
    stack: release.stack,
    number,
    trigger,
    target: targetFor(db, environment, release, trigger),
    registry: registryOf(db, release.projectId, environment.id) ?? registryOf(db, release.projectId, null),
    notify: notifyOf(db, release.id),
  });
}

/** A rollback takes the variables that the release ran with here; anything else takes today's. */
function targetFor(db: Db, environment: Environment, release: Release, trigger: Trigger): Target {
  const earlier = trigger === 'rollback' ? passedDeployments(db, release.id, environment.id)[0] : undefined;
  const frozen = earlier && (planOf(db, earlier.id) as DeploymentPlan).target;
  return { release: release.version, content: release.content, variables: frozen?.variables ?? environment.variables };
}

/** Judges a waiting deployment again: lets it go, or writes down what has changed. */
export function recheck(tx: Tx, run: DeploymentRun): DeploymentRun {
  const { environment, release } = belongings(tx.db, run);
  const gates = gatesOf(tx.db, tx.now, environment, release, run);
  const hopeless = closedGates(gates).find((gate) => !gate.waits);
  if (hopeless) return tx.apply(run, { type: 'expired', reason: hopeless.message });
  if (closedGates(gates).length === 0) return tx.apply(run, { type: 'queued' });
  return JSON.stringify(gates) === JSON.stringify(run.gates) ? run : tx.apply(run, { type: 'held', gates });
}

/** What waits for (environment, stack) is judged again, oldest first. */
export function wake(tx: Tx, environmentId: number, stack: string): void {
  for (const run of waitingDeployments(tx.db, environmentId, stack)) recheck(tx, run);
}

/**
 * The target was inspected: compares what runs with what was approved, and takes the lock, in one transaction.
 * Answers the run as it goes on: still running and holding the lock, back at its gates, or cancelled because a later one went first.
 */
export function enter(tx: Tx, run: DeploymentRun): DeploymentRun {
  const { environment, release } = belongings(tx.db, run);
  const current = stackState(tx.db, run.environmentId, run.stack).current?.deployment ?? null;
  if (current !== null && current > run.number) {
    return tx.apply(run, {
      type: 'stop',
      kind: 'cancel',
      by: null,
      reason: `deployment #${current} was newer and went first`,
    });
  }
  const gates = gatesOf(tx.db, tx.now, environment, release, run);
  if (closedGates(gates).length > 0) return tx.apply(run, { type: 'held', gates });
  if (current !== run.baseline) {
    // What to restore was handed out with the claim, and is out of date: claim again.
    const held = tx.apply(run, { type: 'held', gates });
    return tx.apply(held, { type: 'queued' });
  }
  if (!takeLock(tx.db, run.environmentId, run.stack, run.id, tx.now)) {
    return tx.apply(run, { type: 'held', gates: gatesOf(tx.db, tx.now, environment, release, run) });
  }
  return run;
}

function belongings(db: Db, run: DeploymentRun): { environment: Environment; release: Release } {
  const environment = environmentById(db, run.environmentId);
  const release = releaseById(db, run.releaseId);
  if (!environment || !release) throw new Error(`deployment ${run.id} has lost its environment or release`);
  return { environment, release };
}

/** Deployments that follow by themselves: to the first environments of a new release, or to those after `passed`. */
export function follow(tx: Tx, release: Release, passed: Environment | null): void {
  const done = passedIn(tx.db, release);
  for (const environment of environmentsOf(tx.db, release.projectId)) {
    const next = passed ? environment.after.includes(passed.name) : environment.after.length === 0;
    if (!next || environment.promote !== 'auto' || done.has(environment.name)) continue;
    if (!environment.after.every((name) => done.has(name))) continue;
    if (stackState(tx.db, environment.id, release.stack).hold) {
      tx.record('promotion.held', release.projectId, {
        environment: environment.name,
        stack: release.stack,
        release: release.version,
      });
      continue;
    }
    const draft = {
      number: 0,
      trigger: 'promote' as const,
      approvals: [],
      requestedBy: null,
      at: null,
      override: null,
      stack: release.stack,
    };
    const hopeless = closedGates(gatesOf(tx.db, tx.now, environment, release, draft)).some((gate) => !gate.waits);
    if (hopeless) continue;
    requestDeployment(tx, {
      environment,
      release,
      trigger: 'promote',
      requestedBy: null,
      note: null,
      at: null,
      override: null,
      missing: null,
    });
  }
}

/** After a deploy was lost, somebody must look: a task that writes down what runs there now. */
export function inspectAfterLoss(tx: Tx, run: DeploymentRun): void {
  const { environment } = belongings(tx.db, run);
  const project = projectById(tx.db, run.projectId);
  if (!project) return;
  const number = nextNumber(tx.db, 'task', environment.id);
  const plan = planInspection({ project: project.slug, environment, stack: run.stack });
  tx.insert(
    {
      kind: 'task',
      projectId: run.projectId,
      environmentId: environment.id,
      stack: run.stack,
      task: 'inspect',
      observed: null,
      number,
      trigger: 'manual',
      requestedBy: null,
      pool: environment.pool,
      ...freshRun(initialSteps(plan), tx.now),
    },
    plan,
  );
}
