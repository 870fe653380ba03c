/** What the builds before tell about this one. Newest first, as the API lists them. */
import type { Build, Step } from '../../api/types.ts';

const SAMPLES = 10;
const ENOUGH = 3;

export interface Usual {
  /** Of the last passed builds of the branch, ms. */
  median: number;
  p90: number;
}

/** Null where there are fewer than three to go by. */
export function usualDuration(passed: readonly Pick<Build, 'startedAt' | 'finishedAt'>[]): Usual | null {
  const times = passed
    .flatMap(({ startedAt, finishedAt }) =>
      startedAt && finishedAt ? [Date.parse(finishedAt) - Date.parse(startedAt)] : [],
    )
    .slice(0, SAMPLES)
    .sort((a, b) => a - b);
  if (times.length < ENOUGH) return null;
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  const middle = times.length / 2;
  const median = Number.isInteger(middle) ? (at(0.5) + (times[middle - 1] ?? 0)) / 2 : at(0.5);
  return { median, p90: at(0.9) };
}

/** The first build of the present streak, where one before this one failed, too. */
export function failingSince(before: readonly Pick<Build, 'number' | 'status' | 'result'>[]): number | null {
  let since: number | null = null;
  for (const { number, status, result } of before) {
    if (result === 'passed') break;
    if (status === 'finished' && result !== 'cancelled') since = number;
  }
  return since;
}

const broke = ({ result }: Step): boolean => result === 'failed' || result === 'errored';

/** The step that ended the build badly. */
export const culprit = (steps: readonly Step[]): Step | undefined =>
  steps.find((step) => broke(step) && !step.allowFailure) ?? steps.find(broke);

/** The step whose log one came to see. */
export const stepOfInterest = (steps: readonly Step[]): Step | undefined =>
  culprit(steps) ??
  steps.find(({ status }) => status === 'running') ??
  steps.findLast(({ attempt }) => attempt > 0) ??
  steps[0];

/** Steps in columns: each stands to the right of all that it needs. */
export function columnsOf(steps: readonly Step[]): Step[][] {
  const levels = new Map<string, number>();
  for (const { name, needs } of steps)
    levels.set(name, Math.max(0, ...needs.map((need) => (levels.get(need) ?? -1) + 1)));
  const width = Math.max(-1, ...levels.values()) + 1;
  return Array.from({ length: width }, (_, level) => steps.filter(({ name }) => levels.get(name) === level));
}
