/**
 * Finds and ends processes by the cookie in their environment, so that nothing a run started survives it: a process may
 * leave its group and session (setsid, double fork), but what it inherited at exec stays readable in /proc.
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Environment variable that marks a process: `<instance>:<run>:<step>`. */
export const COOKIE = 'SLIPWAY_COOKIE';

const GRACE_MS = 5_000;
const KILL_MS = 10_000;
const POLL_MS = 50;

/**
 * Ends every process whose cookie is `prefix` or continues it after a `:`; TERM, after a grace KILL, until none is left.
 * Never ends the calling process. Resolves to how many processes were found; throws where some outlive KILL.
 * An abort of `signal` only cuts the grace short: leaving half of them alive helps nobody.
 */
export async function killByCookie(prefix: string, signal: AbortSignal, graceMs = GRACE_MS): Promise<number> {
  if (prefix.replaceAll(':', '') === '') throw new Error('a cookie prefix must not be empty: it would match every run');
  const seen = new Set<number>();
  const started = performance.now();
  for (;;) {
    const alive = findByCookie(prefix);
    if (alive.length === 0) return seen.size;
    const elapsed = performance.now() - started;
    const harsh = signal.aborted || elapsed >= graceMs;
    if (elapsed >= graceMs + KILL_MS)
      throw new Error(`processes ${alive.join(', ')} cannot be ended, not even by KILL`);
    for (const pid of alive) {
      if (harsh) sendSignal(pid, 'SIGKILL');
      else if (!seen.has(pid)) sendSignal(pid, 'SIGTERM');
      seen.add(pid);
    }
    await delay(POLL_MS);
  }
}

/** Ids of the processes whose cookie is `prefix` or continues it. */
export function findByCookie(prefix: string): number[] {
  const wanted = `${COOKIE}=${prefix.endsWith(':') ? prefix : `${prefix}:`}`;
  return processIds().filter((pid) => pid !== process.pid && `${cookieOf(pid)}:`.startsWith(wanted));
}

function cookieOf(pid: number): string | undefined {
  const environment = readProc(`${pid}/environ`);
  if (!environment?.includes(COOKIE)) return undefined;
  const entries = environment.toString('latin1').split('\0');
  return entries.find((entry) => entry.startsWith(`${COOKIE}=`));
}

/**
 * Sends a signal to a process, or with a negative `pid` to a group. False where there is none left.
 */
export function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (isCode(error, 'ESRCH')) return false;
    throw error;
  }
}

/** Ends a process group: TERM, and KILL for what is left after the grace. */
export async function endGroup(leader: number, graceMs = GRACE_MS): Promise<void> {
  if (!sendSignal(-leader, 'SIGTERM')) return;
  if (await groupEndsWithin(leader, graceMs)) return;
  sendSignal(-leader, 'SIGKILL');
  await groupEndsWithin(leader, KILL_MS);
}

async function groupEndsWithin(leader: number, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (performance.now() < deadline) {
    await delay(Math.min(POLL_MS, ms));
    if (!isGroupAlive(leader)) return true;
  }
  return false;
}

/** Whether a process of the group still runs. Those that wait for a parent to take notice (zombies) do not. */
function isGroupAlive(leader: number): boolean {
  if (!sendSignal(-leader, 0)) return false;
  return processIds().some((pid) => {
    const stat = readProc(`${pid}/stat`)?.toString('latin1');
    // pid (command, which may hold anything) state parent group …
    const [state, , group] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
    return group === String(leader) && state !== 'Z' && state !== 'X';
  });
}

const processIds = (): number[] => readdirSync('/proc').map(Number).filter(Number.isInteger);

/** Used again and again: files of /proc have no size to make a buffer by. */
let buffer = Buffer.allocUnsafe(64 * 1024);

/**
 * What is in a file of /proc, until the next call. Read at once, not by the thread pool: the kernel answers from memory, ten
 * times sooner than a round through the pool takes. Null where the process has ended meanwhile, or belongs to another user
 * and so is not ours.
 */
function readProc(file: string): Buffer | null {
  let opened: number | undefined;
  try {
    opened = openSync(`/proc/${file}`, 'r');
    let length = 0;
    for (let read = -1; read !== 0; length += read) {
      if (length === buffer.length) buffer = Buffer.concat([buffer], 2 * length);
      read = readSync(opened, buffer, length, buffer.length - length, null);
    }
    return buffer.subarray(0, length);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return null;
    throw error;
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}

export const isCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
