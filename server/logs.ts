/**
 * Logs are files: `logs/<run>/<step>.<attempt>.log`, appended by offset, so that sending again is harmless. Beside each lie
 * `.times` (16 bytes a chunk: offset and wall time, both float64 LE) and, once closed, `.end` (length and sha256).
 */
import { createHash, type Hash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { conflict } from '../pipelines/errors.ts';
import type { LogRef } from '../pipelines/ports.ts';

interface OpenLog {
  file: FileHandle;
  times: FileHandle;
  length: number;
  /** Of everything up to `length`; null for a log that an earlier process began. */
  hash: Hash | null;
  /** Appends of one log run one after the other. */
  turn: Promise<unknown>;
}

export interface LogStat {
  length: number;
  closed: boolean;
}

export interface LogMatches {
  /** Of all matching lines, not only those listed. */
  count: number;
  lines: { line: number; offset: number; text: string }[];
}

export class LogStore {
  readonly #folder: string;
  readonly #open = new Map<string, Promise<OpenLog>>();
  readonly #grown = new EventEmitter().setMaxListeners(0);

  constructor(folder: string) {
    this.#folder = folder;
  }

  #path(ref: LogRef): string {
    return path.join(this.#folder, String(ref.runId), `${ref.step}.${ref.attempt}.log`);
  }

  /** Answers the length that is on disk; less than `offset` means a gap, and that nothing was written. */
  async append(ref: LogRef, offset: number, chunk: Uint8Array, at: number): Promise<number> {
    const log = await this.#opened(ref);
    const turn = log.turn.then(async () => {
      if (offset > log.length) return log.length;
      const fresh = chunk.subarray(log.length - offset);
      if (fresh.length === 0) return log.length;
      const mark = Buffer.alloc(16);
      mark.writeDoubleLE(log.length, 0);
      mark.writeDoubleLE(at, 8);
      await log.file.write(fresh, 0, fresh.length, log.length);
      await log.times.write(mark);
      log.length += fresh.length;
      log.hash?.update(fresh);
      this.#grown.emit(this.#path(ref));
      return log.length;
    });
    log.turn = turn.catch(() => undefined); // the caller hears of it; the next append starts afresh
    return turn;
  }

  /** Checks length and hash against what the runner sent. Closing twice is fine. */
  async close(ref: LogRef, length: number, sha256: string): Promise<void> {
    const file = this.#path(ref);
    if (existsSync(`${file}.end`)) return;
    const log = await this.#opened(ref);
    await log.turn;
    const actual = log.hash ? log.hash.copy().digest('hex') : await hashFile(file);
    if (log.length !== length || actual !== sha256) {
      throw conflict(
        `log of ${ref.step} has ${log.length} bytes (sha256 ${actual}), the runner sent ${length} (${sha256})`,
      );
    }
    await writeFile(`${file}.end.new`, JSON.stringify({ length, sha256 }));
    await rename(`${file}.end.new`, `${file}.end`);
    await this.#forget(file, log);
    this.#grown.emit(file);
  }

  /** Ends the log of an attempt that was lost: it keeps what arrived. */
  async release(runId: number): Promise<void> {
    const prefix = path.join(this.#folder, String(runId)) + path.sep;
    for (const [file, opening] of this.#open) if (file.startsWith(prefix)) await this.#forget(file, await opening);
  }

  async #forget(file: string, log: OpenLog): Promise<void> {
    if (!this.#open.delete(file)) return;
    await log.turn;
    await Promise.all([log.file.close(), log.times.close()]);
  }

  #opened(ref: LogRef): Promise<OpenLog> {
    const file = this.#path(ref);
    let opening = this.#open.get(file);
    if (!opening) {
      opening = openLog(file);
      this.#open.set(file, opening);
      opening.catch(() => this.#open.delete(file));
    }
    return opening;
  }

  stat(ref: LogRef): LogStat | null {
    const file = this.#path(ref);
    const length = statSync(file, { throwIfNoEntry: false })?.size;
    return length === undefined ? null : { length, closed: existsSync(`${file}.end`) };
  }

  /** Bytes `from` (inclusive) to `to` (exclusive). */
  read(ref: LogRef, from: number, to: number): Readable {
    return createReadStream(this.#path(ref), { start: from, end: Math.max(from, to) - 1 });
  }

  /** The last `bytes` of a log as text; '' where there is none. */
  tail(ref: LogRef, bytes: number): string {
    const stat = this.stat(ref);
    if (!stat || stat.length === 0) return '';
    const all = readFileSync(this.#path(ref));
    return all.subarray(Math.max(0, all.length - bytes)).toString('utf8');
  }

  /** Everything from `from` on, and what is appended later, until the log is closed or `done` says that no more will come. */
  async *follow(ref: LogRef, from: number, signal: AbortSignal, done: () => boolean): AsyncGenerator<Uint8Array> {
    const file = this.#path(ref);
    let at = from;
    while (!signal.aborted) {
      const grown = this.#growth(file, signal);
      const over = done();
      const stat = this.stat(ref);
      if (stat && stat.length > at) {
        for await (const chunk of this.read(ref, at, stat.length)) yield chunk as Uint8Array;
        at = stat.length;
      } else if (stat?.closed || over) return;
      else await grown;
    }
  }

  /** Resolves when the log grew or was closed, and at the latest after a second: a run may end without closing its log. */
  #growth(file: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer);
        this.#grown.off(file, finish);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, 1_000);
      this.#grown.once(file, finish);
      signal.addEventListener('abort', finish, { once: true });
    });
  }

  /** All lines that contain `query`, case-insensitively; the first `limit` are listed, all are counted. */
  async search(ref: LogRef, query: string, limit: number): Promise<LogMatches> {
    const found: LogMatches = { count: 0, lines: [] };
    if (!this.stat(ref)) return found;
    const needle = query.toLowerCase();
    let line = 0;
    let offset = 0;
    const look = (bytes: Buffer) => {
      line += 1;
      const text = bytes.toString('utf8');
      if (text.toLowerCase().includes(needle)) {
        found.count += 1;
        if (found.lines.length < limit) found.lines.push({ line, offset, text: text.slice(0, 2_000) });
      }
      offset += bytes.length + 1;
    };
    let rest: Buffer = Buffer.alloc(0);
    for await (const chunk of createReadStream(this.#path(ref), { highWaterMark: 1 << 20 })) {
      let buffer = rest.length > 0 ? Buffer.concat([rest, chunk as Buffer]) : (chunk as Buffer);
      for (let end = buffer.indexOf(10); end >= 0; end = buffer.indexOf(10)) {
        look(buffer.subarray(0, end));
        buffer = buffer.subarray(end + 1);
      }
      rest = buffer;
    }
    if (rest.length > 0) look(rest);
    return found;
  }
}

async function openLog(file: string): Promise<OpenLog> {
  await mkdir(path.dirname(file), { recursive: true });
  const handle = await open(file, existsSync(file) ? 'r+' : 'w+');
  const times = await open(`${file}.times`, 'a');
  const length = (await handle.stat()).size;
  return { file: handle, times, length, hash: length === 0 ? createHash('sha256') : null, turn: Promise.resolve() };
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
