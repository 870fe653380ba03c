/** A core without runners: runs are rows in memory, made and ended at once. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pino } from 'pino';
import { conflict } from '../../pipelines/errors.ts';
import type { BuildRun, DeploymentRun, Environment, Release, Step } from '../../pipelines/model.ts';
import { createApp } from '../../server/app.ts';
import { newToken, sha256 } from '../../server/auth/identity.ts';
import { seedAdmin } from '../../server/auth/seed.ts';
import { createVault, secretKey, type Vault } from '../../server/auth/vault.ts';
import { readConfig } from '../../server/config.ts';
import type { Actor, QueueItem, Services, StackState, StoredEvent, StoredTest } from '../../server/services.ts';
import { change, type Db, openDb } from '../../server/store/db.ts';
import { appendEvent, eventsSince, lastEvent } from '../../server/store/events.ts';
import { type Pipeline, pipelineByName } from '../../server/store/pipelines.ts';
import { projectBySlug, setMember } from '../../server/store/projects.ts';
import { releaseOf, releasesOf, setBlocked, stacksOf } from '../../server/store/releases.ts';
import { stackStates } from '../../server/store/stacks.ts';
import { insertToken, type Scope, saveUser } from '../../server/store/users.ts';

export interface FakeServices extends Services {
  buildsMade: BuildRun[];
  deploymentsMade: DeploymentRun[];
  logText: Map<string, string>;
  testsMade: StoredTest[];
  queue: QueueItem[];
  /** Pipelines whose hooks were accepted, by id. */
  hooked: number[];
  /** URLs whose connection was tested. */
  tested: string[];
  /** What `firstSight` reports. */
  sourceError: string | null;
  publish(event: Omit<StoredEvent, 'id' | 'at'>): StoredEvent;
}

const AT = Date.UTC(2030, 0, 1);
export const REVISION = 'a'.repeat(40);
export const ARTIFACT = '<h1>hello</h1>';

const countOf = (text: string) => ({ lines: text.split('\n').length - 1, bytes: text.length, complete: true });

export function createFakeServices(db: Db): FakeServices {
  const listeners = new Set<(event: StoredEvent) => void>();
  const keys = new Map<string, BuildRun>();
  const replace = <R extends BuildRun | DeploymentRun>(list: R[], run: R): R => {
    list.splice(
      list.findIndex(({ id }) => id === run.id),
      1,
      run,
    );
    return run;
  };
  const textOf = (ref: { runId: number; step: string }) => fake.logText.get(`${ref.runId}/${ref.step}`) ?? '';
  const deploy = (environment: Environment, release: Pick<Release, 'id' | 'version' | 'stack'>, actor: Actor) => {
    const number = fake.deploymentsMade.filter((run) => run.environmentId === environment.id).length + 1;
    const run = deploymentRun(environment, release, number, actor.name);
    fake.deploymentsMade.push(run);
    return run;
  };

  const fake: FakeServices = {
    buildsMade: [],
    deploymentsMade: [],
    logText: new Map(),
    testsMade: [],
    queue: [],
    hooked: [],
    tested: [],
    sourceError: null,
    publish(event) {
      const stored = appendEvent(db, { ...event, at: AT });
      for (const listener of listeners) listener(stored);
      return stored;
    },
    runs: {
      build: (pipelineId, number) =>
        fake.buildsMade.find((run) => run.pipelineId === pipelineId && run.number === number),
      builds: (pipelineId, { before = Number.POSITIVE_INFINITY, limit, branch, result }) =>
        fake.buildsMade
          .filter((run) => run.pipelineId === pipelineId && run.number < before)
          .filter((run) => (branch ?? run.branch) === run.branch && (result ?? run.result) === run.result)
          .toReversed()
          .slice(0, limit),
      changesSinceGood: ({ changes }) => ({ changes, more: false, since: null }),
      deployment: (environmentId, number) =>
        fake.deploymentsMade.find((run) => run.environmentId === environmentId && run.number === number),
      deployments: (environmentId, { limit }) =>
        fake.deploymentsMade.filter((run) => run.environmentId === environmentId).slice(0, limit),
      tests: () => fake.testsMade,
      artifacts: () => [{ path: 'site/index.html', sha256: 'b'.repeat(64), size: ARTIFACT.length }],
      open: () => fake.queue,
    },
    releases: {
      get: (projectId, stack, version) => releaseOf(db, projectId, stack, version),
      list: (projectId, page) => releasesOf(db, projectId, page),
      block: (release, reason, actor) => setBlocked(db, release.id, { by: actor.name, reason, at: AT }),
      stacksOf: (projectId) => stacksOf(db, projectId),
    },
    stacks: { states: (environmentId): StackState[] => stackStates(db, environmentId) },
    trigger: {
      async manual(pipeline, request, actor) {
        const made = request.idempotencyKey === undefined ? undefined : keys.get(request.idempotencyKey);
        if (made) return made;
        const number = fake.buildsMade.filter((run) => run.pipelineId === pipeline.id).length + 1;
        const run = buildRun(pipeline, number, actor.name, request.branch);
        fake.buildsMade.push(run);
        if (request.idempotencyKey !== undefined) keys.set(request.idempotencyKey, run);
        return run;
      },
      async retry(run) {
        const again = { ...run, id: run.id + 1000, number: fake.buildsMade.length + 1, trigger: 'retry' as const };
        fake.buildsMade.push(again);
        return again;
      },
    },
    sources: {
      firstSight: async () => ({ warning: fake.sourceError }),
      branches: async () => [{ branch: 'main', revision: REVISION }],
      revisions: async () => [{ revision: REVISION, author: 'Ann', email: null, message: 'first', at: AT }],
      test: async () => ({ ok: true, error: null, branches: [{ branch: 'main', revision: REVISION }] }),
      parameters: async () => [],
      testNew: async (_project, source) => {
        fake.tested.push(source.url);
        return { ok: true, error: null, branches: [] };
      },
      tryFilters: async () => ({ branch: 'main', items: [] }),
      outlook: () => ({ nextPoll: AT, failures: 0 }),
      imagesPushed: (pipeline, images) => {
        if (images.length > 0) fake.hooked.push(pipeline.id);
        return images.length;
      },
      hook: (pipeline) => {
        fake.hooked.push(pipeline.id);
        return 'taken';
      },
    },
    promoter: {
      async promote(environment, request, actor) {
        const release = releaseOf(db, environment.projectId, request.stack ?? '', request.release);
        if (!release) throw new Error('the route finds the release first');
        if (release.blocked) {
          const gate = { gate: 'blocked', open: false, waits: false, message: `Blocked: ${release.blocked.reason}.` };
          throw conflict('it cannot go', { gates: [gate] });
        }
        return deploy(environment, release, actor);
      },
      rollback: (environment, { stack = 'shop', to = '1.0' }, actor) =>
        deploy(environment, { id: 1, stack, version: to }, actor),
      approve(run, comment, actor) {
        const approval = { by: actor.name, decision: 'approved' as const, comment, at: AT, baseline: null };
        return replace(fake.deploymentsMade, { ...run, approvals: [...run.approvals, approval] });
      },
      reject: (run) => replace(fake.deploymentsMade, { ...run, status: 'finished', result: 'cancelled' }),
      diff: async (_environment, release) => ({
        stack: release.stack,
        release: release.version,
        current: null,
        changes: [],
        images: [],
        compose: { from: null, to: release.content.compose },
        variables: [],
        secrets: [],
        tests: { total: 0, passed: 0, failed: 0, skipped: 0 },
        gates: [],
      }),
    },
    coordinator: { cancel: (run, _actor, reason) => ({ ...run, status: 'finished', result: 'cancelled', reason }) },
    logs: {
      stat: (ref) => ({ length: textOf(ref).length, closed: true }),
      read: (ref, from, to) => Readable.from([Buffer.from(textOf(ref)).subarray(from, to)]),
      async *follow(ref, from) {
        yield Buffer.from(textOf(ref)).subarray(from);
      },
      search: async (ref, query) => {
        const lines = textOf(ref).split('\n');
        const found = lines.flatMap((text, line) =>
          text.includes(query ?? 'error') ? [{ line: line + 1, offset: 0, text }] : [],
        );
        return { count: found.length, lines: found };
      },
      count: async (ref) => countOf(textOf(ref)),
      async lines(ref, from, to) {
        const lines = textOf(ref)
          .split('\n')
          .slice(from - 1, to);
        return {
          ...countOf(textOf(ref)),
          from,
          items: lines.map((text) => ({ text, offset: 0, bytes: text.length, at: AT })),
        };
      },
      async *watch(ref) {
        yield countOf(textOf(ref));
      },
    },
    blobs: { stream: () => Readable.from([Buffer.from(ARTIFACT)]) },
    events: {
      since: (id, limit) => eventsSince(db, id, limit),
      last: () => lastEvent(db),
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    health: { ready: () => ({ ok: true, checks: { database: 'ok' } }) },
  };
  return fake;
}

const step = (name: string, kind: Step['kind']): Step => ({
  name,
  kind,
  needs: [],
  allowFailure: false,
  role: 'work',
  status: 'finished',
  result: 'passed',
  reason: null,
  skippedBy: null,
  attempt: 1,
  exitCode: 0,
  startedAt: AT,
  finishedAt: AT,
});

const base = (number: number, requestedBy: string) => ({
  number,
  requestedBy,
  pool: 'default',
  status: 'running' as const,
  result: null,
  reason: null,
  attempt: 1,
  losses: 0,
  effect: 'none' as const,
  stop: null,
  runner: 'one',
  token: 'claim-token',
  queuedAt: AT,
  startedAt: AT,
  finishedAt: null,
});

export const buildRun = (pipeline: Pipeline, number: number, by: string, branch = 'main'): BuildRun => ({
  ...base(number, by),
  id: pipeline.id * 100 + number,
  kind: 'build',
  projectId: pipeline.projectId,
  trigger: 'manual',
  pipelineId: pipeline.id,
  branch,
  revision: REVISION,
  parameters: {},
  changes: [{ revision: REVISION, author: 'Ann', email: null, message: 'first', at: AT }],
  moreChanges: false,
  images: [],
  version: `1.${number}`,
  release: null,
  steps: [step('unit', 'run')],
});

const deploymentRun = (
  environment: Environment,
  release: Pick<Release, 'id' | 'version' | 'stack'>,
  number: number,
  by: string,
): DeploymentRun => ({
  ...base(number, by),
  id: environment.id * 10_000 + number,
  kind: 'deployment',
  projectId: environment.projectId,
  trigger: 'promote',
  environmentId: environment.id,
  stack: release.stack,
  releaseId: release.id,
  release: release.version,
  note: null,
  override: null,
  at: null,
  gates: [],
  approvals: [],
  baseline: null,
  before: null,
  after: null,
  restored: null,
  steps: [step('deploy', 'deploy')],
});

/** A release 1.0 of stack `shop`, as a passed build would have made it. */
export function seedRelease(db: Db, pipeline: Pipeline, version = '1.0'): void {
  const run = buildRun(pipeline, 900, 'seed');
  const { lastInsertRowid } = change(
    db,
    `INSERT INTO runs (kind, project_id, pipeline_id, number, status, result, pool, branch, revision, queued_at, finished_at, state_json, plan_json)
     VALUES ('build', ?, ?, ?, 'finished', 'passed', 'default', 'main', ?, ?, ?, ?, '{}')`,
    pipeline.projectId,
    pipeline.id,
    900,
    REVISION,
    AT,
    AT,
    JSON.stringify(run),
  );
  change(
    db,
    'INSERT INTO stacks (project_id, name, pipeline_id) VALUES (?, ?, ?)',
    pipeline.projectId,
    'shop',
    pipeline.id,
  );
  const image = {
    name: 'shop/web',
    reference: `registry/shop/web@sha256:${'c'.repeat(64)}`,
    digest: `sha256:${'c'.repeat(64)}`,
  };
  change(
    db,
    `INSERT INTO releases (project_id, stack, version, pipeline_id, build, build_run_id, branch, revision, content_json, verify_json, notify_json, created_at)
     VALUES (?, 'shop', ?, ?, 900, ?, 'main', ?, ?, '[]', '{"mail":{"to":[],"on":[]}}', ?)`,
    pipeline.projectId,
    version,
    pipeline.id,
    lastInsertRowid,
    REVISION,
    JSON.stringify({ compose: 'services: {}', overrides: {}, files: [], images: [image], directory: '' }),
    AT,
  );
}

// ---- a whole installation ------------------------------------------------------------------------------------------------

export interface Installation {
  db: Db;
  vault: Vault;
  services: FakeServices;
  url: string;
  adminToken: string;
  /** Moves the clock. */
  clock: { now: number };
  raw(
    method: string,
    path: string,
    body?: unknown,
    token?: string | null,
    headers?: Record<string, string>,
  ): Promise<Response>;
  /** As an administrator, below `/api/v1`; throws unless it succeeds. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes
  api(method: string, path: string, body?: unknown): Promise<any>;
  addUser(name: string): string;
  tokenFor(name: string, scopes?: Scope[], admin?: boolean): string;
  /** With pipeline `web`, environment `DEV`, a registry, a secret, release 1.0, build 1 and deployment 1. */
  seedProject(slug: string): Promise<void>;
  close(): Promise<void>;
}

/** The real app on a real database, with a core that is not. */
export async function install(env: Record<string, string> = {}): Promise<Installation> {
  const data = mkdtempSync(path.join(tmpdir(), 'slipway-app-'));
  const adminToken = 'an-administrators-token-0123456789';
  const config = readConfig({
    SLIPWAY_DATA: data,
    SLIPWAY_ADMIN_TOKEN: adminToken,
    SLIPWAY_SECRET_KEY: '0'.repeat(64),
    ...env,
  });
  const db = openDb(path.join(data, 'slipway.db'));
  const clock = { now: AT };
  await seedAdmin(db, config, clock.now);
  const services = createFakeServices(db);
  const vault = createVault(secretKey(config));
  const app = createApp({ db, config, services, vault, logger: pino({ level: 'silent' }), now: () => clock.now });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const it: Installation = {
    db,
    vault,
    services,
    url,
    adminToken,
    clock,
    raw: (method, at, body, token = null, headers = {}) =>
      fetch(url + at, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    async api(method, at, body) {
      const response = await it.raw(method, `/api/v1${at}`, body, adminToken);
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${at}: ${response.status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
    addUser: (name) => saveUser(db, { name }, clock.now).name,
    tokenFor(name, scopes = ['read', 'write'], admin = undefined) {
      const user = saveUser(db, { name, admin }, clock.now);
      const token = newToken();
      insertToken(db, { userId: user.id, name: 'test', hash: sha256(token), scopes, expiresAt: null }, clock.now);
      return token;
    },
    async seedProject(slug) {
      const at = `/projects/${slug}`;
      await it.api('PUT', at, { name: slug });
      await it.api('PUT', `${at}/registry`, { url: 'registry.example:5000' });
      await it.api('PUT', `${at}/secrets/TOKEN`, { value: 'a secret value' });
      await it.api('PUT', `${at}/environments/DEV`, {
        engine: { kind: 'compose', host: 'unix:///var/run/docker.sock' },
      });
      await it.api('PUT', `${at}/pipelines/web`, {
        source: { kind: 'git', url: 'https://git.example/web.git', branches: ['main'] },
      });
      const project = projectBySlug(db, slug);
      seedRelease(db, pipelineByName(db, project?.id ?? 0, 'web') as Pipeline);
      await it.api('POST', `${at}/pipelines/web/builds`, {});
      await it.api('POST', `${at}/environments/DEV/deployments`, { release: '1.0' });
      const admin = saveUser(db, { name: 'somebody' }, clock.now);
      if (project) setMember(db, project.id, admin.id, 'viewer');
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      db.close();
      rmSync(data, { recursive: true });
    },
  };
  return it;
}
