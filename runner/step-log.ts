/** The way of a step's output to the server: masked, in batches, resent until acknowledged, capped, in bounded memory. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError, type ErrorCode } from '../pipelines/errors.ts';
import type { LogRef, RunnerApi } from '../pipelines/ports.ts';
import type { StepLog } from './steps/step.ts';

/** Replaces secrets; may hold bytes back until it can tell. `end` gives what is left. */
export interface LogMasker {
  push(bytes: Uint8Array): Uint8Array;
  end(): Uint8Array;
}

export interface StepLogOptions {
  api: Pick<RunnerApi, 'log' | 'closeLog'>;
  ref: LogRef;
  token: string;
  masker: LogMasker;
  /** Bytes of the step's that are kept; the mark that says so comes on top. */
  limit: number;
  /** Wall time, epoch ms. */
  now: () => number;
}

/** Sent at once when so much has gathered, else after a moment: few calls for a flood, and a live tail for a trickle. */
const BATCH_BYTES = 64 * 1024;
const BATCH_MS = 20;
const MAX_CHUNK = 1024 * 1024;
/** From here on `drained` waits. */
const HIGH_WATER = 4 * 1024 * 1024;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;
/** After `close`, so many failures in a row end the waiting for a server: about a minute. */
const MAX_FAILURES_AT_CLOSE = 16;
/** Answers that asking again would not change. */
const FINAL: readonly ErrorCode[] = ['conflict', 'forbidden', 'unauthenticated', 'not_found', 'invalid', 'too_large'];

/**
 * `close` sends what is left and closes the log with its length and sha256; it throws what kept the log from being complete:
 * the server's refusal (`conflict` for a stale token), or its silence. After a refusal what is written is dropped.
 */
export function createStepLog(options: StepLogOptions): StepLog & { close(): Promise<void> } {
  return new BatchedLog(options);
}

class BatchedLog implements StepLog {
  readonly #options: StepLogOptions;
  readonly #hash = createHash('sha256');
  #queue: Uint8Array[] = [];
  #queued = 0;
  /** Bytes put into the queue since the start; equals the server's length once the queue is empty. */
  #length = 0;
  /** Bytes the server is known to have. */
  #sent = 0;
  #kept = 0;
  #full = false;
  #atLineStart = true;
  #keptLineEnd = true;
  #closing = false;
  #failure: unknown = null;
  #sending: Promise<void> | null = null;
  #wake: () => void = () => {};
  #waiting: (() => void)[] = [];

  constructor(options: StepLogOptions) {
    this.#options = options;
  }

  write(bytes: Uint8Array): void {
    const last = bytes.at(-1);
    if (last === undefined) return;
    this.#atLineStart = last === NEWLINE;
    this.#keep(this.#options.masker.push(bytes));
  }

  readonly notice = (text: string): void => {
    const lines = text.replace(/\n+$/, '').replaceAll('\n', '\n» ');
    this.write(Buffer.from(`${this.#atLineStart ? '' : '\n'}» ${lines}\n`));
  };

  drained(): Promise<void> {
    if (this.#queued <= HIGH_WATER) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async close(): Promise<void> {
    this.#keep(this.#options.masker.end());
    this.#closing = true;
    this.#wake();
    await this.#sending;
    const { api, ref, token } = this.#options;
    if (this.#failure === null)
      await this.#insist(() => api.closeLog(ref, token, this.#length, this.#hash.digest('hex')));
    if (this.#failure !== null) throw this.#failure;
  }

  #keep(bytes: Uint8Array): void {
    if (this.#full || bytes.length === 0) return;
    const { limit } = this.#options;
    const kept = bytes.subarray(0, limit - this.#kept);
    this.#kept += kept.length;
    if (kept.length > 0) this.#keptLineEnd = kept.at(-1) === NEWLINE;
    this.#enqueue(kept);
    if (kept.length === bytes.length) return;
    this.#full = true;
    this.#enqueue(
      Buffer.from(`${this.#keptLineEnd ? '' : '\n'}» log limit of ${inWords(limit)} reached: the rest is not kept\n`),
    );
  }

  #enqueue(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#failure !== null) return;
    this.#hash.update(bytes);
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#length += bytes.length;
    if (this.#queued >= BATCH_BYTES) this.#wake();
    this.#sending ??= this.#send();
  }

  async #send(): Promise<void> {
    while (this.#queued > 0) {
      if (!this.#closing && this.#queued < BATCH_BYTES) await this.#gather();
      const chunk = this.#take();
      await this.#deliver(chunk);
      this.#queued = Math.max(0, this.#queued - chunk.length);
      if (this.#queued <= HIGH_WATER) for (const resolve of this.#waiting.splice(0)) resolve();
    }
    // At once, not in a `finally`: what is written in between would wait for ever.
    this.#sending = null;
  }

  #gather(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, BATCH_MS);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #take(): Uint8Array {
    const parts: Uint8Array[] = [];
    let size = 0;
    let used = 0;
    for (const part of this.#queue) {
      if (size > 0 && size + part.length > MAX_CHUNK) break;
      parts.push(part);
      size += part.length;
      used += 1;
    }
    this.#queue.splice(0, used);
    const [only] = parts;
    return parts.length === 1 && only ? only : Buffer.concat(parts);
  }

  /** Until the server has all of `chunk`. Its answer says where to go on from. */
  async #deliver(chunk: Uint8Array): Promise<void> {
    const { api, ref, token, now } = this.#options;
    const start = this.#sent;
    const at = now();
    while (this.#sent < start + chunk.length && this.#failure === null) {
      await this.#insist(async () => {
        const from = this.#sent - start;
        const part = chunk.subarray(from, from + MAX_CHUNK);
        const has = await api.log(ref, token, this.#sent, part, at);
        if (has < start || has > this.#sent + part.length) {
          throw new AppError(
            'conflict',
            `the server has ${has} bytes of a log that was sent up to ${this.#sent + part.length}`,
          );
        }
        this.#sent = has;
      });
    }
  }

  /** Repeats `call` while the server cannot be reached; notes the failure when it refuses, or is not awaited any longer. */
  async #insist(call: () => Promise<void>): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    for (let failures = 1; this.#failure === null; failures += 1) {
      try {
        return await call();
      } catch (error) {
        const refused = error instanceof AppError && FINAL.includes(error.code);
        if (refused || (this.#closing && failures >= MAX_FAILURES_AT_CLOSE)) return this.#fail(error);
      }
      await delay(pause);
      pause = Math.min(pause * 2, MAX_PAUSE_MS);
    }
  }

  /** Nothing more will be sent, and nobody waits for room any longer: the step goes on. */
  #fail(error: unknown): void {
    this.#failure = error;
    this.#queue = [];
    this.#queued = 0;
  }
}

const NEWLINE = 0x0a;
const inWords = (bytes: number): string => (bytes % 1024 ** 2 === 0 ? `${bytes / 1024 ** 2} MiB` : `${bytes} bytes`);
