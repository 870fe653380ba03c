/**
 * How git is run: through simple-git, with an environment in which neither the machine's nor a user's nor a repository's
 * configuration counts, credentials never appear in argv, and a hard end is certain.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { simpleGit } from 'simple-git';
import { AppError } from '../../pipelines/errors.ts';
import type { SourceCredentials } from '../../pipelines/model.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { checkCredentials, prepare } from './git-environment.ts';
import { GitFailure, GitTimeout, isDamage, redact, remoteError } from './git-errors.ts';
import { COOKIE, killByCookie } from './processes.ts';
import type { ScmOptions } from './scm-options.ts';

/** Where a command works: `folder` is its current one, `gitDir` its repository, null for none. */
export interface Place {
  folder: string;
  gitDir: string | null;
  /** Files of a bare repository's revision, and where git keeps count of them. */
  workTree?: { folder: string; index: string };
}

/** A whole transfer, a local clone or checkout: longer than this is not work but a fault. */
const TOTAL_MS = 30 * 60_000;
/** Between TERM and KILL when git is stopped. */
const GRACE_MS = 1_000;

/** What simple-git holds back unless it is meant: these are set here, from nothing a user wrote. */
const UNSAFE = { allowUnsafeAskPass: true, allowUnsafeSshCommand: true, allowUnsafeConfigPaths: true } as const;

/**
 * Gives `use` a git that may reach the source; its private folder, with key and configuration, is gone afterwards.
 * Throws `invalid` where the credentials do not fit the URL.
 */
export async function withGit<T>(
  options: ScmOptions,
  access: SourceAccess,
  signal: AbortSignal,
  use: (git: Git) => Promise<T>,
): Promise<T> {
  checkCredentials(access);
  const home = await mkdtemp(join(tmpdir(), 'slipway-git-'));
  try {
    return await use(new Git(options, access, signal, home, await prepare(options, access, home)));
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

export class Git {
  readonly access: SourceAccess;
  private readonly options: ScmOptions;
  readonly signal: AbortSignal;
  private readonly home: string;
  private readonly env: Record<string, string>;

  constructor(
    options: ScmOptions,
    access: SourceAccess,
    signal: AbortSignal,
    home: string,
    env: Record<string, string>,
  ) {
    this.options = options;
    this.access = access;
    this.signal = signal;
    this.home = home;
    this.env = env;
  }

  /** Another one for the same source, whose signal and private folder are its own. */
  apart<T>(signal: AbortSignal, use: (git: Git) => Promise<T>): Promise<T> {
    return withGit(this.options, this.access, signal, use);
  }

  /** Asks the server one question, outside of any repository. Throws `RemoteError`. */
  async ask(args: string[]): Promise<string> {
    return this.talk(args, { folder: this.home, gitDir: null }, this.options.timeoutMs);
  }

  /** Transfers into a repository. Throws `RemoteError`, or `GitFailure` where the repository here is damaged. */
  async transfer(args: string[], gitDir: string): Promise<string> {
    return this.talk(args, { folder: gitDir, gitDir }, TOTAL_MS);
  }

  /** Transfers into a repository that is made for it. Throws `RemoteError`. */
  async clone(args: string[]): Promise<string> {
    return this.talk(['clone', ...args], { folder: this.home, gitDir: null }, TOTAL_MS);
  }

  /** Works here, without any network. Throws `GitFailure`, also where git only warns of damage. */
  async local(args: string[], place: Place, input?: string): Promise<string> {
    return this.run(args, place, { GIT_ALLOW_PROTOCOL: 'file' }, { total: TOTAL_MS, silence: TOTAL_MS }, input);
  }

  private async talk(args: string[], place: Place, total: number): Promise<string> {
    const protocols = `https:http:ssh:git${this.options.allowFile ? ':file' : ''}`;
    try {
      return await this.run(args, place, { GIT_ALLOW_PROTOCOL: protocols }, { total, silence: this.options.timeoutMs });
    } catch (error) {
      if (error instanceof GitFailure && place.gitDir !== null && isDamage(error.stderr)) throw error;
      if (error instanceof GitFailure || error instanceof GitTimeout)
        throw remoteError(error, this.access.source.url, this.access.credentials !== null);
      throw error;
    }
  }

  private async run(
    args: string[],
    place: Place,
    extra: Record<string, string>,
    limit: { total: number; silence: number },
    input?: string,
  ): Promise<string> {
    this.signal.throwIfAborted();
    const cookie = `${this.options.instance ?? 'slipway'}:git:${randomUUID()}`;
    const env = {
      ...this.env,
      ...extra,
      ...(place.gitDir === null ? {} : { GIT_DIR: place.gitDir }),
      ...(place.workTree && { GIT_WORK_TREE: place.workTree.folder, GIT_INDEX_FILE: place.workTree.index }),
      [COOKIE]: cookie,
    };
    const stop = new AbortController();
    const expire = () => stop.abort(new GitTimeout(`git ${args[0]} was killed: it took too long`));
    const onAbort = () => stop.abort(this.signal.reason);
    this.signal.addEventListener('abort', onAbort, { once: true });
    const total = setTimeout(expire, limit.total);
    const silence = setTimeout(expire, limit.silence);
    try {
      const command = this.spawn(args, place.folder, env, stop.signal, () => silence.refresh(), input);
      return await Promise.race([command, ended(stop.signal, cookie)]);
    } catch (error) {
      // simple-git rejects at once when it is told to stop, before the processes have ended.
      if (stop.signal.aborted) return await ended(stop.signal, cookie);
      throw error;
    } finally {
      clearTimeout(total);
      clearTimeout(silence);
      this.signal.removeEventListener('abort', onAbort);
    }
  }

  private async spawn(
    args: string[],
    folder: string,
    env: Record<string, string>,
    abort: AbortSignal,
    heard: () => void,
    input: string | undefined,
  ): Promise<string> {
    let failure: Error | undefined;
    const messages: Buffer[] = [];
    const git = simpleGit({
      baseDir: folder,
      abort,
      allowEnvironment: Object.keys(env).filter((name) => name.startsWith('GIT_')),
      unsafe: UNSAFE,
      ...(input === undefined ? {} : { input: () => input }),
      errors: (error, { exitCode, stdErr }) => {
        if (exitCode === 0 && error === undefined) return undefined;
        failure = this.failure(exitCode, Buffer.concat(stdErr).toString('utf8'));
        return failure;
      },
    });
    git.env(env).outputHandler((_command, stdout, stderr) => {
      stdout.on('data', heard);
      stderr.on('data', heard);
      stderr.on('data', (chunk: Buffer) => messages.push(chunk));
      // simple-git waits 50 ms more for a command from which it has heard nothing.
      stdout.once('end', () => stdout.emit('data', Buffer.alloc(0)));
    });
    try {
      const output = await git.raw(args);
      const stderr = Buffer.concat(messages).toString('utf8');
      if (isDamage(stderr)) throw this.failure(0, stderr);
      return output;
    } catch (error) {
      throw failure ?? error;
    }
  }

  private failure(exitCode: number | null, stderr: string): Error {
    if (/spawn git ENOENT/.test(stderr)) {
      return new AppError(
        'unavailable',
        'cannot start git: install it on this machine (for example: apt-get install git)',
      );
    }
    return new GitFailure(exitCode, redact(stderr, secretsOf(this.access.credentials)));
  }
}

/** Rejects with the reason of `stop` once all processes that bear the cookie have ended. */
function ended(stop: AbortSignal, cookie: string): Promise<never> {
  return new Promise((_, reject) => {
    const end = () =>
      killByCookie(cookie, new AbortController().signal, GRACE_MS).then(() => reject(stop.reason), reject);
    if (stop.aborted) void end();
    else stop.addEventListener('abort', () => void end(), { once: true });
  });
}

/** What must be seen nowhere. */
export function secretsOf(credentials: SourceCredentials | null): string[] {
  if (credentials === null) return [];
  if ('sshKey' in credentials) return [credentials.sshKey];
  return ['token' in credentials ? credentials.token : credentials.password];
}
