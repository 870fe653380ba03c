/**
 * Replays the whole history of a repository of yours, into Git and into SVN:
 *
 *   npm run build && node --import tsx test/replay/main.ts GIT_DIR [--steps N] [--kills N] [--seed N] [--only git|svn]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { startSlipway } from '../fixtures/slipway.ts';
import { History } from './history.ts';
import { replay } from './replay.ts';
import { gitTarget, svnTarget } from './repositories.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: 'string', default: '1000000' },
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const [gitDir] = positionals;
if (gitDir === undefined) throw new Error('which repository? Give the path of its .git');
const folder = mkdtempSync(path.join(tmpdir(), 'slipway-replay-'));
const history = new History(gitDir, Number(values.steps));
const slipway = await startSlipway({ SLIPWAY_RUNNER_SLOTS: '0' });
try {
  const targets = [
    ...(values.only === 'svn' ? [] : [gitTarget(history, gitDir, folder)]),
    ...(values.only === 'git' ? [] : [svnTarget(history, folder)]),
  ];
  const began = performance.now();
  const outcomes = await replay({
    slipway,
    targets,
    steps: history.line.length,
    kills: Number(values.kills),
    seed: Number(values.seed),
    tell: (line) => console.log(line),
  });
  console.log(`${history.line.length} commits in ${Math.round((performance.now() - began) / 1000)} s`);
  for (const { target, expected, builds, missing, doubled, strange } of outcomes) {
    console.log(
      `${target.kind}: ${expected} revisions in ${builds} builds; ${missing.length} missing, ${doubled.length} twice, ${strange.length} strange`,
    );
    if (missing.length + doubled.length + strange.length > 0) {
      console.log({ missing: missing.slice(0, 5), doubled: doubled.slice(0, 5), strange: strange.slice(0, 5) });
      process.exitCode = 1;
    }
  }
} finally {
  await slipway.stop();
  rmSync(folder, { recursive: true, force: true });
}
