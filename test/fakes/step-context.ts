/** A StepContext that keeps log and blobs in memory, for steps that are tried without a worker or a server. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { BuildPlan, BuildRun, Plan, RunStep } from '../../pipelines/model.ts';
import type { Claim } from '../../pipelines/ports.ts';
import { stepLabels } from '../../runner/labels.ts';
import type { RunnerSettings, StepContext } from '../../runner/steps/step.ts';

export interface FakeContext extends StepContext {
  /** Everything logged so far. */
  text(): string;
  bytes(): Buffer;
  stored: Map<string, Buffer>;
  effects: string[];
}

export interface FakeContextOptions {
  workspace: string;
  plan?: Plan;
  secrets?: Record<string, string>;
  settings?: Partial<RunnerSettings>;
  runId?: number;
  step?: string;
  signal?: AbortSignal;
}

export function fakeContext(options: FakeContextOptions): FakeContext {
  const { workspace, plan = buildPlan(), runId = 1, step = 'step' } = options;
  const settings: RunnerSettings = {
    instance: 'test',
    folder: workspace,
    allowHostSteps: false,
    caFile: null,
    ...options.settings,
  };
  const chunks: Buffer[] = [];
  const stored = new Map<string, Buffer>();
  const effects: string[] = [];
  const bytes = () => Buffer.concat(chunks);
  return {
    claim: claimOf(plan, runId, options.secrets ?? {}),
    settings,
    workspace,
    attempt: 1,
    log: {
      write: (chunk) => void chunks.push(Buffer.from(chunk)),
      notice: (text) => void chunks.push(Buffer.from(`» ${text}\n`)),
      drained: () => Promise.resolve(),
    },
    blobs: {
      async putFile(path) {
        const content = await readFile(path);
        const sha256 = createHash('sha256').update(content).digest('hex');
        stored.set(sha256, content);
        return { sha256, size: content.length };
      },
      async get(sha256) {
        const content = stored.get(sha256);
        if (!content) throw new Error(`no blob ${sha256}`);
        return (async function* () {
          yield content;
        })();
      },
    },
    images: [],
    effect: async (effect) => void effects.push(effect),
    labels: stepLabels(settings.instance, runId, step),
    signal: options.signal ?? new AbortController().signal,
    text: () => bytes().toString(),
    bytes,
    stored,
    effects,
  };
}

export function buildPlan(changes: Partial<BuildPlan> = {}): BuildPlan {
  return {
    version: 1,
    kind: 'build',
    project: 'shop',
    pipeline: 'web',
    number: 1,
    trigger: 'manual',
    source: { kind: 'git', url: 'https://git.test/shop.git', branches: ['main'] },
    branch: 'main',
    revision: '0'.repeat(40),
    externals: [],
    sources: [],
    registry: null,
    foreign: false,
    env: {},
    timeout: 60_000,
    steps: [],
    release: null,
    notify: { mail: { to: [], on: [] } },
    ...changes,
  };
}

export function runStepOf(run: string[], changes: Partial<RunStep> = {}): RunStep {
  return {
    name: 'step',
    kind: 'run',
    needs: [],
    timeout: null,
    retry: 0,
    allowFailure: false,
    skip: null,
    image: 'busybox:1.36',
    run,
    env: {},
    secrets: [],
    services: [],
    cache: [],
    artifacts: [],
    junit: [],
    memory: null,
    cpus: null,
    reuse: false,
    ...changes,
  };
}

const claimOf = (plan: Plan, runId: number, secrets: Record<string, string>): Claim => ({
  runId,
  token: 'token',
  attempt: 1,
  run: { id: runId } as BuildRun,
  plan,
  secrets,
  credentials: { source: null, sources: {}, registry: null },
  previous: null,
  logLimit: 50 * 1024 ** 2,
});
