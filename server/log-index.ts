/**
 * Where the lines of a log begin: the byte offset of every 256th line, made when somebody first looks and extended as the
 * log grows. Kept beside the log as `.lines` (float64 LE each), so that a restarted server need not read the log again.
 */
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** Lines from one known offset to the next. */
export const BLOCK = 256;
/** Bytes of one line that are given; `bytes` says how many there are. */
export const LINE_BYTES = 4096;
const READ_BYTES = 1 << 20;
const ENTRY = 8;
const NEWLINE = 10;

export interface LogLines {
  /** A last line without an end counts. */
  lines: number;
  bytes: number;
}

export interface LogLine {
  /** Of its first byte. */
  offset: number;
  /** Without the line end. */
  bytes: number;
  /** The first `LINE_BYTES` of them. */
  text: string;
}

export class LineIndex {
  readonly #file: string;
  /** Of line 256, 512, … counted from 0. Null until `.lines` was read. */
  #starts: number[] | null = null;
  /** So many of them are in `.lines`. */
  #saved = 0;
  #newlines = 0;
  #scanned = 0;
  #open = false;
  /** Extensions run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(file: string) {
    this.#file = file;
  }

  /** Takes in what the log has now; it only ever grows. */
  extend(length: number): Promise<LogLines> {
    const turn = this.#turn.then(() => this.#extend(length));
    this.#turn = turn.catch(() => undefined); // the caller hears of it; the next one starts afresh
    return turn;
  }

  async #extend(length: number): Promise<LogLines> {
    this.#starts ??= await this.#load(length);
    const starts = this.#starts;
    if (length > this.#scanned) await this.#scan(starts, length);
    if (starts.length > this.#saved) await this.#save(starts);
    return { lines: this.#newlines + (this.#open ? 1 : 0), bytes: this.#scanned };
  }

  async #scan(starts: number[], length: number): Promise<void> {
    for await (const chunk of readFrom(this.#file, this.#scanned, length)) {
      let newlines = this.#newlines;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) {
        newlines += 1;
        if (newlines % BLOCK === 0) starts.push(this.#scanned + at + 1);
      }
      this.#newlines = newlines;
      this.#scanned += chunk.length;
      this.#open = chunk.at(-1) !== NEWLINE;
    }
  }

  /** What an earlier process found, unless a crash has left it ahead of the log. */
  async #load(length: number): Promise<number[]> {
    const saved = await openIfThere(`${this.#file}.lines`);
    if (!saved) return [];
    try {
      const bytes = await saved.readFile();
      const starts = Array.from({ length: Math.floor(bytes.length / ENTRY) }, (_, i) => bytes.readDoubleLE(i * ENTRY));
      const last = starts.at(-1);
      if (last === undefined || !(await this.#isLineStart(last, length))) return [];
      this.#saved = starts.length;
      this.#newlines = starts.length * BLOCK;
      this.#scanned = last;
      return starts;
    } finally {
      await saved.close();
    }
  }

  async #isLineStart(offset: number, length: number): Promise<boolean> {
    if (!Number.isInteger(offset) || offset < 1 || offset > length) return false;
    for await (const [byte] of readFrom(this.#file, offset - 1, offset)) return byte === NEWLINE;
    return false;
  }

  async #save(starts: readonly number[]): Promise<void> {
    const bytes = Buffer.alloc((starts.length - this.#saved) * ENTRY);
    for (let i = this.#saved; i < starts.length; i++)
      bytes.writeDoubleLE(starts[i] as number, (i - this.#saved) * ENTRY);
    try {
      const file = await open(`${this.#file}.lines`, this.#saved === 0 ? 'w' : 'r+');
      try {
        await file.write(bytes, 0, bytes.length, this.#saved * ENTRY);
      } finally {
        await file.close();
      }
      this.#saved = starts.length;
    } catch (error) {
      // A full disk keeps nobody from reading; what is missing is written with what comes next.
      if (!isOneOf(error, 'ENOSPC', 'EDQUOT', 'EROFS')) throw error;
    }
  }

  /** Lines `from` to `to`, counted from 1, as far as `extend` has seen the log. */
  async lines(from: number, to: number): Promise<LogLine[]> {
    const block = Math.floor((from - 1) / BLOCK);
    const start = block === 0 ? 0 : this.#starts?.[block - 1];
    if (start === undefined || to < from) return [];
    return readLines(this.#file, start, this.#scanned, from - 1 - block * BLOCK, to - from + 1);
  }
}

/** Of the bytes `start` to `end`: skips lines, then gives `count`. Holds no more than `LINE_BYTES` of each. */
async function readLines(file: string, start: number, end: number, skip: number, count: number): Promise<LogLine[]> {
  const found: LogLine[] = [];
  let line = 0;
  let offset = start;
  let bytes = 0;
  let kept: Buffer[] = [];
  let room = LINE_BYTES;
  const take = (part: Buffer) => {
    bytes += part.length;
    if (line < skip || room === 0) return;
    const head = Buffer.from(part.subarray(0, room));
    kept.push(head);
    room -= head.length;
  };
  const endLine = () => {
    if (line >= skip) found.push({ offset, bytes, text: textOf(kept, bytes) });
    line += 1;
    offset += bytes + 1;
    bytes = 0;
    kept = [];
    room = LINE_BYTES;
  };
  for await (const chunk of readFrom(file, start, end)) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      take(chunk.subarray(from, at));
      endLine();
      if (found.length === count) return found;
      from = at + 1;
    }
    take(chunk.subarray(from));
  }
  if (bytes > 0) endLine();
  return found;
}

/** Without half a character at the end, where the line was cut. */
function textOf(parts: readonly Buffer[], whole: number): string {
  const bytes = Buffer.concat(parts);
  return new TextDecoder().decode(bytes, { stream: bytes.length < whole });
}

function readFrom(file: string, from: number, to: number): AsyncIterable<Buffer> {
  return createReadStream(file, { start: from, end: to - 1, highWaterMark: READ_BYTES });
}

async function openIfThere(file: string): Promise<FileHandle | null> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (isOneOf(error, 'ENOENT')) return null;
    throw error;
  }
}

const isOneOf = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));
