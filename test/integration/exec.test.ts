import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ExecResult, type ExecSpec, exec } from '../../runner/tools/exec.ts';
import { findByCookie, killByCookie, sendSignal } from '../../runner/tools/processes.ts';

const never = new AbortController().signal;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const script = (text: string, more: Partial<ExecSpec> = {}) =>
  exec({ command: 'sh', args: ['-c', text], cwd: folder, timeoutMs: 60_000, graceMs: 300, signal: never, ...more });
/** Starts a script that writes `ready` when all it wants to start has been started. */
async function ready(): Promise<void> {
  while (!existsSync(join(folder, 'ready'))) await new Promise(setImmediate);
}
const gone = (file: string) => !isRunning(Number(readFileSync(join(folder, file), 'utf8')));
function isRunning(pid: number): boolean {
  if (!sendSignal(pid, 0)) return false;
  try {
    // A zombie that nobody has waited for yet runs no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // somebody has, just now
  }
}
/** A script that is at its deadline as soon as it is ready for it, however long a busy machine took to start it. */
async function overdue(text: string, more: Partial<ExecSpec> = {}): Promise<ExecResult> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const running = script(text, more);
    await ready();
    vi.runOnlyPendingTimers();
    vi.useRealTimers();
    return await running;
  } finally {
    vi.useRealTimers();
  }
}

const STUBBORN = `trap '' TERM; (trap '' TERM; while :; do sleep 0.1; done) & echo $! > child; echo $$ > parent; : > ready; while :; do sleep 0.1; done`;

describe('the end of a program', () => {
  it('at the deadline the whole group ends, though it ignores TERM', async () => {
    const result = await overdue(STUBBORN);
    expect(result).toMatchObject({ timedOut: true, signal: 'SIGKILL' });
    expect([gone('child'), gone('parent')]).toEqual([true, true]);
  });

  it('an abort ends the whole group, then rejects with its reason', async () => {
    const stop = new AbortController();
    const running = script(STUBBORN, { signal: stop.signal });
    await ready();
    stop.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect([gone('child'), gone('parent')]).toEqual([true, true]);
  });

  it('a program that minds TERM may clean up', async () => {
    const result = await overdue(`trap 'echo bye; exit 7' TERM; : > ready; while :; do sleep 0.05; done`, {
      graceMs: 60_000,
    });
    expect(result).toMatchObject({ timedOut: true, code: 7, stdout: 'bye\n' });
  });

  it('an abort does not wait for who takes the output', async () => {
    const stop = new AbortController();
    const running = script('echo x; : > ready; sleep 100', {
      signal: stop.signal,
      onOutput: () => new Promise<void>(() => undefined),
    });
    await ready();
    stop.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
  });

  it('what is left in the background ends with the program, and its output is not waited for', async () => {
    expect(await script('sleep 1000 & echo $! > child; echo done')).toMatchObject({ code: 0, stdout: 'done\n' });
    expect(gone('child')).toBe(true);
  });

  it('one that left the group and holds the pipe does not hold us', async () => {
    const result = await script(
      'setsid sh -c "echo \\$\\$ > child; : > ready; exec sleep 1000" & while [ ! -e ready ]; do sleep 0.02; done; echo done',
    );
    expect(result).toMatchObject({ code: 0, stdout: 'done\n' });
    sendSignal(Number(readFileSync(join(folder, 'child'), 'utf8')), 'SIGKILL');
  });
});

describe('cookies', () => {
  const instance = randomUUID();
  const DAEMON = `setsid setsid sh -c 'trap "" TERM HUP; echo $$ > child; : > ready; while :; do sleep 0.1; done' > /dev/null 2>&1 & while [ ! -e ready ]; do sleep 0.02; done;`;

  it('daemons end with the step that started them', async () => {
    await script(`${DAEMON} echo done`, { cookie: `${instance}:1:compile` });
    expect(gone('child')).toBe(true);
    expect(findByCookie(instance)).toEqual([]);
  });

  it('an abort finds daemons, too', async () => {
    const stop = new AbortController();
    const running = script(`${DAEMON} sleep 1000`, { cookie: `${instance}:1:compile`, signal: stop.signal });
    await ready();
    stop.abort(new Error('cancelled'));
    await expect(running).rejects.toThrow('cancelled');
    expect(gone('child')).toBe(true);
  });

  it('a sweep ends those of one run and spares those of another whose number begins alike', async () => {
    const stop = new AbortController();
    const mine = script(': > ready; sleep 1000', { cookie: `${instance}:1:a` });
    const other = script('sleep 1000', { cookie: `${instance}:12:a`, signal: stop.signal });
    while (findByCookie(instance).length < 4) await new Promise(setImmediate);
    expect(await killByCookie(`${instance}:1`, never)).toBeGreaterThan(0);
    expect(await mine).toMatchObject({ code: null, signal: 'SIGTERM' });
    expect(findByCookie(`${instance}:12:`)).not.toEqual([]);
    stop.abort(new Error('end'));
    await expect(other).rejects.toThrow('end');
  });

  it('an empty prefix, which would match everything, is refused', async () => {
    await expect(killByCookie('', never)).rejects.toThrow('empty');
    expect(await killByCookie(randomUUID(), never)).toBe(0);
  });
});
