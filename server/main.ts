/** The composition root of the server: the only place where its parts meet. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import pino, { type Logger } from 'pino';
import type { SourceSpec } from '../pipelines/model.ts';
import type { Scm } from '../pipelines/ports.ts';
import { EMBEDDED, mirrorFolder, type Runner, startRunner } from '../runner/main.ts';
import { LocalQueue } from '../runner/queue/local.ts';
import { headDigest } from '../runner/tools/registry.ts';
import { scmFor } from '../runner/tools/scm.ts';
import type { ScmOptions } from '../runner/tools/scm-options.ts';
import { endTransfers } from '../runner/tools/transfers.ts';
import { createApp } from './app.ts';
import { seedAdmin } from './auth/seed.ts';
import { createVault, secretKey } from './auth/vault.ts';
import { BlobStore } from './blobs.ts';
import { Bus } from './bus.ts';
import { ClaimFactory } from './claims.ts';
import { systemClock } from './clock.ts';
import { type Config, readConfig } from './config.ts';
import { consequences } from './consequences.ts';
import { Coordinator } from './coordinator.ts';
import { missingFinder } from './digests.ts';
import { DiskGuard } from './disk.ts';
import { post } from './forge/post.ts';
import { Ledger } from './ledger.ts';
import { LogStore } from './logs.ts';
import { createSmtpMailer } from './notify/mailer.ts';
import { messageFor } from './notify/messages.ts';
import { createOutbox } from './notify/outbox.ts';
import { Poller } from './poller.ts';
import { Promoter } from './promoter.ts';
import { sourceReach } from './reach.ts';
import { Reaper } from './reaper.ts';
import { Repository } from './repository.ts';
import { createStatusSender } from './statuses.ts';
import { change, type Db, openDb, row } from './store/db.ts';
import { Trigger } from './trigger.ts';
import { VERSION } from './version.ts';
import { Watcher } from './watcher.ts';
import { servicesOf } from './wiring.ts';

/** A question to a repository's server may take so long, ms. */
const ASK_TIMEOUT = 20_000;
/** An idle connection is kept so long, ms. */
const KEEP_ALIVE = 80_000;

export interface RunningServer {
  url: string;
  stop(): Promise<void>;
}

/** Every part of a server, made but not started. */
export function compose(config: Config, logger: Logger) {
  mkdirSync(config.data, { recursive: true, mode: 0o700 });
  const clock = systemClock;
  const db = openDb(path.join(config.data, 'slipway.db'));
  const vault = createVault(secretKey(config));
  const disk = new DiskGuard(config.data);
  const logs = new LogStore(path.join(config.data, 'logs'));
  const blobs = new BlobStore(path.join(config.data, 'blobs'));
  const bus = new Bus();
  const queue = new LocalQueue();
  const ledger = new Ledger(db, clock);
  ledger.follow(consequences);
  const onError = (error: unknown, context: Record<string, unknown>) =>
    logger.error({ err: error, ...context }, 'internal error');
  const intakeOpen = () => disk.open;
  const coordinator = new Coordinator({
    db,
    ledger,
    clock,
    logs,
    blobs,
    claims: new ClaimFactory(db, vault, config.logLimit),
    intakeOpen,
    onError,
  });
  const instance = instanceId(db);
  const scm = sourceTools({
    allowFile: config.allowFileSources,
    caFile: config.caFile,
    timeoutMs: ASK_TIMEOUT,
    instance,
  });
  const reach = sourceReach(db, vault, scm, (project, url) => mirrorFolder(config.data, project, url));
  const repository = new Repository(db, reach);
  const trigger = new Trigger({ db, ledger, repository, intakeOpen });
  const poller = new Poller({ db, ledger, repository, trigger });
  const promoter = new Promoter(
    db,
    ledger,
    clock,
    missingFinder(db, vault, (...asked) => headDigest(...asked, { caFile: config.caFile })),
  );
  const { timezone } = config;
  const watcher = new Watcher({ db, ledger, clock, poller, repository, accesses: reach.all, timezone, onError });
  const reaper = new Reaper({ db, ledger, clock, queue, disk, onError });
  const mailer = config.smtpUrl === null ? null : createSmtpMailer(config.smtpUrl, { caFile: config.caFile });
  const messages = { db, logs, from: config.mailFrom, publicUrl: () => config.publicUrl };
  const outbox = createOutbox({ db, mailer, compose: (mail) => messageFor(messages, mail), clock, logger });
  const statuses = createStatusSender({
    db,
    vault,
    publicUrl: () => config.publicUrl,
    post: (request, signal) => post(request, { signal, caFile: config.caFile }),
    clock,
    logger,
  });
  ledger.onCommit(({ events, moves }) => {
    for (const event of events) bus.publish(event);
    for (const { after, before } of moves) {
      if (after.status === 'queued') queue.dispatch({ runId: after.id, attempt: after.attempt, pool: after.pool });
      if (after.status === 'finished' && before?.status === 'running')
        void logs.release(after.id).catch((error) => onError(error, { run: after.id }));
    }
    outbox.kick();
    statuses.kick();
  });
  return {
    clock,
    db,
    vault,
    instance,
    scm,
    disk,
    logs,
    blobs,
    bus,
    queue,
    ledger,
    coordinator,
    reach,
    repository,
    trigger,
    poller,
    promoter,
    watcher,
    reaper,
    mailer,
    outbox,
    statuses,
    onError,
  };
}

type Parts = ReturnType<typeof compose>;

/** One tool a kind of source: it keeps the turns at its mirrors. */
function sourceTools(options: ScmOptions): (kind: SourceSpec['kind']) => Scm {
  const made = new Map<SourceSpec['kind'], Scm>();
  return (kind) => {
    const scm = made.get(kind) ?? scmFor(kind, options);
    made.set(kind, scm);
    return scm;
  };
}

/** Names this installation on every engine it touches. */
function instanceId(db: Db): string {
  change(db, "INSERT OR IGNORE INTO meta (key, value) VALUES ('instance', ?)", randomUUID());
  return (row<{ value: string }>(db, "SELECT value FROM meta WHERE key = 'instance'") as { value: string }).value;
}

/** Starts everything, prints the line that says so, and resolves when the server answers. */
export async function startServer(env: NodeJS.ProcessEnv): Promise<RunningServer> {
  const config = readConfig(env);
  const logger = pino({ level: env.LOG_LEVEL ?? 'warn' }, pino.destination({ fd: 2, sync: true }));
  const parts = compose(config, logger);
  const password = await seedAdmin(parts.db, config, parts.clock.now());
  await parts.disk.check();
  const app = createApp({ db: parts.db, config, services: servicesOf(parts), vault: parts.vault, logger });
  const server =
    config.tlsCert && config.tlsKey
      ? createSecureServer({ cert: readFileSync(config.tlsCert), key: readFileSync(config.tlsKey) }, app)
      : createServer(app);
  // Longer than proxies keep theirs: they would send a request into a connection that is just being closed.
  server.keepAliveTimeout = KEEP_ALIVE;
  parts.coordinator.recover((runner) => runner.startsWith(EMBEDDED));
  await listen(server, config);
  const url = addressOf(server, config);
  if (config.port === 0) config.publicUrl = url;
  const starting = config.runnerSlots > 0 ? startEmbeddedRunner(parts, config) : Promise.resolve(null);
  parts.watcher.start();
  parts.reaper.start();
  parts.outbox.start();
  parts.statuses.start();
  process.stdout.write(`slipway listening on ${url}\n`);
  if (password) process.stdout.write(`administrator: admin\none-time password: ${password}\n`);
  return { url, stop: () => stop(parts, server, starting) };
}

function startEmbeddedRunner(parts: Parts, config: Config): Promise<Runner | null> {
  return startRunner({
    api: parts.coordinator,
    queue: parts.queue,
    clock: parts.clock,
    settings: {
      instance: parts.instance,
      folder: config.data,
      allowHostSteps: config.allowHostSteps,
      caFile: config.caFile,
    },
    scm: parts.scm,
    slots: config.runnerSlots,
    pools: ['default'],
    version: VERSION,
    onError: parts.onError,
  }).catch((error: unknown) => {
    parts.onError(error, { while: 'starting the embedded runner' });
    return null;
  });
}

function listen(server: Server, { port, host }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function addressOf(server: Server, { host, tlsCert }: Config): string {
  const { port } = server.address() as AddressInfo;
  return `${tlsCert ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Intake first, then the runner, then what it reports to. Runs that were under way are found lost at the next start. */
async function stop(parts: Parts, server: Server, runner: Promise<Runner | null>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  await parts.watcher.close();
  parts.reaper.close();
  await (await runner)?.close();
  await endTransfers();
  await parts.outbox.stop();
  await parts.statuses.stop();
  parts.coordinator.close();
  await parts.queue.close();
  parts.mailer?.close();
  server.closeAllConnections();
  await closed;
  parts.db.close();
}
