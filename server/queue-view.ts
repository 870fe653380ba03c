/** Every run that is not finished, with a sentence that says why it is not further. */
import type { Run } from '../pipelines/model.ts';
import type { QueueItem } from './services.ts';
import type { Db } from './store/db.ts';
import { environmentById } from './store/environments.ts';
import { pipelineById } from './store/pipelines.ts';
import { openRuns } from './store/runs.ts';

export function queueView(db: Db, runners: readonly { pools: string[]; slots: number; runs: number[] }[]): QueueItem[] {
  const open = openRuns(db, 'running', 'queued', 'waiting');
  const queued = open.filter((run) => run.status === 'queued');
  return open.map((run) => ({
    runId: run.id,
    kind: run.kind,
    projectId: run.projectId,
    owner:
      (run.kind === 'build' ? pipelineById(db, run.pipelineId)?.name : environmentById(db, run.environmentId)?.name) ??
      '',
    number: run.number,
    status: run.status,
    pool: run.pool,
    runner: run.runner,
    queuedAt: run.queuedAt,
    startedAt: run.startedAt,
    reason: reasonOf(run, queued, runners),
  }));
}

function reasonOf(
  run: Run,
  queued: readonly Run[],
  runners: readonly { pools: string[]; slots: number; runs: number[] }[],
): string | null {
  if (run.status === 'running') return run.stop ? `stopping: ${run.stop.reason}` : null;
  if (run.status === 'waiting') {
    const closed = run.kind === 'deployment' ? run.gates.filter((gate) => !gate.open) : [];
    return closed.map((gate) => gate.message).join(' ') || null;
  }
  const serving = runners.filter((runner) => runner.pools.includes(run.pool));
  if (serving.length === 0) return `No runner serves pool ${run.pool}: start one.`;
  const ahead = queued.filter((other) => other.pool === run.pool).indexOf(run);
  const free = serving.some((runner) => runner.runs.length < runner.slots);
  if (free && ahead === 0) return 'It is about to start.';
  return `${ahead === 0 ? 'It is next' : `${ahead} before it`}; ${free ? 'a slot is free' : 'every slot is busy'}.`;
}
