/** `npm run demo` as its users meet it: it plays the whole job, and leaves nothing behind, however it ends. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { needs } from '../fixtures/real.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MINUTES = 60_000;

interface Demo {
  output(): string;
  /** Resolves once it has printed this; rejects where it ends before. */
  says(what: string | RegExp): Promise<void>;
  /** To it and to the npm around it, as a terminal does. */
  signal(name: NodeJS.Signals): void;
  ended: Promise<number | null>;
}

needs(
  'docker',
  'compose',
  'git',
  'registry',
)('npm run demo', () => {
  let demo: Demo | null = null;
  afterEach(async () => {
    demo?.signal('SIGINT');
    await demo?.ended;
  });

  test('plays two commits, promotions with approval and a rollback, and leaves nothing', {
    timeout: 6 * MINUTES,
  }, async () => {
    demo = startDemo('--once');
    expect(await demo.ended, demo.output()).toBe(0);
    for (const line of [
      /build unit +5 tests passed/,
      /build images +5 images built and pushed/,
      /TEST +smoke +3 tests passed/,
      /mail +.*DEPLOYED harbour 1\.0\.1 → TEST/,
      /mail +.*APPROVE harbour 1\.0\.1 → PRO/,
      /mail +.*DEPLOYED harbour 1\.0\.2 → PRO/,
      /PRO +rolled back +to 1\.0\.1/,
    ])
      expect(demo.output()).toMatch(line);
    expect(leftovers()).toEqual([]);
  });

  test.each([
    ['while images are built', /build unit/],
    ['while a stack is deployed', /build release/],
  ])('Ctrl-C %s leaves nothing', { timeout: 4 * MINUTES }, async (_, when) => {
    demo = startDemo();
    await demo.says(when);
    demo.signal('SIGINT');
    await demo.ended;
    expect(demo.output()).toContain('cleared away');
    expect(leftovers()).toEqual([]);
  });

  test('what a killed demo has left, the next one clears away', { timeout: 6 * MINUTES }, async () => {
    demo = startDemo();
    await demo.says(/DEV +deploy/);
    demo.signal('SIGKILL');
    await demo.ended;
    expect(leftovers()).not.toEqual([]);
    demo = startDemo();
    await demo.says(/cleared away +what a demo before this one had left/);
    demo.signal('SIGINT');
    await demo.ended;
    expect(leftovers()).toEqual([]);
  });
});

function startDemo(...options: string[]): Demo {
  const child: ChildProcess = spawn('npm', ['run', 'demo', '--', ...options], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let look = (): void => {};
  const read = (chunk: Buffer) => {
    printed += chunk;
    look();
  };
  child.stdout?.on('data', read);
  child.stderr?.on('data', read);
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    output: () => printed,
    says: (what) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (printed.search(what) >= 0) resolve();
        };
        look();
        void ended.then(() => reject(new Error(`it ended before it said ${what}:\n${printed}`)));
      }),
    signal: (name) => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(-child.pid, name);
    },
    ended,
  };
}

/** Whatever on this machine is the demo's: on the engine, in the temporary folder, among the processes. */
function leftovers(): string[] {
  const lines = (...args: string[]) =>
    execFileSync('docker', args, { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean)
      .map((line) => `${args[0]} ${line}`);
  return [
    ...lines('ps', '-aq', '--filter', 'label=slipway-demo'),
    ...lines('ps', '-aq', '--filter', 'name=harbour-'),
    ...lines('images', '-aq', '--filter', 'label=slipway-demo'),
    ...lines('network', 'ls', '-q', '--filter', 'name=harbour-'),
    ...lines('volume', 'ls', '-q', '--filter', 'name=harbour-'),
    ...readdirSync(tmpdir()).filter((name) => name.startsWith('slipway-demo-')),
    ...readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid) && isDemos(pid))
      .map((pid) => `process ${pid}`),
  ];
}

function isDemos(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').includes('SLIPWAY_DEMO=');
  } catch {
    return false; // It has just ended, or is another user's.
  }
}
