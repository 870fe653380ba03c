/**
 * How svn is run: with a configuration of its own, so that neither the machine's nor a user's counts; credentials never appear
 * in argv and go to the source's own server only; a hard end is certain.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../pipelines/errors.ts';
import type { SourceCredentials } from '../../pipelines/model.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { type ExecResult, exec } from './exec.ts';
import { redact } from './git-errors.ts';
import { COOKIE, findByCookie } from './processes.ts';
import type { ScmOptions } from './scm-options.ts';
import { checkCredentials, prepare, type Surroundings } from './svn-environment.ts';
import { isLocal, isMissing, remoteError, SvnFailure, SvnTimeout } from './svn-errors.ts';
import { originOf } from './svn-url.ts';

/** A whole transfer: longer than this is not work but a fault. */
const TOTAL_MS = 30 * 60_000;
/** Between TERM and KILL when svn is stopped. */
const GRACE_MS = 1_000;
/** Of an answer: a hundred thousand paths in a log. */
const MAX_ANSWER = 64 * 1024 * 1024;

/**
 * Gives `use` an svn that may reach the source; its private folder, with key and configuration, is gone afterwards.
 * Throws `invalid` where the credentials do not fit the URL.
 */
export async function withSvn<T>(
  options: ScmOptions,
  access: SourceAccess,
  signal: AbortSignal,
  use: (svn: Svn) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  checkCredentials(access);
  const home = await mkdtemp(join(tmpdir(), 'slipway-svn-'));
  try {
    return await use(new Svn(options, access, signal, home));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

export class Svn {
  readonly access: SourceAccess;
  readonly options: ScmOptions;
  readonly signal: AbortSignal;
  private readonly home: string;
  private readonly prepared = new Map<string, Promise<Surroundings>>();

  constructor(options: ScmOptions, access: SourceAccess, signal: AbortSignal, home: string) {
    this.options = options;
    this.access = access;
    this.signal = signal;
    this.home = home;
  }

  /** Another one for the same source, whose signal and private folder are its own. */
  apart<T>(signal: AbortSignal, use: (svn: Svn) => Promise<T>): Promise<T> {
    return withSvn(this.options, this.access, signal, use);
  }

  /** Asks a server one question about these URLs of it, each with its peg revision. Throws `RemoteError`. */
  async ask(args: string[], urls: string[], maxAnswer?: { bytes: number; error: AppError }): Promise<string> {
    try {
      return await this.run(args, urls, [], { total: this.options.timeoutMs }, maxAnswer);
    } catch (error) {
      throw this.remote(error, urls);
    }
  }

  /** As `ask`; URLs that do not exist are left out of the answer. */
  async look(args: string[], urls: string[]): Promise<string> {
    const output = { text: '' };
    try {
      return await this.run(args, urls, [], { total: this.options.timeoutMs }, undefined, output);
    } catch (error) {
      if (isMissing(error)) return output.text;
      throw this.remote(error, urls);
    }
  }

  /** As `ask`, of what may take long: it may while something moves. */
  async askLong(args: string[], urls: string[]): Promise<string> {
    try {
      return await this.run(args, urls, [], { total: TOTAL_MS, silence: this.options.timeoutMs });
    } catch (error) {
      throw this.remote(error, urls);
    }
  }

  /** Transfers from a URL to a path here. Throws `RemoteError`, or `SvnFailure` where the fault lies here. */
  async transfer(args: string[], url: string, path: string): Promise<void> {
    try {
      await this.run(args, [url], [path], { total: TOTAL_MS, silence: this.options.timeoutMs });
    } catch (error) {
      if (error instanceof SvnFailure && isLocal(error)) throw error;
      throw this.remote(error, [url]);
    }
  }

  /** Works here, without any network. Throws `SvnFailure`. */
  async local(args: string[], path: string): Promise<string> {
    return this.run(args, [], [path], { total: TOTAL_MS });
  }

  private remote(error: unknown, [url = this.access.source.url]: string[]): unknown {
    const known = error instanceof SvnFailure || error instanceof SvnTimeout;
    // Externals may be elsewhere; of the source itself the URL is told as it was given.
    const own = originOf(url) === originOf(this.access.source.url);
    const at = own ? this.access.source.url : url.replace(/@\w*$/, '');
    return known ? remoteError(error, at, own && this.access.credentials !== null) : error;
  }

  private async run(
    args: string[],
    urls: string[],
    paths: string[],
    limit: { total: number; silence?: number },
    maxAnswer = { bytes: MAX_ANSWER, error: new AppError('too_large', `svn ${args[0]}: the answer is too long`) },
    output = { text: '' },
  ): Promise<string> {
    const { home, args: surrounding, input } = await this.surroundings(urls);
    const cookie = `${this.options.instance ?? 'slipway'}:svn:${randomUUID()}`;
    const late = () => new SvnTimeout(`svn ${args[0]} was killed: it took too long`);
    const stop = new AbortController();
    const unwatch = watch(cookie, limit.silence, () => stop.abort(late()));
    let bytes = 0;
    let result: ExecResult;
    try {
      result = await exec({
        command: 'svn',
        args: [...args, ...surrounding, '--', ...urls, ...paths],
        cwd: home,
        // Not as the cookie of `exec`, which would look for daemons: all that svn starts is ssh, in its group.
        env: { HOME: home, LC_ALL: 'C.UTF-8', [COOKIE]: cookie },
        ...(input === undefined ? {} : { input }),
        timeoutMs: limit.total,
        maxCapture: maxAnswer.bytes,
        onOutput: (chunk, stream) => {
          if (stream === 'stdout') bytes += chunk.length;
          if (bytes > maxAnswer.bytes) throw maxAnswer.error;
        },
        graceMs: GRACE_MS,
        signal: AbortSignal.any([this.signal, stop.signal]),
      });
    } finally {
      unwatch();
    }
    if (result.timedOut) throw late();
    output.text = result.stdout;
    if (result.code !== 0) throw new SvnFailure(result.code, redact(result.stderr, secretsOf(this.access.credentials)));
    return result.stdout;
  }

  /** By server; only the source's own gets the credentials. */
  private surroundings([url = this.access.source.url]: string[]): Promise<Surroundings> {
    const origin = originOf(url);
    const before = this.prepared.get(origin);
    if (before) return before;
    const own = origin === originOf(this.access.source.url);
    const access = own ? this.access : { ...this.access, credentials: null };
    const prepared = prepare(this.options, access, url, join(this.home, String(this.prepared.size)));
    this.prepared.set(origin, prepared);
    return prepared;
  }
}

/** Calls once when nothing has moved for `ms`: svn prints nothing while it transfers one large file, but it reads and writes. */
function watch(cookie: string, ms: number | undefined, expire: () => void): () => void {
  if (ms === undefined) return () => {};
  const steps = 4;
  let before = -1;
  let still = 0;
  const timer = setInterval(() => {
    const now = movedBy(cookie);
    still = now === before ? still + 1 : 0;
    before = now;
    if (still >= steps) expire();
  }, ms / steps);
  return () => clearInterval(timer);
}

/** Bytes that the processes with this cookie have read and written; see proc_pid_io(5). */
function movedBy(cookie: string): number {
  let total = 0;
  for (const pid of findByCookie(cookie)) {
    try {
      const counts = readFileSync(`/proc/${pid}/io`, 'utf8');
      for (const [, count] of counts.matchAll(/^[rw]char: (\d+)$/gm)) total += Number(count);
    } catch {
      // It has just ended.
    }
  }
  return total;
}

function secretsOf(credentials: SourceCredentials | null): string[] {
  if (credentials === null) return [];
  if ('sshKey' in credentials) return [credentials.sshKey];
  return ['token' in credentials ? credentials.token : credentials.password];
}
