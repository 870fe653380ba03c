/** A step that prints 100 MB in 1,000,000 lines, on the host and in a container. */
import { createHash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, tempFolder } from '../fixtures/git-server.ts';
import { type Installation, residentBytes, serverPid } from './installation.ts';
import { inTurns, spread, timed } from './measure.ts';
import type { Bench, Row } from './row.ts';
import { shell } from './shell.ts';

const LINES = 1_000_000;
/** 99 digits and an end of line. */
const PRINT = `yes "$(printf %099d 7)" | head -n ${LINES}`;
const GROWTH = 40;

export const logOnHost = flood('log-host', `{ host: true, run: ['${PRINT}'] }`, PRINT);
export const logInContainer = flood(
  'log-container',
  `{ image: "busybox:1.36", run: ['${PRINT}'] }`,
  `docker run --rm busybox:1.36 sh -c '${PRINT}'`,
);

function flood(name: string, step: string, command: string): Bench {
  return {
    name,
    async measure({ installation, runs }): Promise<Row[]> {
      const made = await installation();
      await made.definePipeline(name, `steps:\n  print: ${step}\n`);
      const folder = tempFolder();
      const file = join(folder, 'log');
      const growth: number[] = [];
      try {
        const { bare, ours, ratio } = await inTurns(
          runs,
          () => timed(() => shell(`${command} > ${file}`)),
          async () => {
            const memory = watchMemory(made);
            const taken = await timed(() => made.build(name));
            growth.push(memory.stop());
            return taken;
          },
        );
        await compareBytes(made, name, file);
        const rss = spread(growth.slice(1)); // the first one is the warm-up
        const place = name === 'log-host' ? 'on the host' : 'in a container';
        return [
          {
            name,
            work: `a step ${place} printing 100 MB in ${LINES.toLocaleString('en')} lines; trigger → finished`,
            bare,
            ours,
            unit: 'ms',
            figure: { kind: 'ratio', value: ratio, atMost: 1.5 },
            notes: ['bare: the same command, into a file; every byte of the log was compared'],
          },
          {
            name: `${name}-memory`,
            work: 'growth of the server’s resident memory meanwhile, after a warm-up',
            bare: null,
            ours: rss,
            unit: 'MB',
            figure: { kind: 'MB', value: rss.max, atMost: GROWTH },
            notes: ['the most of all runs; peak during a run less what it was before'],
          },
        ];
      } finally {
        removeFolder(folder);
      }
    },
  };
}

/** Looks every 20 ms; `stop` answers by how many MB the server was above where it began, at most. */
function watchMemory({ slipway }: Installation): { stop(): number } {
  const pid = serverPid(slipway);
  const start = residentBytes(pid);
  let peak = start;
  const look = () => {
    peak = Math.max(peak, residentBytes(pid));
  };
  const timer = setInterval(look, 20);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return (peak - start) / 1e6;
    },
  };
}

async function compareBytes({ slipway }: Installation, pipeline: string, file: string): Promise<void> {
  const [newest] = (await slipway.api('GET', `/projects/bench/pipelines/${pipeline}/builds?limit=1`)).items;
  const log = await slipway.text(`/projects/bench/pipelines/${pipeline}/builds/${newest.number}/steps/print/log`);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  if (createHash('sha256').update(log).digest('hex') !== hash.digest('hex')) {
    throw new Error(`the log is not what was printed: ${log.length} bytes of ${statSync(file).size}`);
  }
}
