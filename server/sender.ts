/**
 * Sends what is due of a table, a few at a time: the common part of mail and of commit statuses. What was sent is marked
 * afterwards, so a crash in between sends it again; nobody waits for any of this.
 */
import { messageOf } from '../pipelines/errors.ts';
import type { Clock } from '../pipelines/ports.ts';

export interface SenderOptions<Row> {
  /** What is due, the longest due first. */
  due(now: number, limit: number): Row[];
  /** When the next one will be; null where none waits. */
  nextAt(now: number): number | null;
  /** Of one key, one is sent at a time. */
  keyOf(row: Row): string;
  /** Tries to send it. Never rejects. */
  attempt(row: Row, signal: AbortSignal): Promise<Attempt>;
  /** How long an attempt may take, in ms. */
  timeout: number;
  clock: Clock;
  logger: { warn(fields: object, message: string): void };
}

export interface Attempt {
  sent: boolean;
  /** Writes down what came of it; called again until the disk takes it. */
  record(): void;
}

export interface Sender {
  start(): void;
  /** Looks for what is due now: call it after a transaction that added some. */
  kick(): void;
  /** Ends what is being sent, and resolves when nothing goes on. What was not marked is sent again at the next start. */
  stop(): Promise<void>;
}

const PARALLEL = 4;
const FIRST_DELAY = 10_000;
/** The clock may be set back: it is looked again at least this often. */
const LONGEST_WAIT = 30 * 60_000;

/** How long to wait after so many failed attempts, in ms: twice as long each time, up to `longest`. */
export const retryDelay = (attempts: number, longest: number): number =>
  Math.min(FIRST_DELAY * 2 ** (attempts - 1), longest);

export function createSender<Row>({ due, nextAt, keyOf, attempt, timeout, clock, logger }: SenderOptions<Row>): Sender {
  const sending = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  let started = false;
  let cancelTimer = (): void => {};

  function pump(): void {
    if (!started || stopping.signal.aborted) return;
    cancelTimer();
    const now = clock.now();
    for (const row of due(now, 2 * PARALLEL)) {
      if (sending.size >= PARALLEL) return;
      const key = keyOf(row);
      if (!sending.has(key))
        sending.set(
          key,
          deliver(row).finally(() => finished(key)),
        );
    }
    const next = nextAt(now);
    if (next !== null) cancelTimer = clock.after(Math.min(next - now, LONGEST_WAIT), pump);
  }

  function finished(key: string): void {
    sending.delete(key);
    pump();
  }

  async function deliver(row: Row): Promise<void> {
    const deadline = new AbortController();
    const cancelDeadline = clock.after(timeout, () => deadline.abort(new Error('sending took too long')));
    const signal = AbortSignal.any([stopping.signal, deadline.signal]);
    const { sent, record } = await attempt(row, signal).finally(cancelDeadline);
    // What the stop cut off did not fail.
    if (sent || !stopping.signal.aborted) await untilWritten(record);
  }

  /** Until it is written down (a full disk), it counts as being sent: it must not go out again and again. */
  async function untilWritten(write: () => void): Promise<void> {
    for (;;) {
      try {
        write();
        return;
      } catch (thrown) {
        logger.warn({ error: messageOf(thrown) }, 'what was sent cannot be marked');
        if (stopping.signal.aborted) return;
        await pause(FIRST_DELAY);
      }
    }
  }

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const cancel = clock.after(ms, resolve);
      stopping.signal.addEventListener('abort', () => [cancel(), resolve()], { once: true });
    });

  return {
    start() {
      started = true;
      pump();
    },
    kick: pump,
    async stop() {
      stopping.abort(new Error('shutting down'));
      cancelTimer();
      await Promise.all(sending.values());
    },
  };
}
