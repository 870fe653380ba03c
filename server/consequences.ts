/** What follows from a move of a run, written in the same transaction: releases, deployments, locks, what runs where, mail. */
import type { RunEvent } from '../pipelines/events.ts';
import type { BuildPlan, BuildRun, DeploymentRun, ReleaseContent, Run } from '../pipelines/model.ts';
import { follow, inspectAfterLoss, wake } from './deployments.ts';
import type { Tx } from './ledger.ts';
import { mailAboutBuild, mailAboutDeployment } from './notify/recipients.ts';
import { recordAudit } from './store/audit.ts';
import { environmentById } from './store/environments.ts';
import { pipelineById } from './store/pipelines.ts';
import { projectById } from './store/projects.ts';
import { insertRelease, ownStack, releaseById } from './store/releases.ts';
import { planOf } from './store/runs.ts';
import { releaseLock, setCurrent, setHold, setObserved } from './store/stacks.ts';
import { oweStatus } from './store/statuses.ts';

export function consequences(tx: Tx, before: Run | null, after: Run, event: RunEvent | null): void {
  auditMove(tx, after, event);
  const ended = after.status === 'finished' && before?.status !== 'finished';
  if (after.kind === 'build') {
    if (before === null || ended) oweStatus(tx.db, after, tx.now);
    if (ended) buildEnded(tx, after, event?.type === 'step.finished' ? (event.output?.release ?? null) : null);
  } else if (after.kind === 'deployment') {
    if (ended) deploymentEnded(tx, after, event);
    else if (after.status === 'waiting') mailAboutDeployment(tx, after, before);
  } else if (ended && after.observed) {
    setObserved(tx.db, after.environmentId, after.stack, after.observed, tx.now);
  }
}

function buildEnded(tx: Tx, run: BuildRun, content: ReleaseContent | null): void {
  if (run.result === 'passed' && content) {
    const plan = planOf(tx.db, run.id) as BuildPlan;
    if (!plan.release) throw new Error(`build ${run.id} handed over a release that its plan does not name`);
    ownStack(tx.db, run.projectId, plan.release.stack, run.pipelineId);
    const release = insertRelease(
      tx.db,
      {
        projectId: run.projectId,
        stack: plan.release.stack,
        version: plan.release.version,
        pipelineId: run.pipelineId,
        build: run.number,
        buildRunId: run.id,
        branch: run.branch,
        revision: run.revision,
        content,
        verify: plan.release.verify,
        createdAt: tx.now,
      },
      plan.notify,
    );
    tx.record('release', run.projectId, { stack: release.stack, version: release.version, build: run.number });
    follow(tx, release, null);
  }
  mailAboutBuild(tx, run);
}

function deploymentEnded(tx: Tx, run: DeploymentRun, event: RunEvent | null): void {
  const { environmentId, stack } = run;
  const release = releaseById(tx.db, run.releaseId);
  if (run.result === 'passed') {
    setCurrent(tx.db, environmentId, stack, {
      releaseId: run.releaseId,
      release: run.release,
      deployment: run.number,
      runId: run.id,
      since: tx.now,
      services: run.after ?? [],
    });
    if (run.trigger === 'rollback') {
      setHold(tx.db, environmentId, stack, {
        by: run.requestedBy,
        reason: run.note ?? `rolled back to ${run.release}`,
        at: tx.now,
      });
    }
  }
  if (event?.type === 'lost' && run.effect === 'deploying') inspectAfterLoss(tx, run);
  releaseLock(tx.db, environmentId, stack, run.id);
  wake(tx, environmentId, stack);
  const environment = environmentById(tx.db, environmentId);
  if (run.result === 'passed' && release && environment) follow(tx, release, environment);
  mailAboutDeployment(tx, run, null);
}

/** Who asked for, stopped or decided what; and how every deployment ended. */
function auditMove(tx: Tx, run: Run, event: RunEvent | null): void {
  const line = (actor: string | null, action: string, data: Record<string, unknown>) =>
    recordAudit(tx.db, {
      at: tx.now,
      actor,
      action: `${run.kind}.${action}`,
      projectId: run.projectId,
      target: targetOf(tx, run),
      data,
    });
  if (event === null && run.requestedBy !== null) line(run.requestedBy, 'requested', { trigger: run.trigger });
  if (event?.type === 'stop' && event.by !== null) line(event.by, 'cancelled', { reason: event.reason });
  if (event?.type === 'approved' || event?.type === 'rejected') line(event.by, event.type, { comment: event.comment });
  if (run.kind === 'deployment' && run.status === 'finished')
    line(null, run.result ?? 'finished', { release: run.release, reason: run.reason });
}

function targetOf(tx: Tx, run: Run): string {
  const project = projectById(tx.db, run.projectId)?.slug;
  if (run.kind === 'build') return `${project}/${pipelineById(tx.db, run.pipelineId)?.name} #${run.number}`;
  return `${project}/${environmentById(tx.db, run.environmentId)?.name} ${run.kind} #${run.number}`;
}
