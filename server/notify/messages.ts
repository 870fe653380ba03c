/** Gathers what a mail says from the database and the logs, when it is about to be sent. */
import type { BuildRun, DeploymentRun, Release, Run, Step } from '../../pipelines/model.ts';
import type { MailMessage } from '../../pipelines/ports.ts';
import type { LogStore } from '../logs.ts';
import { changesBetween } from '../promoter.ts';
import type { Db } from '../store/db.ts';
import { environmentById } from '../store/environments.ts';
import { pipelineById } from '../store/pipelines.ts';
import { projectById } from '../store/projects.ts';
import { releaseById } from '../store/releases.ts';
import { builds, deployments, lastBuild, runById, type StoredTest, testsOf } from '../store/runs.ts';
import type { BuildMail, DeploymentMail, FailingTest, MailInput, MailKind } from './mail-input.ts';
import { messageIdOf, type Thread, threadIdOf } from './message-id.ts';
import type { OutboxRow } from './outbox.ts';
import { composeMail } from './report.ts';

const EXCERPT = 16 * 1024;
/** ETA and medians are of this many passed builds. */
const SAMPLES = 10;

export interface MessageDeps {
  db: Db;
  logs: LogStore;
  from: string;
  publicUrl(): string;
}

export function messageFor(deps: MessageDeps, row: OutboxRow): MailMessage {
  const run = runById(deps.db, row.runId);
  if (!run || run.kind === 'task') throw new Error(`mail ${row.id} is about run ${row.runId}, which is not there`);
  const kind = row.kind as MailKind;
  const publicUrl = deps.publicUrl();
  const base = { publicUrl, project: projectById(deps.db, run.projectId)?.slug ?? '', why: row.why };
  const input = run.kind === 'build' ? buildMail(deps, run, kind, base) : deploymentMail(deps, run, kind, base);
  const { subject, text, html, headers } = composeMail(input);
  return {
    from: deps.from,
    to: row.recipient,
    subject,
    text,
    html,
    messageId: messageIdOf(row, publicUrl),
    references: [threadIdOf(threadOf(deps.db, run), publicUrl)],
    headers,
  };
}

type Base = Pick<MailInput, 'publicUrl' | 'project' | 'why'>;

function threadOf(db: Db, run: BuildRun | DeploymentRun): Thread {
  if (run.kind === 'deployment') return { projectId: run.projectId, stack: run.stack, release: run.release };
  return { pipelineId: run.pipelineId, branch: run.branch, since: brokenSince(db, run) };
}

/** Number of the first build of the broken streak that this build is in or has ended. */
function brokenSince(db: Db, run: BuildRun): number {
  const good = lastBuild(db, run.pipelineId, run.branch, run.number, ['passed'])?.number ?? 0;
  const since = builds(db, run.pipelineId, { before: run.number, limit: 200, branch: run.branch });
  const bad = since.filter(({ number, result }) => number > good && (result === 'failed' || result === 'errored'));
  return bad.at(-1)?.number ?? run.number;
}

function buildMail(deps: MessageDeps, run: BuildRun, kind: MailKind, base: Base): BuildMail {
  const { db } = deps;
  const shared = {
    ...base,
    pipeline: pipelineById(db, run.pipelineId)?.name ?? '',
    number: run.number,
    branch: run.branch,
    revision: run.revision,
    changes: run.changes,
    steps: run.steps.map(({ name, result }) => ({ name, result })),
    images: run.images.map(({ name, digest }) => ({ name, digest })),
    release: run.release,
    duration: durationOf(run),
    medianDuration: medianDuration(db, run),
  };
  if (kind === 'passed') return { ...shared, kind };
  if (kind === 'fixed') return { ...shared, kind, since: brokenSince(db, run) };
  return { ...shared, ...failure(deps, run, testsBefore(db, run)), kind: 'failed', since: brokenSince(db, run) };
}

function deploymentMail(deps: MessageDeps, run: DeploymentRun, kind: MailKind, base: Base): DeploymentMail {
  const { db } = deps;
  const environment = environmentById(db, run.environmentId);
  const release = releaseById(db, run.releaseId);
  const before = releaseBefore(db, run);
  const shared = {
    ...base,
    environment: environment?.name ?? '',
    environmentUrl: environment?.url ?? null,
    stack: run.stack,
    release: run.release,
    number: run.number,
    before: before?.version ?? null,
    requestedBy: run.requestedBy,
    note: run.note,
    changes: release ? changesBetween(db, before, release) : [],
    images: imagesOf(release, before),
    duration: durationOf(run),
  };
  if (kind === 'approval') {
    const given = run.approvals.filter(({ decision }) => decision === 'approved').length;
    return { ...shared, kind, gates: run.gates, approvals: { given, needed: environment?.approvals?.count ?? 0 } };
  }
  if (kind === 'deploy-failed') return { ...shared, ...failure(deps, run, []), kind, restored: run.restored };
  if (kind === 'rolled-back') return { ...shared, kind, reason: run.note };
  const tests = testsOf(db, run.id);
  const tally =
    tests.length > 0 ? { total: tests.length, passed: tests.filter(({ result }) => result === 'passed').length } : null;
  return { ...shared, kind: 'deployed', tests: tally };
}

/** The release of the last deployment that passed here before this one. */
function releaseBefore(db: Db, run: DeploymentRun): Release | null {
  const earlier = deployments(db, run.environmentId, { before: run.number, limit: 50 });
  const passed = earlier.find((each) => each.stack === run.stack && each.result === 'passed');
  return (passed && releaseById(db, passed.releaseId)) ?? null;
}

function imagesOf(
  release: Release | undefined,
  before: Release | null,
): { name: string; digest: string; beforeDigest: string | null }[] {
  const was = new Map(before?.content.images.map(({ name, digest }) => [name, digest]));
  return (release?.content.images ?? []).map(({ name, digest }) => ({
    name,
    digest,
    beforeDigest: was.get(name) ?? null,
  }));
}

function failure(deps: MessageDeps, run: BuildRun | DeploymentRun, before: readonly StoredTest[]) {
  const step = failingStep(run);
  const failedBefore = new Set(before.filter(({ result }) => result === 'failed').map(keyOf));
  const failing = testsOf(deps.db, run.id).filter(({ result }) => result === 'failed');
  const failingTests: FailingTest[] = failing.map((test) => ({
    suite: test.suite,
    name: test.name,
    message: test.message ?? null,
    isNew: !failedBefore.has(keyOf(test)),
  }));
  return {
    result: run.result ?? ('errored' as const),
    reason: run.reason,
    failingStep: step?.name ?? null,
    failingTests: [...failingTests].sort((a, b) => Number(b.isNew) - Number(a.isNew)),
    log: step
      ? { step: step.name, text: deps.logs.tail({ runId: run.id, step: step.name, attempt: step.attempt }, EXCERPT) }
      : null,
  };
}

const keyOf = (test: StoredTest) => `${test.suite}\n${test.name}`;

const failingStep = (run: Run): Step | undefined =>
  run.steps.find(({ result, allowFailure }) => result === 'errored' || (result === 'failed' && !allowFailure));

function testsBefore(db: Db, run: BuildRun): StoredTest[] {
  const before = lastBuild(db, run.pipelineId, run.branch, run.number, ['passed', 'failed', 'errored']);
  return before ? testsOf(db, before.id) : [];
}

const durationOf = (run: Run): number | null =>
  run.finishedAt !== null && run.startedAt !== null ? run.finishedAt - run.startedAt : null;

function medianDuration(db: Db, run: BuildRun): number | null {
  const passed = builds(db, run.pipelineId, {
    before: run.number,
    limit: SAMPLES,
    branch: run.branch,
    result: 'passed',
  });
  const sorted = passed.flatMap((each) => durationOf(each) ?? []).sort((a, b) => a - b);
  return sorted.length >= 3 ? (sorted[Math.floor(sorted.length / 2)] ?? null) : null;
}
