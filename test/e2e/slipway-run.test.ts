/** `slipway run` as people use it: in a checkout, on a real engine, with no server anywhere. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { baseImage } from '../fixtures/base-images.ts';
import { defineRepo, type Repo, removeFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { clearEngine, containersWith, eventually } from '../fixtures/slipway.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');
/** By its path: the checkout that a test runs in knows no packages. */
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
/** Where `node:20-slim` cannot be pulled. */
const MAKING_IMAGES = 20 * 60_000;
const EXAMPLES = path.join(ROOT, 'pipelines/examples');

needs(
  'docker',
  'base-image',
  'git',
)('slipway run', () => {
  let cache: string;
  let repo: Repo | null = null;

  beforeAll(() => {
    baseImage('node:20-slim');
    cache = mkdtempSync(path.join(tmpdir(), 'slipway-run-'));
  }, MAKING_IMAGES);
  afterEach(async () => {
    if (repo) await clearAway(repo.dir);
    repo = null;
  });
  afterAll(() => rmSync(cache, { recursive: true }));

  /** A checkout whose `slipway.yml` has these steps. */
  function checkout(steps: string, files: Record<string, string> = {}): string {
    repo = defineRepo({ 'slipway.yml': `steps:\n${steps}`, ...files });
    return repo.dir;
  }

  function start(folder: string, args: string[], env: Record<string, string> = {}) {
    const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SLIPWAY_')));
    return spawn(process.execPath, ['--import', TSX, path.join(ROOT, 'server/cli/main.ts'), 'run', ...args], {
      cwd: folder,
      env: { ...clean, XDG_CACHE_HOME: cache, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  async function run(folder: string, args: string[] = [], env: Record<string, string> = {}) {
    const child = start(folder, args, env);
    const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
    return { code: code as number | null, out, err };
  }

  const workspaces = (): string[] => readdirSync(path.join(cache, 'slipway/run/workspaces'));
  const instanceOf = (folder: string): string =>
    createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32);
  async function clearAway(folder: string): Promise<void> {
    await clearEngine(instanceOf(folder));
    removeFolder(folder);
  }

  test('runs the steps on a copy of what Git knows or would add, and leaves nothing behind', async () => {
    const folder = checkout(
      `  look: { image: "busybox:1.36", run: ["ls", "cat tracked.txt", "echo changed >tracked.txt; touch made-here"] }
  again: { image: "busybox:1.36", run: ["ls made-here"] }
`,
      { 'tracked.txt': 'committed\n', '.gitignore': '*.log\n' },
    );
    writeFileSync(path.join(folder, 'tracked.txt'), 'edited\n');
    writeFileSync(path.join(folder, 'new.txt'), 'not added yet\n');
    writeFileSync(path.join(folder, 'noise.log'), 'ignored\n');
    const { code, out, err } = await run(folder);
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out).toMatch(/look {2}│ edited/);
    expect(out).toMatch(/look {2}│ new\.txt/);
    expect(out).not.toContain('noise.log');
    expect(out).toMatch(/again │ made-here/);
    expect(out).toMatch(/✓ passed look.*✓ passed again.*✓ passed after/s);
    expect(readFileSync(path.join(folder, 'tracked.txt'), 'utf8')).toBe('edited\n');
    expect(existsSync(path.join(folder, 'made-here'))).toBe(false);
    expect(workspaces()).toEqual([]);
    expect(containersWith(`slipway.instance=${instanceOf(folder)}`)).toEqual([]);
  });

  test('a step that fails: exit code 1, what depends on it is left out, and its tests are counted', async () => {
    const report =
      '<testsuite name="s"><testcase name="good"/><testcase name="bad"><failure message="2 is not 3"/></testcase></testsuite>';
    const folder = checkout(
      `  unit: { image: "busybox:1.36", run: ["cp report.xml out.xml"], junit: out.xml, artifacts: out.xml }
  after: { image: "busybox:1.36", run: ["true"] }
`,
      { 'report.xml': report },
    );
    const kept = path.join(folder, 'kept');
    const { code, out } = await run(folder, ['--artifacts', kept]);
    expect(code).toBe(1);
    expect(out).toContain('✗ s › bad: 2 is not 3');
    expect(out).toContain('tests: 1 passed, 1 failed, 0 skipped');
    expect(out).toMatch(/✗ failed after .*: unit: 1 of 2 tests failed/);
    expect(readFileSync(path.join(kept, 'out.xml'), 'utf8')).toBe(report);
  });

  test('only the step that is named and what it needs; JSON on standard output, the log on standard error', async () => {
    const folder = checkout(`  base: { image: "busybox:1.36", run: ["echo base >made"] }
  other: { needs: [], image: "busybox:1.36", run: ["false"] }
  wanted: { needs: base, image: "busybox:1.36", run: ["cat made; exit 3"], when: { branch: [release] } }
`);
    const { code, out, err } = await run(folder, ['wanted', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      result: 'failed',
      branch: 'main',
      revision: expect.stringMatching(/^[0-9a-f]{40}$/),
      steps: [
        { name: 'base', result: 'passed', exitCode: 0 },
        { name: 'wanted', result: 'failed', exitCode: 3, reason: 'exit code 3' },
      ],
    });
    expect(err).toMatch(/wanted │ base/);
  });

  test('images are built and stay on the engine; nothing is pushed and no release is made', async () => {
    const folder = checkout(
      `  image: { build: { image: local-run-test/web } }
release: { compose: compose.yml }
`,
      { Dockerfile: 'FROM busybox:1.36\nRUN echo made here\n', 'compose.yml': 'services: {web: {build: .}}\n' },
    );
    try {
      const { code, out } = await run(folder);
      expect(out).toContain('not pushed');
      expect(out).toContain('no release is made');
      expect(code).toBe(0);
      execFileSync('docker', ['image', 'inspect', 'local-run-test/web:local-0.1'], { stdio: 'ignore' });
    } finally {
      execFileSync('docker', ['image', 'rm', '-f', 'local-run-test/web:local-0.1'], { stdio: 'ignore' });
    }
  });

  test('secrets come from the environment, only by name, and are masked', async () => {
    const folder = checkout(
      `  a: { image: "busybox:1.36", run: ['echo "one $ONE, two $TWO"'], secrets: [ONE, TWO] }\n`,
    );
    const { code, out } = await run(folder, ['--secret', 'ONE'], { ONE: 'first-secret', TWO: 'second-secret' });
    expect(code).toBe(0);
    expect(out).toContain('one ***, two \n');
    expect(out).toContain('the secret TWO is not set: --secret TWO takes it from the environment');
  });

  test.each([
    ['no file', '/', [], /cannot read slipway.yml/],
    ['a step that is not there', null, ['unti'], /no step unti.*did you mean "unit"/],
    ['a file with a fault', null, ['-f', 'wrong.yml'], /wrong\.yml:2:\d+ .*imag/],
    ['a secret that is nowhere', null, ['--secret', 'NO_SUCH_SECRET'], /no environment variable NO_SUCH_SECRET/],
  ])('wrong usage, %s: exit code 2 and a sentence', async (_, folder, args, message) => {
    const here = checkout('  unit: { image: "busybox:1.36", run: ["true"] }\n', {
      'wrong.yml': 'steps:\n  unit: { imag: x, run: y }\n',
    });
    const { code, err } = await run(folder ?? here, args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  test('Ctrl-C ends the step and clears away its containers, services and files', async () => {
    const folder = checkout(
      '  slow: { image: "busybox:1.36", run: ["trap : TERM; echo begun; while :; do sleep 1; done"], services: { db: { image: "busybox:1.36", command: [sleep, "600"] } } }\n',
    );
    const child = start(folder, []);
    let out = '';
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    await eventually('the step to begin', () => /^begun$/m.test(out));
    child.kill('SIGINT');
    // Not `exit`: its last words may still be in the pipe then.
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(out).toMatch(/⊘ cancelled after .*stopped by you/);
    expect(containersWith(`slipway.instance=${instanceOf(folder)}`)).toEqual([]);
    expect(workspaces()).toEqual([]);
  });

  test.each(['shortest', 'node', 'static-site', 'monorepo'])(
    'the example %s passes',
    async (name) => {
      const folder = path.join(mkdtempSync(path.join(tmpdir(), 'slipway-example-')), name);
      cpSync(path.join(EXAMPLES, name), folder, { recursive: true });
      try {
        const { code, out, err } = await run(folder);
        expect(code, out + err).toBe(0);
      } finally {
        await clearAway(folder);
        removeFolder(path.dirname(folder));
      }
    },
    300_000,
  );
});
