/**
 * `npm test`: everything, on real parts. Installs and starts what is missing, builds, then types, lint and all tests.
 * The last line is `N passed, N failed, N skipped`; the exit code is 0 where nothing failed.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { attempt, install, root, run } from './lib.mjs';

const bin = (name) => path.join(root, 'node_modules/.bin', name);
const say = (text) => console.log(`\n── ${text}`);
const counts = { passed: 0, failed: 0, skipped: 0 };

say('dependencies');
await install();
say('parts that the tests use');
run('bash', ['scripts/setup.sh']);
say('build');
run(process.execPath, ['scripts/build.mjs']);
check('types', bin('tsc'), ['--noEmit']);
check('lint', bin('biome'), ['check', '.']);
say('tests');
runTests();

console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed > 0 ? 1 : 0);

/** Types and lint count as one check each. */
function check(name, program, args) {
  say(name);
  counts[attempt(program, args) === 0 ? 'passed' : 'failed'] += 1;
}

function runTests() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'slipway-test-report-'));
  const report = path.join(folder, 'report.json');
  const status = attempt(bin('vitest'), [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  try {
    for (const file of JSON.parse(readFileSync(report, 'utf8')).testResults) count(file);
  } catch (thrown) {
    console.error(`vitest left no report: ${thrown.message}`);
    counts.failed += 1;
  }
  rmSync(folder, { recursive: true });
  // What has no test to its name: an unhandled rejection, say.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
}

function count({ status, assertionResults }) {
  const number = (is) => assertionResults.filter((test) => is(test.status)).length;
  const passed = number((result) => result === 'passed');
  const failed = number((result) => result === 'failed');
  counts.passed += passed;
  counts.skipped += assertionResults.length - passed - failed;
  // A file may fail outside of any test: it does not load, or a hook threw.
  counts.failed += status === 'failed' ? Math.max(failed, 1) : failed;
}
