/**
 * Sends the mail that transactions left in the table `outbox`. A mail is marked after it was sent, so a crash in between
 * sends that one again, under the same Message-ID. Runs never wait for any of this.
 */
import { messageOf } from '../../pipelines/errors.ts';
import type { Clock, Mailer, MailMessage } from '../../pipelines/ports.ts';
import { change, type Db, row, rows } from '../store/db.ts';

export interface OutboxRow {
  id: number;
  runId: number;
  kind: string;
  recipient: string;
  /** Why this recipient gets it: a sentence. */
  why: string;
  createdAt: number;
  /** Failed sends so far. */
  attempts: number;
}

export interface OutboxOptions {
  db: Db;
  /** null where no mail server is set: nothing is sent, and nothing is lost until it is too old. */
  mailer: Mailer | null;
  compose(row: OutboxRow): MailMessage | Promise<MailMessage>;
  clock: Clock;
  logger: { info(fields: object, message: string): void; warn(fields: object, message: string): void };
}

export interface Outbox {
  start(): void;
  /** Looks for due mail now: call it after a transaction that added some. */
  kick(): void;
  /** Ends what is being sent, and resolves when nothing goes on. What was not marked is sent again at the next start. */
  stop(): Promise<void>;
}

const PARALLEL = 4;
const FIRST_DELAY = 10_000;
const LAST_DELAY = 30 * 60_000;
const GIVE_UP_AFTER = 3 * 24 * 3_600_000;
/** One mail, however the server trickles. */
const SEND_TIMEOUT = 120_000;

export const retryDelay = (attempts: number): number => Math.min(FIRST_DELAY * 2 ** (attempts - 1), LAST_DELAY);

/** Due is also what lies further ahead than any delay: then the wall clock was set back. */
const OPEN = 'sent_at IS NULL AND created_at > @oldest';
const DUE = `SELECT id, run_id AS runId, kind, recipient, why, created_at AS createdAt, attempts FROM outbox
  WHERE ${OPEN} AND (next_at <= @now OR next_at > @now + ${LAST_DELAY}) ORDER BY next_at, id LIMIT ${2 * PARALLEL}`;
const NEXT = `SELECT min(next_at) AS at FROM outbox WHERE ${OPEN} AND next_at > @now`;

export function createOutbox({ db, mailer, compose, clock, logger }: OutboxOptions): Outbox {
  const sending = new Map<number, Promise<void>>();
  const stopping = new AbortController();
  let started = false;
  let cancelTimer = (): void => {};

  function pump(): void {
    if (!started || stopping.signal.aborted || !mailer) return;
    cancelTimer();
    const window = { now: clock.now(), oldest: clock.now() - GIVE_UP_AFTER };
    for (const mail of rows<OutboxRow>(db, DUE, window)) {
      if (sending.size >= PARALLEL) return;
      if (!sending.has(mail.id))
        sending.set(
          mail.id,
          send(mail, mailer).finally(() => finished(mail.id)),
        );
    }
    const next = row<{ at: number | null }>(db, NEXT, window)?.at ?? null;
    if (next !== null) cancelTimer = clock.after(Math.min(next - window.now, LAST_DELAY), pump);
  }

  function finished(id: number): void {
    sending.delete(id);
    pump();
  }

  async function send(mail: OutboxRow, through: Mailer): Promise<void> {
    const deadline = new AbortController();
    const cancelDeadline = clock.after(SEND_TIMEOUT, () => deadline.abort(new Error('sending took too long')));
    try {
      const message = await compose(mail);
      await through.send(message, AbortSignal.any([stopping.signal, deadline.signal]));
    } catch (thrown) {
      if (!stopping.signal.aborted) await postpone(mail, messageOf(thrown));
      return;
    } finally {
      cancelDeadline();
    }
    await record('UPDATE outbox SET sent_at = ?, error = NULL WHERE id = ?', clock.now(), mail.id);
    logger.info({ mail: mail.id, run: mail.runId, kind: mail.kind }, 'mail sent');
  }

  async function postpone(mail: OutboxRow, error: string): Promise<void> {
    const delay = retryDelay(mail.attempts + 1);
    logger.warn({ mail: mail.id, run: mail.runId, kind: mail.kind, error, retryIn: delay }, 'mail not sent');
    const next = clock.now() + delay;
    await record(
      'UPDATE outbox SET attempts = attempts + 1, next_at = ?, error = ? WHERE id = ?',
      next,
      error,
      mail.id,
    );
  }

  /** Until it is written down (a full disk), the mail counts as being sent: it must not go out again and again. */
  async function record(update: string, ...values: (string | number)[]): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        change(db, update, ...values);
        return;
      } catch (thrown) {
        logger.warn({ error: messageOf(thrown) }, 'the outbox cannot be written');
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
