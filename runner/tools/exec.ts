/** The one way an external program is run: an argv array, no shell, a clean environment, a group of its own, a deadline. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../pipelines/errors.ts';
import { COOKIE, endGroup, isCode, killByCookie } from './processes.ts';

export interface ExecSpec {
  command: string;
  args: string[];
  cwd?: string;
  /** Added to PATH, LANG and HOME (an empty private folder unless given here); nothing else is inherited. */
  env?: Record<string, string>;
  /** Written to standard input, which is then closed. Without it there is none. */
  input?: string | Uint8Array;
  timeoutMs: number;
  /** `<instance>:<run>:<step>`: lets `killByCookie` find the program and all it started, daemons too. */
  cookie?: string;
  /** Called for each chunk in order; while a returned promise is pending, that stream is not read. */
  onOutput?: (bytes: Uint8Array, stream: 'stdout' | 'stderr') => void | Promise<void>;
  /** Bytes kept of each stream, the last ones; 1 MiB unless given. */
  maxCapture?: number;
  /** Between TERM and KILL; 5 s unless given. */
  graceMs?: number;
  signal: AbortSignal;
}

export interface ExecResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  timedOut: boolean;
}

const MEBIBYTE = 1024 * 1024;
/** Output still in the pipe when the group has ended arrives at once; who holds a pipe longer is not of the group. */
const DRAIN_MS = 1_000;

/**
 * Runs a program to its end. A non-zero exit does not throw and neither does the deadline (`timedOut`). Throws
 * `unavailable` where the program cannot be started, and the abort reason once everything started has ended.
 * What the program leaves behind in its process group is ended with it.
 */
export async function exec(spec: ExecSpec): Promise<ExecResult> {
  spec.signal.throwIfAborted();
  const home = spec.env?.HOME === undefined ? await mkdtemp(join(tmpdir(), 'slipway-home-')) : null;
  try {
    return await runToEnd(spec, await start(spec, home));
  } finally {
    if (home) await rm(home, { recursive: true, force: true });
  }
}

/** The environment programs start from: nothing of the server's own, such as its settings and secrets, gets through. */
export function cleanEnvironment(env: Record<string, string>): Record<string, string> {
  return { PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin', LANG: 'C.UTF-8', ...env };
}

async function start(spec: ExecSpec, home: string | null): Promise<ChildProcess> {
  const child = spawn(spec.command, spec.args, {
    cwd: spec.cwd,
    env: {
      ...cleanEnvironment({ ...(home === null ? {} : { HOME: home }), ...spec.env }),
      ...(spec.cookie === undefined ? {} : { [COOKIE]: spec.cookie }),
    },
    detached: true,
    stdio: [spec.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
  try {
    await once(child, 'spawn');
  } catch (error) {
    throw cannotStart(spec, error);
  }
  if (child.stdin) {
    // A program may end without reading all of its input; its exit code tells whether that was wrong.
    child.stdin.on('error', (error) => isCode(error, 'EPIPE', 'ECONNRESET') || child.emit('error', error));
    child.stdin.end(spec.input);
  }
  return child;
}

async function runToEnd(spec: ExecSpec, child: ChildProcess): Promise<ExecResult> {
  const stop = new AbortController();
  let timedOut = false;
  const deadline = setTimeout(() => {
    timedOut = true;
    stop.abort();
  }, spec.timeoutMs);
  const onAbort = () => stop.abort();
  spec.signal.addEventListener('abort', onAbort, { once: true });

  const output = new Output(spec, child);
  output.handled.catch(() => stop.abort());
  let ending: Promise<void> | undefined;
  const end = () => (ending ??= endAll(spec, child.pid as number));
  // The leader may be beyond killing, and its exit never come: then the failure to end it is what is thrown.
  const broken = new Promise<never>((_, reject) => {
    stop.signal.addEventListener('abort', () => end().catch(reject), { once: true });
  });
  try {
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    const [code, signal] = await Promise.race([exited, broken]);
    await end();
    await output.settled(stop.signal);
    spec.signal.throwIfAborted();
    if (output.failure) throw output.failure.reason;
    return { code, signal, stdout: output.stdout.text(), stderr: output.stderr.text(), timedOut };
  } finally {
    clearTimeout(deadline);
    spec.signal.removeEventListener('abort', onAbort);
    output.close();
  }
}

async function endAll(spec: ExecSpec, leader: number): Promise<void> {
  const never = new AbortController().signal;
  await Promise.all([
    endGroup(leader, spec.graceMs),
    spec.cookie === undefined ? undefined : killByCookie(spec.cookie, never, spec.graceMs),
  ]);
}

/** Reads both streams at the pace of `onOutput`. */
class Output {
  readonly stdout: Tail;
  readonly stderr: Tail;
  /** Resolves at the end of both streams; rejects where `onOutput` throws. */
  readonly handled: Promise<unknown>;
  /** What `onOutput` threw. */
  failure: { reason: unknown } | undefined;
  private readonly streams: readonly [Readable, Readable];
  private chunks = 0;
  private handling = 0;
  private closed = false;

  constructor(spec: ExecSpec, child: ChildProcess) {
    const limit = spec.maxCapture ?? MEBIBYTE;
    this.stdout = new Tail(limit);
    this.stderr = new Tail(limit);
    this.streams = [child.stdout as Readable, child.stderr as Readable];
    this.handled = Promise.all([
      this.read(this.streams[0], this.stdout, (bytes) => spec.onOutput?.(bytes, 'stdout')),
      this.read(this.streams[1], this.stderr, (bytes) => spec.onOutput?.(bytes, 'stderr')),
    ]);
  }

  private async read(stream: Readable, tail: Tail, handle: (bytes: Uint8Array) => void | Promise<void>): Promise<void> {
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        this.chunks++;
        tail.push(chunk);
        this.handling++;
        await handle(chunk);
        this.handling--;
      }
    } catch (error) {
      if (this.closed) return;
      this.failure ??= { reason: error };
      throw error;
    }
  }

  /** After the exit: waits until all output has been handled, is held open by a stranger, or no longer matters. */
  async settled(stop: AbortSignal): Promise<void> {
    let done = false;
    const finished = this.handled.then(
      () => {
        done = true;
      },
      () => {
        done = true;
      },
    );
    for (let before = -1; !done && !stop.aborted; ) {
      if (before === this.chunks && this.handling === 0) return;
      before = this.chunks;
      await Promise.race([finished, pause(DRAIN_MS, stop)]);
    }
  }

  close(): void {
    this.closed = true;
    for (const stream of this.streams) stream.destroy();
  }
}

/** Waits, or until `stop` aborts. */
async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: stop }).catch((error: unknown) => {
    if (!stop.aborted) throw error;
  });
}

/** The last bytes of a stream. */
class Tail {
  private readonly limit: number;
  private chunks: Buffer[] = [];
  private size = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  push(chunk: Buffer): void {
    if (this.limit === 0) return;
    this.chunks.push(chunk);
    this.size += chunk.length;
    // Kept in whole chunks until twice the limit, so that a long log is not copied for every chunk.
    if (this.size > 2 * this.limit) this.trim();
  }

  text(): string {
    this.trim();
    return Buffer.concat(this.chunks).toString('utf8');
  }

  private trim(): void {
    const all = Buffer.concat(this.chunks);
    this.chunks = [all.subarray(Math.max(0, all.length - this.limit))];
    this.size = this.chunks[0]?.length ?? 0;
  }
}

/** Programs whose package is named otherwise. */
const PACKAGES: Record<string, string> = { svn: 'subversion', ssh: 'openssh-client', docker: 'docker.io' };

function cannotStart(spec: ExecSpec, error: unknown): unknown {
  if (!isCode(error, 'ENOENT', 'EACCES', 'ENOTDIR')) return error;
  if (spec.cwd !== undefined && !existsSync(spec.cwd)) {
    return new AppError('unavailable', `cannot start ${spec.command}: there is no folder ${spec.cwd}`, {
      cause: error,
    });
  }
  const name = PACKAGES[spec.command] ?? spec.command;
  const advice = `install it on this machine (for example: apt-get install ${name}) and see that it is on the PATH`;
  return new AppError('unavailable', `cannot start ${spec.command}: ${advice}`, { cause: error });
}
