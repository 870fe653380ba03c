/**
 * Logs are files: `logs/<run>/<step>.<attempt>.log`, appended by offset, so that sending again is harmless. Beside each lie
 * `.times` (16 bytes a chunk: offset and wall time, both float64 LE) and, once closed, `.end` (length and sha256); once somebody looked, `.lines` (see log-index.ts).
 */
import { createHash, type Hash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { conflict } from '../pipelines/errors.ts';
import type { LogRef } from '../pipelines/ports.ts';
import { LineIndex, type LogLine, type LogLines } from './log-index.ts';
import { complaints, containing, type Listing, type LogMatches, searchLog } from './log-search.ts';
import { timesAt } from './log-times.ts';

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

export interface LogCount extends LogLines {
  /** Nothing will be added. */
  complete: boolean;
}

/** Lines of a log, and how many it has. */
export interface LogPart extends LogCount {
  from: number;
  /** `at`: wall time, epoch ms, when the line's first byte came in; null where that is not known. */
  items: (LogLine & { at: number | null })[];
}

/** Indexes in memory; the others are read anew from beside their logs. */
const MAX_INDEXES = 64;

export class LogStore {
  readonly #folder: string;
  readonly #open = new Map<string, Promise<OpenLog>>();
  readonly #indexes = new Map<string, LineIndex>();
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

  /** All lines that contain `query`, case-insensitively, or look like an error where it is null. */
  async search(ref: LogRef, query: string | null, listing: Listing): Promise<LogMatches> {
    if (!this.stat(ref)) return { count: 0, lines: [] };
    return searchLog(this.#path(ref), query === null ? complaints : containing(query), listing);
  }

  /** How many lines there are; counting goes on where it ended the last time. */
  async count(ref: LogRef): Promise<LogCount> {
    const stat = this.stat(ref);
    if (!stat) return { lines: 0, bytes: 0, complete: false };
    return { ...(await this.#index(ref).extend(stat.length)), complete: stat.closed };
  }

  /** Lines `from` to `to`, counted from 1, each cut to `LINE_BYTES`. */
  async lines(ref: LogRef, from: number, to: number): Promise<LogPart> {
    const count = await this.count(ref);
    const found = await this.#index(ref).lines(from, Math.min(to, count.lines));
    const times = await timesAt(
      `${this.#path(ref)}.times`,
      found.map(({ offset }) => offset),
    );
    return { ...count, from, items: found.map((line, i) => ({ ...line, at: times[i] ?? null })) };
  }

  /** The count now, and whenever the log has grown, as `follow` does it. */
  async *watch(ref: LogRef, signal: AbortSignal, done: () => boolean): AsyncGenerator<LogCount> {
    const file = this.#path(ref);
    let told: LogCount | null = null;
    while (!signal.aborted) {
      const grown = this.#growth(file, signal);
      const over = done();
      const count = await this.count(ref);
      if (count.bytes !== told?.bytes || count.complete !== told.complete) {
        yield count;
        told = count;
      } else if (count.complete || over) return;
      else await grown;
    }
  }

  #index(ref: LogRef): LineIndex {
    const file = this.#path(ref);
    const index = this.#indexes.get(file) ?? new LineIndex(file);
    this.#indexes.delete(file);
    this.#indexes.set(file, index); // the last one asked for is the last one forgotten
    const [oldest] = this.#indexes.keys();
    if (oldest !== undefined && this.#indexes.size > MAX_INDEXES) this.#indexes.delete(oldest);
    return index;
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
