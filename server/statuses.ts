/**
 * Tells forges what became of their commits: sends what transactions left in the table `statuses`. One that goes out twice
 * changes nothing there.
 */
import { AppError } from '../pipelines/errors.ts';
import type { Clock } from '../pipelines/ports.ts';
import type { Vault } from './auth/vault.ts';
import { type ForgeReply, type Outcome, outcomeOf, transportOutcome } from './forge/answer.ts';
import { describe } from './forge/describe.ts';
import { giteaStatus, githubStatus } from './forge/github.ts';
import { gitlabStatus } from './forge/gitlab.ts';
import { defaultBase, type ForgeKind, type ForgeRequest, repositoryOf, type StatusTarget } from './forge/target.ts';
import { link } from './notify/view.ts';
import { createSender, retryDelay, type Sender } from './sender.ts';
import { type Db, transact } from './store/db.ts';
import { pipelineById, statusToken } from './store/pipelines.ts';
import { projectById } from './store/projects.ts';
import { runById, testsOf } from './store/runs.ts';
import {
  dueStatuses,
  forgetStatus,
  markFailed,
  markSent,
  nextStatusAt,
  type StatusRow,
  type Window,
} from './store/statuses.ts';

export interface StatusSenderOptions {
  db: Db;
  vault: Vault;
  publicUrl(): string;
  post(request: ForgeRequest, signal: AbortSignal): Promise<ForgeReply>;
  clock: Clock;
  logger: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

const SEND_TIMEOUT = 10_000;
const LAST_DELAY = 60 * 60_000;
const GIVE_UP_AFTER = 24 * 3_600_000;

const BUILDERS: Record<ForgeKind, (target: StatusTarget, state: StatusRow['state']) => ForgeRequest> = {
  github: githubStatus,
  gitlab: gitlabStatus,
  gitea: giteaStatus,
};

export function createStatusSender(options: StatusSenderOptions): Sender {
  const { db, clock, logger } = options;
  const windowAt = (now: number): Window => ({ now, oldest: now - GIVE_UP_AFTER, ahead: LAST_DELAY });
  return createSender<StatusRow>({
    due: (now, limit) => dueStatuses(db, windowAt(now), limit),
    nextAt: (now) => nextStatusAt(db, windowAt(now)),
    // So that no report overtakes another one that it replaces.
    keyOf: ({ pipelineId, revision }) => `${pipelineId}/${revision}`,
    async attempt(status, signal) {
      const outcome = await send(options, status, signal);
      return { sent: outcome?.kind === 'sent', record: () => record(status, outcome) };
    },
    timeout: SEND_TIMEOUT,
    clock,
    logger,
  });

  function record(status: StatusRow, outcome: Outcome | null): void {
    const fields = { status: status.id, run: status.runId, state: status.state };
    const now = clock.now();
    if (outcome === null) {
      forgetStatus(db, status);
      return;
    }
    if (outcome.kind === 'sent') {
      transact(db, () => markSent(db, status, now));
      logger.info(fields, 'commit status sent');
      return;
    }
    const delay = outcome.kind === 'never' ? null : delayAfter(status.attempts + 1, outcome.after);
    transact(db, () => markFailed(db, status, outcome.error, delay === null ? null : now + delay));
    logger.warn({ ...fields, error: outcome.error, retryIn: delay }, 'commit status not sent');
  }
}

/** Never sooner than the forge asked, as far as that is a matter of an hour. */
const delayAfter = (attempts: number, asked: number | null): number =>
  Math.min(Math.max(retryDelay(attempts, LAST_DELAY), asked ?? 0), LAST_DELAY);

/** Never rejects. null: there is nothing to tell any more. */
async function send(
  { db, vault, publicUrl, post, clock }: StatusSenderOptions,
  status: StatusRow,
  signal: AbortSignal,
): Promise<Outcome | null> {
  try {
    const found = targetOf(db, vault, publicUrl(), status);
    if (found === null) return null;
    if ('error' in found) return about(found.number, { kind: 'never', error: found.error });
    const { number, kind, target } = found;
    const outcome = await post(BUILDERS[kind](target, status.state), signal).then(
      (reply) => outcomeOf(kind, status.state, reply, clock.now()),
      (thrown) => transportOutcome(kind, thrown),
    );
    return about(number, outcome);
  } catch (thrown) {
    // What is thrown may hold what it was given; only what was made for users is shown.
    const error = thrown instanceof AppError ? thrown.message : 'internal error';
    return { kind: 'later', error: `the commit status could not be made: ${error}`, after: null };
  }
}

const about = (number: number, outcome: Outcome): Outcome =>
  outcome.kind === 'sent' ? outcome : { ...outcome, error: `build #${number}: ${outcome.error}` };

type Found = { number: number; kind: ForgeKind; target: StatusTarget } | { number: number; error: string };

function targetOf(db: Db, vault: Vault, publicUrl: string, { runId }: StatusRow): Found | null {
  const run = runById(db, runId);
  const pipeline = run?.kind === 'build' ? pipelineById(db, run.pipelineId) : undefined;
  if (run?.kind !== 'build' || !pipeline?.status) return null;
  const { number, revision: sha, branch } = run;
  const { kind } = pipeline.status;
  const base = pipeline.status.url ?? defaultBase(pipeline.source.url);
  const repository = base === null ? null : repositoryOf(kind, pipeline.source.url, base);
  if (base === null || repository === null) return { number, error: 'the source is not a repository of that forge' };
  const token = statusToken(db, vault, pipeline, base);
  if (token === null) return { number, error: 'there is no token to set commit statuses with' };
  const failedTests = run.result === 'failed' ? testsOf(db, runId).filter(({ result }) => result === 'failed') : [];
  const project = projectById(db, run.projectId)?.slug ?? '';
  const target: StatusTarget = {
    base,
    repository,
    sha,
    branch,
    context: `slipway/${project}/${pipeline.name}`,
    link: link({ publicUrl }, 'p', project, pipeline.name, number),
    description: describe(run, failedTests.length),
    token,
  };
  return { number, kind, target };
}
