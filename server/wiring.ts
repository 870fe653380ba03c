/** What the HTTP side asks, answered by the parts of the core. */
import { notFound } from '../pipelines/errors.ts';
import type { BuildRun, Run } from '../pipelines/model.ts';
import type { Clock, LogRef } from '../pipelines/ports.ts';
import type { BlobStore } from './blobs.ts';
import type { Bus } from './bus.ts';
import type { Coordinator } from './coordinator.ts';
import type { DiskGuard } from './disk.ts';
import { takeHook, takeImages } from './intake.ts';
import type { Ledger } from './ledger.ts';
import type { LogStore } from './logs.ts';
import type { Poller } from './poller.ts';
import type { Promoter } from './promoter.ts';
import { queueView } from './queue-view.ts';
import type { SourceReach } from './reach.ts';
import type { Repository } from './repository.ts';
import type { Services } from './services.ts';
import { parametersAt, testSource, tryFilters } from './source-trials.ts';
import type { Db } from './store/db.ts';
import { eventsSince, lastEvent } from './store/events.ts';
import { type Pipeline, pipelineById } from './store/pipelines.ts';
import { releaseOf, releasesOf, setBlocked, stacksOf } from './store/releases.ts';
import {
  artifactsOf,
  build,
  builds,
  changesSinceGood,
  deployment,
  deployments,
  runById,
  testsOf,
} from './store/runs.ts';
import { stackStates } from './store/stacks.ts';
import { SCM_TIMEOUT, type Trigger } from './trigger.ts';
import type { Watcher } from './watcher.ts';

interface Parts {
  db: Db;
  clock: Clock;
  ledger: Ledger;
  logs: LogStore;
  blobs: BlobStore;
  bus: Bus;
  disk: DiskGuard;
  coordinator: Coordinator;
  reach: SourceReach;
  repository: Repository;
  trigger: Trigger;
  poller: Poller;
  watcher: Watcher;
  promoter: Promoter;
  /** null: no mail is sent. */
  mailer: object | null;
}

export function servicesOf(parts: Parts): Services {
  const { db, ledger, clock, logs, blobs, bus, coordinator, trigger, promoter, disk } = parts;
  const { reach, repository, poller, watcher } = parts;
  const isOver = (ref: LogRef) => runById(db, ref.runId)?.status === 'finished';
  return {
    runs: {
      build: (pipelineId, number) => build(db, pipelineId, number),
      builds: (pipelineId, filter) => builds(db, pipelineId, filter),
      changesSinceGood: (run) => changesSinceGood(db, run),
      deployment: (environmentId, number) => deployment(db, environmentId, number),
      deployments: (environmentId, page) => deployments(db, environmentId, page),
      tests: (runId) => testsOf(db, runId),
      artifacts: (runId) => artifactsOf(db, runId),
      open: () => queueView(db, coordinator.runners()),
    },
    releases: {
      get: (projectId, stack, version) => releaseOf(db, projectId, stack, version),
      list: (projectId, page) => releasesOf(db, projectId, page),
      block: (release, reason, actor) =>
        ledger.write((tx) => setBlocked(tx.db, release.id, { by: actor.name, reason, at: clock.now() })),
      stacksOf: (projectId) => stacksOf(db, projectId),
    },
    stacks: { states: (environmentId) => stackStates(db, environmentId) },
    trigger: {
      manual: (pipeline, request, actor) => trigger.manual(pipeline, request, actor),
      retry: (run, actor) => trigger.retry(run, pipelineOf(db, run), actor),
    },
    sources: {
      firstSight: async (pipeline) => {
        const sight = await poller.firstSight(pipeline);
        watcher.changed();
        return sight;
      },
      branches: (pipeline) => repository.heads(pipeline, AbortSignal.timeout(SCM_TIMEOUT)),
      revisions: async (pipeline, branch, limit) =>
        (await repository.revisions(pipeline, branch, limit, AbortSignal.timeout(SCM_TIMEOUT))).changes,
      parameters: (pipeline, at) => parametersAt(repository, pipeline, at),
      test: (pipeline) => testSource((signal) => repository.heads(pipeline, signal)),
      testNew: (project, source, credentials) =>
        testSource((signal) => reach.scm(source.kind).heads(reach.trial(project, source, credentials), signal)),
      tryFilters: (pipeline, trial) => tryFilters(repository, pipeline, trial),
      outlook: (pipeline) => watcher.outlook(pipeline.id),
      hook: (pipeline, hook) => takeHook(parts, pipeline, hook),
      imagesPushed: (pipeline, images) => takeImages(parts, pipeline, images),
    },
    promoter,
    coordinator: {
      cancel: <R extends Run>(run: R, actor: { name: string }, reason: string) =>
        coordinator.cancel(run.id, actor.name, reason) as R,
    },
    logs: {
      stat: (ref) => logs.stat(ref),
      read: (ref, from, to) => logs.read(ref, from, to),
      follow: (ref, from, signal) => logs.follow(ref, from, signal, () => isOver(ref)),
      search: (ref, query, listing) => logs.search(ref, query, listing),
      count: (ref) => logs.count(ref),
      lines: (ref, from, to) => logs.lines(ref, from, to),
      watch: (ref, signal) => logs.watch(ref, signal, () => isOver(ref)),
    },
    blobs: { stream: (sha256) => blobs.stream(sha256) },
    events: {
      since: (id, limit) => eventsSince(db, id, limit),
      last: () => lastEvent(db),
      subscribe: (listener) => bus.subscribe(listener),
    },
    health: {
      ready: () => ({
        ok: disk.open,
        checks: {
          database: 'ok',
          disk: disk.open ? 'ok' : 'nearly full: new builds are not taken',
          smtp: parts.mailer ? 'set' : 'not set',
        },
      }),
    },
  };
}

function pipelineOf(db: Db, run: BuildRun): Pipeline {
  const pipeline = pipelineById(db, run.pipelineId);
  if (!pipeline) throw notFound('its pipeline is gone');
  return pipeline;
}
