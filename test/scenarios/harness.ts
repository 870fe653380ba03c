/**
 * The whole spine but for tools: real store, ledger, coordinator, trigger, gates and worker on a real database file; steps are
 * played by `Script`s, the repository is in memory, and time moves when told.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { BuildRun, DeploymentRun, Environment, PlannedStep, Run } from '../../pipelines/model.ts';
import { LocalQueue } from '../../runner/queue/local.ts';
import type { StepContext, StepOutcome } from '../../runner/steps/step.ts';
import { Worker } from '../../runner/worker.ts';
import { createVault } from '../../server/auth/vault.ts';
import { BlobStore } from '../../server/blobs.ts';
import { ClaimFactory } from '../../server/claims.ts';
import { consequences } from '../../server/consequences.ts';
import { Coordinator } from '../../server/coordinator.ts';
import { DiskGuard } from '../../server/disk.ts';
import { Ledger } from '../../server/ledger.ts';
import { LogStore } from '../../server/logs.ts';
import { Poller } from '../../server/poller.ts';
import { Promoter } from '../../server/promoter.ts';
import { Reaper } from '../../server/reaper.ts';
import { type Reach, Repository } from '../../server/repository.ts';
import type { Actor } from '../../server/services.ts';
import { openDb } from '../../server/store/db.ts';
import { environmentByName, saveEnvironment } from '../../server/store/environments.ts';
import { type Pipeline, pipelineByName, savePipeline } from '../../server/store/pipelines.ts';
import { saveProject } from '../../server/store/projects.ts';
import { runById } from '../../server/store/runs.ts';
import { stackState } from '../../server/store/stacks.ts';
import { noteHook, pollState } from '../../server/store/watches.ts';
import { Trigger } from '../../server/trigger.ts';
import { Watcher } from '../../server/watcher.ts';
import { FakeClock } from '../fakes/clock.ts';
import { FakeScms } from '../fakes/scm.ts';

export const ANN: Actor = { userId: null, name: 'ann', admin: true };
export const BOB: Actor = { userId: null, name: 'bob', admin: true };

/** What a step does when it is played. */
export type Script = (step: PlannedStep, context: StepContext) => Promise<StepOutcome>;
export const ok: StepOutcome = { result: 'passed', reason: null, exitCode: 0 };
export const failing: StepOutcome = { result: 'failed', reason: 'exit code 1', exitCode: 1 };

/** A step that ends when told, or when it is aborted. */
export function gate() {
  let open: (outcome: StepOutcome) => void = () => {};
  let begun: () => void = () => {};
  const started = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const ended = new Promise<StepOutcome>((resolve) => {
    open = resolve;
  });
  const script: Script = (_step, { signal }) => {
    begun();
    return new Promise((resolve, reject) => {
      void ended.then(resolve);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  };
  return { script, started, open };
}

export const RELEASING = `
steps: { unit: { image: busybox, run: [test] } }
release: { version: "1.\${number}", stack: shop, compose: compose.yml }
notify: { mail: { to: [team@example.com], on: [failed, fixed, deployed, approval] } }
`;

const CONTENT = { compose: 'services: {}\n', overrides: {}, files: [], images: [], directory: '' };

const SHOP = 'https://git.example/web.git';

export class Spine {
  readonly folder: string;
  readonly clock = new FakeClock();
  readonly scms = new FakeScms();
  /** The repository of `shop`. */
  readonly scm = this.scms.at(SHOP);
  readonly scripts = new Map<string, Script>();
  readonly errors: unknown[] = [];
  /** False: the disk is nearly full. */
  intakeOpen = true;
  /** What the registry says it no longer has. */
  missing: string[] | null = [];
  readonly db;
  readonly ledger;
  readonly coordinator;
  readonly repository;
  readonly trigger;
  readonly poller;
  readonly watcher;
  readonly promoter;
  readonly reaper;
  readonly queue = new LocalQueue();
  readonly #workers: Worker[] = [];
  #boots = 0;

  constructor(folder = mkdtempSync(path.join(tmpdir(), 'slipway-spine-'))) {
    this.folder = folder;
    const { clock, queue, scms } = this;
    const db = openDb(path.join(folder, 'slipway.db'));
    const vault = createVault(Buffer.alloc(32, 7));
    const onError = (error: unknown) => this.errors.push(error);
    this.db = db;
    this.ledger = new Ledger(db, clock);
    this.ledger.follow(consequences);
    this.ledger.onCommit(({ moves }) => {
      for (const { after } of moves)
        if (after.status === 'queued') queue.dispatch({ runId: after.id, attempt: after.attempt, pool: after.pool });
    });
    this.coordinator = new Coordinator({
      db,
      ledger: this.ledger,
      clock,
      logs: new LogStore(path.join(folder, 'logs')),
      blobs: new BlobStore(path.join(folder, 'blobs')),
      claims: new ClaimFactory(db, vault, 1 << 20),
      intakeOpen: () => true,
      onError,
    });
    const access = (pipeline: { source: { kind: 'git' | 'svn'; url: string; branches: string[] } }) => ({
      source: pipeline.source,
      credentials: null,
      cache: path.join(folder, 'mirror'),
    });
    const accessFurther: Reach['accessFurther'] = (_pipeline, { kind, url, branch }) =>
      access({ source: { kind, url, branches: [branch] } });
    this.repository = new Repository(db, { scm: () => scms, access, accessFurther });
    const { ledger, repository } = this;
    this.trigger = new Trigger({ db, ledger, repository, intakeOpen: () => this.intakeOpen });
    this.poller = new Poller({ db, ledger, repository, trigger: this.trigger });
    this.watcher = new Watcher({
      db,
      ledger,
      clock,
      poller: this.poller,
      repository,
      accesses: (pipeline) => [
        access(pipeline),
        ...pollState(db, pipeline.id).settings.sources.map((source) => accessFurther(pipeline, source, 'main')),
      ],
      timezone: 'UTC',
      onError,
    });
    this.promoter = new Promoter(db, this.ledger, clock, async () => this.missing);
    this.reaper = new Reaper({ db, ledger: this.ledger, clock, queue, disk: new DiskGuard(folder), onError });
  }

  /** A project `shop` with pipeline `web` on branch main, noted at its first commit. */
  async defineShop(
    file = RELEASING,
    environments: Partial<Environment>[] = [],
    branches: string[] = ['main'],
  ): Promise<void> {
    saveProject(this.db, 'shop', 'Shop', this.clock.now());
    this.definePipeline('web', branches);
    for (const [index, each] of environments.entries()) this.defineEnvironment({ order: index + 1, ...each });
    this.scm.commit({ 'slipway.yml': file });
    await this.poller.firstSight(this.pipeline);
  }

  /** Of the repository of `shop`, as it is with `firstSight`. */
  definePipeline(name: string, branches: string[] = ['main']): void {
    const source = { kind: 'git' as const, url: SHOP, branches };
    const rest = { projectId: 1, file: 'slipway.yml', definition: null, poll: null };
    savePipeline(this.db, { ...rest, name, source }, this.clock.now());
  }

  /** An accepted hook. */
  hook(): void {
    this.ledger.write((tx) => noteHook(tx.db, this.pipeline.id, tx.now));
    this.watcher.hooked(this.pipeline.id);
  }

  defineEnvironment(given: Partial<Environment>): void {
    const { name = 'DEV', order = 1, id: _, projectId: __, registry: ___, ...config } = given;
    const defaults = {
      engine: { kind: 'compose' as const, host: 'unix:///nowhere' },
      after: [],
      promote: 'auto' as const,
      branches: null,
      approvals: null,
      freezes: [],
      variables: {},
      pool: 'default',
      url: null,
      timeout: 600_000,
      keep: 5,
      policy: [],
    };
    saveEnvironment(this.db, { projectId: 1, name, order, config: { ...defaults, ...config } }, this.clock.now());
  }

  get pipeline(): Pipeline {
    return this.pipelineNamed('web');
  }

  pipelineNamed(name: string): Pipeline {
    const found = pipelineByName(this.db, 1, name);
    if (!found) throw new Error('define the shop first');
    return found;
  }

  environment(name: string): Environment {
    const found = environmentByName(this.db, 1, name);
    if (!found) throw new Error(`there is no environment ${name}`);
    return found;
  }

  current(name: string): string | null {
    return stackState(this.db, this.environment(name).id, 'shop').current?.release ?? null;
  }

  /** Plays a step by its name; those that nobody plays pass, and hand over what their kind must. */
  play(step: string, script: Script | StepOutcome): void {
    this.scripts.set(step, typeof script === 'function' ? script : async () => script);
  }

  async startWorker(slots = 2): Promise<Worker> {
    this.#boots += 1;
    const worker = new Worker({
      api: this.coordinator,
      queue: this.queue,
      clock: this.clock,
      info: { id: `embedded-${this.#boots}`, name: 'embedded', pools: ['default'], slots, version: '0' },
      settings: { instance: 'test', folder: this.folder, allowHostSteps: false, caFile: null },
      execute: (step, context) => this.#execute(step, context),
      checkout: async () => {},
      workspaceFor: () => path.join(this.folder, 'workspace'),
      removeWorkspace: async () => {},
      openLog: () => ({ write: () => {}, notice: () => {}, drained: async () => {}, close: async () => {} }),
      blobsFor: () => ({ putFile: async () => ({ sha256: '', size: 0 }), get: async () => (async function* () {})() }),
      mask: (_claim, text) => text,
      labelsFor: () => ({}),
      onError: (error) => this.errors.push(error),
    });
    this.#workers.push(worker);
    await worker.start();
    return worker;
  }

  async #execute(step: PlannedStep, context: StepContext): Promise<StepOutcome> {
    const script = this.scripts.get(step.name);
    if (step.kind === 'deploy') await context.effect('deploying');
    if (script) return script(step, context);
    if (step.kind === 'inspect' && step.of === 'workspace') return { ...ok, output: { release: CONTENT } };
    if (step.kind === 'deploy' && step.what === 'restore') return { ...ok, output: { restored: true, observed: [] } };
    if (step.kind === 'deploy' || step.kind === 'inspect') return { ...ok, output: { observed: [] } };
    return ok;
  }

  /** One look at the repository, as a poll: answers how many builds came of it. */
  async poll(): Promise<number> {
    const looked = await this.poller.poll(this.pipeline, 'poll', new AbortController().signal);
    return looked?.builds.length ?? 0;
  }

  async build(): Promise<BuildRun> {
    const run = await this.trigger.manual(this.pipeline, {}, ANN);
    return (await this.finished(run)) as BuildRun;
  }

  /** Resolves when the run has finished. */
  finished(run: Run): Promise<Run> {
    return this.until(run, (now) => now.status === 'finished');
  }

  until(run: { id: number }, is: (now: Run) => boolean): Promise<Run> {
    return new Promise((resolve) => {
      let over = false;
      const look = () => {
        const now = runById(this.db, run.id);
        if (over || !now || !is(now)) return;
        over = true;
        resolve(now);
      };
      this.ledger.onCommit(look);
      look();
    });
  }

  /** The newest deployment to an environment, once there is one that `is`. */
  deployment(
    environment: string,
    number: number,
    is: (now: DeploymentRun) => boolean = (now) => now.status === 'finished',
  ): Promise<DeploymentRun> {
    const { id } = this.environment(environment);
    return new Promise((resolve) => {
      let over = false;
      const look = () => {
        const found = this.db
          .prepare("SELECT id FROM runs WHERE kind = 'deployment' AND environment_id = ? AND number = ?")
          .get(id, number) as { id: number } | undefined;
        const now = found && (runById(this.db, found.id) as DeploymentRun);
        if (over || !now || !is(now)) return;
        over = true;
        resolve(now);
      };
      this.ledger.onCommit(look);
      look();
    });
  }

  /** Lets time pass as the watcher sees it, second by second, and everything it starts come to its end. */
  async pass(ms: number, step = 1_000): Promise<void> {
    for (let passed = 0; passed < ms; passed += step) {
      this.clock.advance(step);
      this.watcher.tick();
      await this.watcher.idle();
    }
  }

  async close(): Promise<void> {
    await this.watcher.close();
    for (const worker of this.#workers) await worker.close();
    this.coordinator.close();
    this.db.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
