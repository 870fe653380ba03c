/** The server by itself: its start, its memory, and lists over 10,000 builds. */
import path from 'node:path';
import Database from 'better-sqlite3';
import { startSlipway } from '../fixtures/slipway.ts';
import { type Installation, residentBytes, serverPid } from './installation.ts';
import { percentile, spread, timed } from './measure.ts';
import type { Bench, Row } from './row.ts';

const HISTORY = 10_000;
const REQUESTS = 400;

export const idle: Bench = {
  name: 'idle',
  async measure({ runs }): Promise<Row[]> {
    const starts: number[] = [];
    const memory: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const start = performance.now();
      const slipway = await startSlipway();
      starts.push(performance.now() - start);
      // Long enough for what a start leaves to be done: the sweep of the engine, the first poll.
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      memory.push(residentBytes(serverPid(slipway)) / 1e6);
      await slipway.stop();
    }
    const [ready, resident] = [spread(starts), spread(memory)];
    return [
      {
        name: 'start',
        work: 'an idle server: process start → ready, with an empty data folder',
        bare: null,
        ours: ready,
        unit: 'ms',
        figure: { kind: 'ms', value: ready.median, atMost: 1_000 },
        notes: [],
      },
      {
        name: 'idle-memory',
        work: 'its resident memory after 2 s',
        bare: null,
        ours: resident,
        unit: 'MB',
        figure: { kind: 'MB', value: resident.median, atMost: 120 },
        notes: [],
      },
    ];
  },
};

export const list: Bench = {
  name: 'list',
  async measure({ installation }): Promise<Row[]> {
    const made = await installation();
    await made.definePipeline(
      'history',
      `steps:\n${'abcdefghij'.replace(/./g, '  $&: { host: true, run: ["true"] }\n')}`,
    );
    await made.build('history');
    await fill(made);
    const taken: number[] = [];
    for (let request = -20; request < REQUESTS; request += 1) {
      const ms = await timed(() =>
        made.slipway.text(`/projects/bench/pipelines/history/builds?${query(Math.abs(request))}`),
      );
      if (request >= 0) taken.push(ms);
    }
    const sorted = taken.sort((a, b) => a - b);
    const p95 = percentile(sorted, 95);
    return [
      {
        name: 'list',
        work: `GET …/builds, pages of 50 of ten steps each, of ${HISTORY.toLocaleString('en')} builds: p95`,
        bare: null,
        ours: { ...spread(sorted), median: p95 },
        unit: 'ms',
        figure: { kind: 'ms', value: p95, atMost: 100 },
        notes: [
          `median ${percentile(sorted, 50).toFixed(1)} ms; newest, further back, by branch and by result in turns`,
        ],
      },
    ];
  },
};

/** Newest first; from somewhere further back; by branch; by a result that few have; by one that none has. */
function query(request: number): string {
  const before = 1 + ((request * 7919) % HISTORY);
  const kinds = [
    '',
    `before=${before}`,
    `branch=main&before=${before}`,
    `result=failed&before=${before}`,
    'result=errored',
  ];
  return `limit=50&${kinds[request % kinds.length]}`;
}

/** Copies a real build many times over, while the server is down; every hundredth has failed. */
async function fill({ slipway, reconnect }: Installation & { reconnect(): Promise<void> }): Promise<void> {
  await slipway.kill();
  const db = new Database(path.join(slipway.data, 'slipway.db'));
  const { id } = db.prepare("SELECT max(id) AS id FROM runs WHERE kind = 'build'").get() as { id: number };
  const names = (db.pragma('table_info(runs)') as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => name !== 'id');
  const copied: Record<string, string> = {
    number: 'n.value',
    result: 'r.result',
    state_json: "json_set(state_json, '$.number', n.value, '$.result', r.result)",
  };
  db.exec(`WITH RECURSIVE n(value) AS (SELECT 2 UNION ALL SELECT value + 1 FROM n WHERE value < ${HISTORY}),
    r AS (SELECT value AS number, iif(value % 100 = 0, 'failed', 'passed') AS result FROM n)
    INSERT INTO runs (${names.join(', ')})
    SELECT ${names.map((name) => copied[name] ?? `runs.${name}`).join(', ')}
    FROM runs JOIN n JOIN r ON r.number = n.value WHERE runs.id = ${id};
    UPDATE numbers SET next = ${HISTORY + 1} WHERE series LIKE 'build %/history'`);
  db.close();
  await slipway.restart();
  await reconnect();
}
