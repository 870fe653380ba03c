/** A build in a line. Only names and counts: who may read it is the forge's affair, and reasons are for those who may read logs. */
import type { BuildRun } from '../../pipelines/model.ts';
import { clip, count, formatDuration } from '../notify/words.ts';
import type { CommitState } from './target.ts';

/** What GitHub takes, in characters. */
const LIMIT = 140;

export function stateOf(run: BuildRun): CommitState {
  if (run.status !== 'finished') return 'pending';
  const states = { passed: 'success', failed: 'failure', errored: 'error', cancelled: 'cancelled' } as const;
  return states[run.result ?? 'errored'];
}

export function describe(run: BuildRun, failedTests: number): string {
  return clip(`#${run.number} ${storyOf(run, failedTests)}`, LIMIT);
}

function storyOf(run: BuildRun, failedTests: number): string {
  if (run.status !== 'finished') return run.status === 'running' ? 'is running' : 'is queued';
  if (run.result === 'passed') {
    const took = run.finishedAt !== null && run.startedAt !== null ? run.finishedAt - run.startedAt : null;
    return took === null ? 'passed' : `passed in ${formatDuration(took)}`;
  }
  if (run.result === 'cancelled') return 'was cancelled';
  const culprit = run.steps.find(({ result, allowFailure }) => result === run.result && !allowFailure);
  const details = [...(culprit ? [culprit.name] : []), ...(failedTests > 0 ? [count(failedTests, 'test')] : [])];
  return `${run.result ?? 'errored'}${details.length > 0 ? `: ${details.join(', ')}` : ''}`;
}
