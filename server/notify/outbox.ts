/**
 * Sends the mail that transactions left in the table `outbox`. One that goes out twice has the same Message-ID both times.
 */
import { messageOf } from '../../pipelines/errors.ts';
import type { Clock, Mailer, MailMessage } from '../../pipelines/ports.ts';
import { createSender, retryDelay, type Sender } from '../sender.ts';
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

const LAST_DELAY = 30 * 60_000;
const GIVE_UP_AFTER = 3 * 24 * 3_600_000;
/** One mail, however the server trickles. */
const SEND_TIMEOUT = 120_000;

/** Due is also what lies further ahead than any delay: then the wall clock was set back. */
const OPEN = 'sent_at IS NULL AND created_at > @oldest';
const DUE = `SELECT id, run_id AS runId, kind, recipient, why, created_at AS createdAt, attempts FROM outbox
  WHERE ${OPEN} AND (next_at <= @now OR next_at > @now + ${LAST_DELAY}) ORDER BY next_at, id LIMIT @limit`;
const NEXT = `SELECT min(next_at) AS at FROM outbox WHERE ${OPEN} AND next_at > @now`;
const SENT = 'UPDATE outbox SET sent_at = ?, error = NULL WHERE id = ?';
const FAILED = 'UPDATE outbox SET attempts = attempts + 1, next_at = ?, error = ? WHERE id = ?';

export function createOutbox({ db, mailer, compose, clock, logger }: OutboxOptions): Sender {
  const windowAt = (now: number) => ({ now, oldest: now - GIVE_UP_AFTER });
  return createSender<OutboxRow>({
    due: (now, limit) => (mailer ? rows<OutboxRow>(db, DUE, { ...windowAt(now), limit }) : []),
    nextAt: (now) => (mailer && row<{ at: number | null }>(db, NEXT, windowAt(now))?.at) ?? null,
    keyOf: ({ id }) => String(id),
    async attempt(mail, signal) {
      const error = await send(mail, signal);
      return { sent: error === null, record: () => (error === null ? sent(mail) : failed(mail, error)) };
    },
    timeout: SEND_TIMEOUT,
    clock,
    logger,
  });

  /** null, or why it could not be sent. */
  async function send(mail: OutboxRow, signal: AbortSignal): Promise<string | null> {
    try {
      await mailer?.send(await compose(mail), signal);
      return null;
    } catch (thrown) {
      return messageOf(thrown);
    }
  }

  function sent(mail: OutboxRow): void {
    change(db, SENT, clock.now(), mail.id);
    logger.info({ mail: mail.id, run: mail.runId, kind: mail.kind }, 'mail sent');
  }

  function failed(mail: OutboxRow, error: string): void {
    const delay = retryDelay(mail.attempts + 1, LAST_DELAY);
    change(db, FAILED, clock.now() + delay, error, mail.id);
    logger.warn({ mail: mail.id, run: mail.runId, kind: mail.kind, error, retryIn: delay }, 'mail not sent');
  }
}
