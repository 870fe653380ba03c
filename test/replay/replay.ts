/**
 * Replays the history of a repository, commit by commit, into watched ones, while the server is killed at random; then every
 * revision must be in exactly one build's changes. Seeded: the same seed kills at the same commits.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, type Slipway } from '../fixtures/slipway.ts';
import type { Target } from './repositories.ts';

const DEFINITION = 'on: { poll: "* * * * * *" }\nsteps: { unit: { image: "busybox:1.36", run: ["true"] } }\n';
/** A build lists 200 changes at most: so far ahead of the watcher the replay never is. */
const MOST_AHEAD = 150;

export interface Replay {
  slipway: Slipway;
  targets: Target[];
  steps: number;
  kills: number;
  seed: number;
  /** Commits a second; as fast as it goes, where left out. */
  rate?: number;
  tell?: (line: string) => void;
}

export interface Outcome {
  target: Target;
  expected: number;
  builds: number;
  missing: string[];
  doubled: string[];
  /** Listed, though nobody has replayed them. */
  strange: string[];
}

export async function replay({ slipway, targets, steps, kills, seed, rate, tell }: Replay): Promise<Outcome[]> {
  const revisions = targets.map((target) => [target.step(0)] as string[][]);
  await slipway.api('PUT', '/projects/replay', { name: 'Replay' });
  for (const { kind, url, branch } of targets) {
    const source = { kind, url, branches: [branch] };
    await slipway.api('PUT', `/projects/replay/pipelines/${kind}`, { source, definition: DEFINITION });
    await eventually(`${kind} to be noted`, async () => (await watch(slipway, kind)).items.length > 0);
  }
  const random = generator(seed);
  const killAt = new Set(Array.from({ length: kills }, () => 1 + Math.floor(random() * (steps - 1))));
  for (let index = 1; index < steps; index += 1) {
    for (const [at, target] of targets.entries()) revisions[at]?.push(target.step(index));
    if (killAt.has(index)) {
      // Somewhere within the second between two polls.
      await sleep(random() * 1_000);
      await slipway.kill();
      await slipway.restart();
      tell?.(`killed after ${index} of ${steps} commits`);
    }
    if (rate) await sleep(1_000 / rate);
    if (index % 25 === 0) await keepClose(slipway, targets, revisions, tell);
  }
  const outcomes = targets.map((target, at) => outcomeOf(slipway, target, (revisions[at] ?? []).slice(1)));
  return Promise.all(outcomes);
}

/** Waits until the watcher is not too far behind. */
async function keepClose(
  slipway: Slipway,
  targets: readonly Target[],
  revisions: readonly string[][][],
  tell?: (line: string) => void,
): Promise<void> {
  for (const [at, { kind }] of targets.entries()) {
    const all = (revisions[at] ?? []).flat();
    const place = new Map(all.map((revision, index) => [revision, index]));
    await eventually(`${kind} to be close`, async () => {
      const cursor = (await watch(slipway, kind)).items[0]?.revision;
      return all.length - (place.get(cursor) ?? 0) < MOST_AHEAD;
    });
  }
  tell?.(`${revisions[0]?.length} commits`);
}

const watch = (slipway: Slipway, pipeline: string) =>
  slipway.api('GET', `/projects/replay/pipelines/${pipeline}/watch`);

async function outcomeOf(slipway: Slipway, target: Target, steps: string[][]): Promise<Outcome> {
  const expected = steps.flat();
  const last = steps.at(-1) ?? [];
  await eventually(`the last revision of ${target.kind} to be built`, async () =>
    (await watch(slipway, target.kind)).items.some(({ revision }: { revision: string }) => last.includes(revision)),
  );
  const listed: string[] = [];
  let builds = 0;
  for (let before: number | undefined; ; ) {
    const page = await slipway.api(
      'GET',
      `/projects/replay/pipelines/${target.kind}/builds?limit=200${before === undefined ? '' : `&before=${before}`}`,
    );
    builds += page.items.length;
    for (const { changes } of page.items) for (const { revision } of changes) listed.push(revision);
    if (page.next === undefined) break;
    before = page.next;
  }
  const counts = new Map<string, number>();
  for (const revision of listed) counts.set(revision, (counts.get(revision) ?? 0) + 1);
  const wanted = new Set(expected);
  return {
    target,
    expected: expected.length,
    builds,
    missing: expected.filter((revision) => !counts.has(revision)),
    doubled: [...counts].filter(([, count]) => count > 1).map(([revision]) => revision),
    strange: [...counts.keys()].filter((revision) => !wanted.has(revision)),
  };
}

/** Mulberry32, by Tommy Ettinger: small, seeded, good enough for choosing places. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
