/** Steps on the runner's host: how soon the first instruction runs, and how many builds go through two slots. */
import { removeFolder, tempFolder } from '../fixtures/git-server.ts';
import { fifoWrites } from './fifo.ts';
import type { Installation } from './installation.ts';
import { inTurns, spread, timed } from './measure.ts';
import type { Bench, Row } from './row.ts';
import { shell } from './shell.ts';

const BUILDS = 200;

export const firstInstruction: Bench = {
  name: 'first-instruction',
  async measure({ installation, runs }): Promise<Row[]> {
    const { build, definePipeline } = await installation();
    const folder = tempFolder();
    const { fifo, next: untilWritten, close } = fifoWrites(folder);
    const script = `echo . > ${fifo}`;
    await definePipeline('first-instruction', `steps:\n  now: { host: true, run: ["${script}"] }\n`);
    const start = async (work: () => Promise<unknown>) => {
      let ended: Promise<unknown> = Promise.resolve();
      const taken = await timed(() => {
        const first = untilWritten();
        ended = work();
        return first;
      });
      await ended;
      return taken;
    };
    try {
      const { bare, ours } = await inTurns(
        runs * 3,
        () => start(() => shell(script)),
        () => start(() => build('first-instruction')),
      );
      return [
        {
          name: 'first-instruction',
          work: 'trigger → first instruction of a host step',
          bare,
          ours,
          unit: 'ms',
          figure: { kind: 'ms', value: ours.median, atMost: 15 },
          notes: ['from POST …/builds (revision already mirrored) to the first byte the script writes'],
        },
      ];
    } finally {
      close();
      removeFolder(folder);
    }
  },
};

export const queue: Bench = {
  name: 'queue',
  async measure({ installation, runs }): Promise<Row[]> {
    const made = await installation();
    await made.definePipeline('queue', 'steps:\n  one: { host: true, run: ["true"] }\n');
    await made.build('queue');
    const bare = `for i in $(seq ${BUILDS / 2}); do sh -e -c true; done & for i in $(seq ${BUILDS / 2}); do sh -e -c true; done; wait`;
    const intake: number[] = [];
    const compared = await inTurns(
      Math.min(runs, 5),
      () => timed(() => shell(bare)),
      () => timed(async () => intake.push(await flood(made))),
    );
    const kept = await durable(made);
    return [
      {
        name: 'queue',
        work: `${BUILDS} one-command host builds, two slots; first POST → last finished`,
        bare: compared.bare,
        ours: compared.ours,
        unit: 'ms',
        figure: { kind: 'ms', value: compared.ours.median, atMost: 2_000 },
        notes: [`the last POST was answered after ${Math.round(spread(intake).median)} ms; ${kept}`],
      },
    ];
  },
};

/** Posts all builds over eight connections; answers when the last POST was answered, and resolves when all have finished. */
async function flood({ slipway, events }: Installation): Promise<number> {
  let finished = 0;
  const all = events.next((event) => {
    if (event.kind === 'build' && event.status === 'finished') finished += 1;
    return finished === BUILDS;
  });
  let left = BUILDS;
  const intake = await timed(() =>
    Promise.all(
      Array.from({ length: 8 }, async () => {
        for (; left > 0; ) {
          left -= 1;
          await slipway.api('POST', '/projects/bench/pipelines/queue/builds', {});
        }
      }),
    ),
  );
  await all;
  return intake;
}

/** Kills the server, starts it again, and counts. */
async function durable(made: Installation): Promise<string> {
  const [newest] = (await made.slipway.api('GET', '/projects/bench/pipelines/queue/builds?limit=1')).items;
  await made.slipway.kill();
  await made.slipway.restart();
  await made.reconnect();
  let passed = 0;
  for (let before = ''; ; ) {
    const page = await made.slipway.api(
      'GET',
      `/projects/bench/pipelines/queue/builds?result=passed&limit=100${before}`,
    );
    passed += page.items.length;
    if (!page.next) break;
    before = `&before=${page.items.at(-1).number}`;
  }
  if (passed !== newest.number) throw new Error(`of ${newest.number} builds ${passed} were found after a SIGKILL`);
  return `after a SIGKILL and a restart all ${passed} records were there`;
}
