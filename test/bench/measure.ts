/** Repeated measurements, taken in turns so that what the machine does meanwhile falls on both sides alike. */

/** Milliseconds, unless a row says otherwise. */
export interface Spread {
  median: number;
  min: number;
  max: number;
  runs: number;
}

export interface Comparison {
  bare: Spread;
  ours: Spread;
  /** Median over median. */
  ratio: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error('nothing was measured');
  return {
    median: percentile(sorted, 50),
    min: percentile(sorted, 0),
    max: percentile(sorted, 100),
    runs: sorted.length,
  };
}

/** Of ascending values, by linear interpolation between the two nearest ranks. */
export function percentile(sorted: readonly number[], percent: number): number {
  const rank = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(rank)] as number;
  const above = sorted[Math.ceil(rank)] as number;
  return below + (above - below) * (rank - Math.floor(rank));
}

/** How long `work` takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Each side once without counting, to warm up; then in turns, A B A B …, with each side first as often as the other. */
export async function inTurns(
  runs: number,
  bare: () => Promise<number>,
  ours: () => Promise<number>,
): Promise<Comparison> {
  await bare();
  await ours();
  const taken = { bare: [] as number[], ours: [] as number[] };
  for (let run = 0; run < runs; run += 1) {
    if (run % 2 === 0) taken.bare.push(await bare());
    taken.ours.push(await ours());
    if (run % 2 === 1) taken.bare.push(await bare());
  }
  const result = { bare: spread(taken.bare), ours: spread(taken.ours) };
  return { ...result, ratio: result.ours.median / result.bare.median };
}
