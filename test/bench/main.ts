/**
 * `npm run bench`: what Slipway adds to the work it drives, as ratios against a plain shell script that does the same on the
 * same engine in turns with it. A benchmark, not a test: a miss is printed, and fails nothing.
 *
 *     npm run bench -- [--only NAME]… [--quick] [--runs N] [--json FILE]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { oneStep, tenSteps } from './containers.ts';
import { delivery } from './delivery.ts';
import { firstInstruction, queue } from './host.ts';
import { type Installation, install } from './installation.ts';
import { logInContainer, logOnHost } from './log.ts';
import { explained, facts, passes, table } from './report.ts';
import type { Bench, Row } from './row.ts';
import { idle, list } from './server.ts';
import { checkout, hook, hookFlood, polling } from './sources.ts';

const SPINE: Bench[] = [idle, oneStep, tenSteps, delivery, firstInstruction, queue, logOnHost, logInContainer, list];
const BENCHES: Bench[] = [...SPINE, checkout, hook, hookFlood, polling];
const root = fileURLToPath(new URL('../..', import.meta.url));
const RUNS = 7;
const QUICK_RUNS = 3;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    quick: { type: 'boolean', default: false },
    runs: { type: 'string' },
    json: { type: 'string', default: path.join(root, 'dist', 'bench.json') },
  },
});
const names = BENCHES.map(({ name }) => name);
const unknown = options.only?.find((name) => !names.includes(name));
if (unknown !== undefined) {
  console.error(`there is no row ${unknown}; those there are: ${names.join(', ')}`);
  process.exit(2);
}
await main(
  BENCHES.filter(({ name }) => options.only?.includes(name) ?? true),
  Number(options.runs ?? (options.quick ? QUICK_RUNS : RUNS)),
);

async function main(benches: Bench[], runs: number): Promise<void> {
  const machine = facts(root);
  const rows: Row[] = [];
  let installed: Promise<Installation> | null = null;
  const installation = () => (installed ??= install({ 'README.md': 'bench\n' }));
  try {
    for (const bench of benches) {
      process.stderr.write(`${bench.name} …\n`);
      const measured = await bench.measure({ installation, runs });
      // At once: a run that is stopped half-way has told what it found.
      process.stderr.write(`${table(measured)}\n`);
      rows.push(...measured);
    }
  } finally {
    await (installed as Promise<Installation> | null)?.then((made) => made.close());
  }
  const { cores, cpu, loadBefore, node, engine, compose } = machine;
  console.log(`\n${table(rows)}\n\n${explained(rows)}\n`);
  console.log(`medians (least–most) of ${runs} runs in turns, bare and Slipway`);
  console.log(`${cores} × ${cpu}, load before ${loadBefore.join(' ')}; Node ${node}, engine ${engine}, ${compose}`);
  mkdirSync(path.dirname(options.json), { recursive: true });
  writeFileSync(
    options.json,
    `${JSON.stringify({ machine, runs, rows: rows.map((row) => ({ ...row, ok: passes(row) })) }, null, 2)}\n`,
  );
}
