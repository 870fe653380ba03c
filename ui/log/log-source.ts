/** A step's log as the viewer reads it: how much there is, and the lines asked for, in blocks of 256 as the server has them. */
import { get } from '../api/client.ts';

export interface Line {
  /** Cut by the server where a line is very long. */
  text: string;
  /** Of its first byte in the log. */
  offset: number;
  bytes: number;
  /** When it came in, epoch ms. */
  at: number | null;
}

export interface LogCount {
  lines: number;
  bytes: number;
  complete: boolean;
}

export interface LogMatches {
  count: number;
  lines: { line: number; offset: number; text: string }[];
}

interface Block {
  lines: Line[];
  /** Length of the log when this was read, where the block had its last line; null where it cannot change. */
  asOf: number | null;
}

const BLOCK = 256;
const KEPT_BLOCKS = 64;
const MAX_REQUESTS = 3;
const FIRST_PAUSE = 300;
const LONGEST_PAUSE = 4_000;

/** `url` with further parameters. */
export function withQuery(url: string, query: Record<string, string | number>): string {
  const text = new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)])).toString();
  return `${url}${url.includes('?') ? '&' : '?'}${text}`;
}

export class LogSource {
  readonly #url: string;
  readonly #blocks = new Map<number, Block>();
  #loading = new Set<number>();
  readonly #listeners = new Set<() => void>();
  #closed = new AbortController();
  #wanted: number[] = [0];
  #count: LogCount | null = null;
  #startedAt: number | null = null;
  #error: unknown = null;
  #version = 0;

  constructor(url: string) {
    this.#url = url;
  }

  /** Null until the server has told. */
  get count(): LogCount | null {
    return this.#count;
  }
  /** When the first line came in, epoch ms; null until it is known. */
  get startedAt(): number | null {
    return this.#startedAt;
  }
  get error(): unknown {
    return this.#error;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  /** Another number after each change. */
  readonly version = (): number => this.#version;

  /** Begins reading; answers how to stop. `live`: goes on asking for what is new. */
  open(live: boolean): () => void {
    const closed = new AbortController();
    this.#closed = closed;
    this.#loading = new Set();
    this.#load();
    const look = () => {
      if (document.visibilityState === 'visible') void this.#follow(closed.signal);
    };
    if (live) {
      document.addEventListener('visibilitychange', look, { signal: closed.signal });
      look();
    } else if (this.#count) void this.#recount(closed.signal);
    return () => closed.abort();
  }

  /** Counted from 1; undefined until it is there. */
  line(number: number): Line | undefined {
    return this.#blocks.get(blockOf(number))?.lines[(number - 1) % BLOCK];
  }

  /** The lines in sight; what was asked for before and is not there yet is no longer wanted. */
  want(first: number, last: number): void {
    const from = blockOf(Math.max(1, first));
    const to = blockOf(Math.max(1, last));
    this.#wanted = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    this.#load();
  }

  /** Up to 1,024 lines, as they are. */
  async text(from: number, to: number): Promise<string[]> {
    const part = await get<{ items: Line[] }>(withQuery(this.#url, { lines: `${from}-${to}` }));
    return part.items.map(({ text }) => text);
  }

  readonly retry = (): void => {
    this.#tell(() => {
      this.#error = null;
    });
    this.#load();
  };

  #load(): void {
    for (const block of this.#wanted) {
      if (this.#loading.size >= MAX_REQUESTS || this.#error) return;
      if (!this.#loading.has(block) && this.#isStale(block)) void this.#read(block, this.#closed.signal);
    }
  }

  #isStale(block: number): boolean {
    const known = this.#blocks.get(block);
    if (!known) return this.#count === null || block * BLOCK < this.#count.lines;
    return known.asOf !== null && known.asOf < (this.#count?.bytes ?? 0);
  }

  async #read(block: number, signal: AbortSignal): Promise<void> {
    const loading = this.#loading;
    loading.add(block);
    try {
      const lines = `${block * BLOCK + 1}-${(block + 1) * BLOCK}`;
      const part = await get<LogCount & { items: Line[] }>(withQuery(this.#url, { lines }), signal);
      this.#tell(() => {
        this.#take(part);
        if (block === 0) this.#startedAt = part.items[0]?.at ?? null;
        this.#keep(block, { lines: part.items, asOf: part.lines > (block + 1) * BLOCK ? null : part.bytes });
        this.#error = null;
      });
    } catch (error) {
      if (!signal.aborted) this.#tell(() => (this.#error = error));
    } finally {
      loading.delete(block);
    }
    if (!signal.aborted) this.#load();
  }

  #keep(block: number, read: Block): void {
    this.#blocks.delete(block);
    this.#blocks.set(block, read);
    const [oldest] = this.#blocks.keys();
    if (oldest !== undefined && this.#blocks.size > KEPT_BLOCKS) this.#blocks.delete(oldest);
  }

  #take({ lines, bytes, complete }: LogCount): void {
    if (!this.#count || bytes >= this.#count.bytes) this.#count = { lines, bytes, complete };
  }

  #tell(change: () => void): void {
    change();
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }

  async #recount(signal: AbortSignal): Promise<void> {
    try {
      const count = await get<LogCount>(withQuery(this.#url, { stat: 1 }), signal);
      this.#tell(() => this.#take(count));
      this.#load();
    } catch (error) {
      if (!signal.aborted) this.#tell(() => (this.#error = error));
    }
  }

  /** Hears of growth until the log is complete, nobody looks any more, or it is closed; goes on after a break. */
  async #follow(closed: AbortSignal): Promise<void> {
    const hidden = new AbortController();
    const hide = () => document.visibilityState === 'hidden' && hidden.abort();
    document.addEventListener('visibilitychange', hide, { signal: AbortSignal.any([closed, hidden.signal]) });
    const signal = AbortSignal.any([closed, hidden.signal]);
    let failures = 0;
    while (!signal.aborted && !this.#count?.complete) {
      const heard = await this.#listen(signal);
      failures = heard ? 0 : failures + 1;
      if (!signal.aborted && !this.#count?.complete) await pause(failures, signal);
    }
  }

  /** Whether anything was heard before the line broke. */
  async #listen(signal: AbortSignal): Promise<boolean> {
    let heard = false;
    try {
      const response = await fetch(withQuery(this.#url, { stat: 1, follow: 1 }), { signal, cache: 'no-store' });
      if (!response.ok || !response.body) return false;
      let rest = '';
      for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        const newest = lines.at(-1);
        if (newest === undefined) continue;
        heard = true;
        this.#tell(() => {
          this.#take(JSON.parse(newest) as LogCount);
          this.#error = null;
        });
        this.#load();
      }
      return heard;
    } catch {
      // The server is away, or the reader is: `#follow` comes back where it is worth it.
      return heard;
    }
  }
}

const blockOf = (line: number): number => Math.floor((line - 1) / BLOCK);

function pause(failures: number, signal: AbortSignal): Promise<void> {
  const longest = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures);
  return new Promise((resolve) => {
    setTimeout(resolve, longest * (0.5 + Math.random() / 2));
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
