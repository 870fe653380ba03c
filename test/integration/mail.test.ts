import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Mailer, MailMessage } from '../../pipelines/ports.ts';
import { createSmtpMailer, type SmtpTimeouts } from '../../server/notify/mailer.ts';
import { messageIdOf } from '../../server/notify/message-id.ts';
import { createOutbox, type OutboxRow } from '../../server/notify/outbox.ts';
import { composeMail } from '../../server/notify/report.ts';
import type { Sender } from '../../server/sender.ts';
import { change, type Db, openDb, rows } from '../../server/store/db.ts';
import { FakeClock } from '../fakes/clock.ts';
import { failed } from '../fixtures/mail-inputs.ts';
import { startSilentServer, startSmtpServer, type TestSmtpServer } from '../fixtures/smtp-server.ts';

const never = new AbortController().signal;
/** For servers that hang; others have the time of a real one. */
const quick = { connect: 500, greeting: 300, idle: 300 };

const message = (changes: Partial<MailMessage> = {}): MailMessage => {
  const { subject, text, html, headers } = composeMail(failed);
  return {
    from: 'Slipway <ci@example.com>',
    to: 'ana@example.com',
    subject,
    text,
    html,
    headers,
    messageId: '<7.failed.0123456789abcdef@ci.example.com>',
    references: ['<thread.0123456789abcdef@ci.example.com>'],
    ...changes,
  };
};

describe('the mailer', () => {
  let smtp: TestSmtpServer;
  beforeEach(async () => {
    smtp = await startSmtpServer();
  });
  afterEach(() => smtp.stop());

  const send = (url: string, mail: MailMessage, timeouts?: SmtpTimeouts): Promise<void> =>
    createSmtpMailer(url, { caFile: null, ...(timeouts ? { timeouts } : {}) }).send(mail, never);

  it('delivers both bodies, the subject and the headers', async () => {
    await send(smtp.url, message());
    const [mail] = await smtp.received(1);
    expect(mail?.subject).toBe('✗ FAILED shop-api main #128 – unit, 3 tests');
    expect(mail?.from?.text).toBe('"Slipway" <ci@example.com>');
    expect(mail?.envelope).toEqual({ from: 'ci@example.com', to: ['ana@example.com'] });
    expect(mail?.text).toContain('CartTest › total (new)');
    expect(mail?.html).toContain('CartTest › total');
    expect(mail?.messageId).toBe('<7.failed.0123456789abcdef@ci.example.com>');
    expect(mail?.references).toBe('<thread.0123456789abcdef@ci.example.com>');
    expect(mail?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail?.headers.get('x-slipway-result')).toBe('failed');
    expect(mail?.raw).toMatch(/^List-Id: <shop\.slipway\.ci\.example\.com>/im);
    expect(mail?.raw).toMatch(/^List-Unsubscribe: <https:\/\/ci\.example\.com\/settings\/mail>/m);
  });

  it('lets nobody add a header or a recipient', async () => {
    await expect(send(smtp.url, message({ to: 'a@b\r\nBcc: evil@x' }))).rejects.toMatchObject({ code: 'invalid' });
    await expect(send(smtp.url, message({ to: 'a@b, evil@x' }))).rejects.toMatchObject({ code: 'invalid' });
    await send(
      smtp.url,
      message({ subject: 'x\r\nBcc: evil@x', headers: { 'X-Slipway-Project': 'y\r\nBcc: evil@x' } }),
    );
    const [mail] = await smtp.received(1);
    expect(mail?.envelope.to).toEqual(['ana@example.com']);
    expect(mail?.bcc).toBeUndefined();
    expect(mail?.raw).not.toMatch(/^Bcc:/im);
  });

  it('says that the server refused', async () => {
    smtp.refuse(1, 550);
    await expect(send(smtp.url, message())).rejects.toMatchObject({ party: 'smtp', fault: 'refused' });
  });

  it('says that the server is away', async () => {
    await smtp.stop();
    await expect(send(smtp.url, message())).rejects.toMatchObject({
      fault: 'unreachable',
      message: /cannot be reached/,
    });
    await smtp.restart();
  });

  it.each(['', '220 hello\r\n'])('gives up on a server that hangs after saying %j', async (greeting) => {
    const silent = await startSilentServer(greeting);
    await expect(send(silent.url, message(), quick)).rejects.toMatchObject({ fault: 'timeout' });
    await silent.stop();
  });

  it('stops at once when told to', async () => {
    const silent = await startSilentServer();
    const stop = new AbortController();
    const sending = createSmtpMailer(silent.url, { caFile: null }).send(message(), stop.signal);
    stop.abort(new Error('shutting down'));
    await expect(sending).rejects.toThrow('shutting down');
    await silent.stop();
  });

  it('logs in, and says when it may not; the password is in no error', async () => {
    const guarded = await startSmtpServer({ user: { name: 'ci', password: 'p@ss/word' } });
    await send(guarded.url, message());
    const wrong = await send(guarded.url.replace('p%40ss', 'wrong-secret'), message()).catch((error) => error);
    expect(wrong).toMatchObject({ party: 'smtp', fault: 'auth' });
    expect(wrong.message).not.toContain('wrong-secret');
    await guarded.stop();
  });

  it.each(['mail.example.com', 'http://mail.example.com', 'smtp://'])('refuses the setting %s', (url) => {
    expect(() => createSmtpMailer(url, { caFile: null })).toThrow(/expected smtp:\/\//);
  });
});

describe('the outbox', () => {
  let folder: string;
  let db: Db;
  let smtp: TestSmtpServer;
  let clock: FakeClock;
  let outbox: Sender;
  let warned: () => void;

  beforeEach(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'slipway-outbox-'));
    db = openDb(path.join(folder, 'slipway.db'));
    smtp = await startSmtpServer();
    clock = new FakeClock();
    outbox = openOutbox();
    defineRun(7);
  });
  afterEach(async () => {
    await outbox.stop();
    await smtp.stop();
    db.close();
    rmSync(folder, { recursive: true });
  });

  function openOutbox(mailer: Mailer = createSmtpMailer(smtp.url, { caFile: null })): Sender {
    const logger = { info: () => {}, warn: () => warned?.() };
    const compose = (row: OutboxRow): MailMessage =>
      message({ to: row.recipient, messageId: messageIdOf(row, 'https://ci.example.com') });
    return createOutbox({ db, mailer, compose, clock, logger });
  }

  function defineRun(id: number): void {
    change(db, "INSERT INTO projects (id, slug, name, created_at) VALUES (1, 'shop', 'Shop', 0)");
    change(
      db,
      `INSERT INTO runs (id, kind, project_id, number, status, pool, queued_at, state_json, plan_json)
       VALUES (?, 'build', 1, 1, 'finished', 'default', 0, '{}', '{}')`,
      id,
    );
  }

  function post(...recipients: string[]): void {
    for (const recipient of recipients) {
      change(
        db,
        "INSERT INTO outbox (run_id, kind, recipient, why, created_at, next_at) VALUES (7, 'failed', ?, 'you committed', ?, ?)",
        recipient,
        clock.now(),
        clock.now(),
      );
    }
  }

  const state = () =>
    rows<{ attempts: number; sent: number; error: string | null }>(
      db,
      'SELECT attempts, sent_at IS NOT NULL AS sent, error FROM outbox ORDER BY id',
    );
  /** Resolves when a mail could not be sent. */
  const nextFailure = (): Promise<void> => new Promise((resolve) => (warned = resolve));
  /** What was sent is marked once stopping has waited for it. */
  const settle = (): Promise<void> => outbox.stop();

  it('sends what is due to each recipient once', async () => {
    const people = Array.from({ length: 12 }, (_, i) => `dev-${i}@example.com`);
    post(...people);
    outbox.start();
    outbox.kick();
    const mails = await smtp.received(12);
    outbox.kick();
    await expect.poll(() => state().every(({ sent }) => sent === 1)).toBe(true);
    expect(mails.flatMap(({ envelope }) => envelope.to).sort()).toEqual([...people].sort());
    expect(new Set(mails.map(({ messageId }) => messageId)).size).toBe(12);
  });

  it('sends nothing before it is started', () => {
    post('ana@example.com');
    outbox.kick();
    expect(state()).toMatchObject([{ attempts: 0, sent: 0 }]);
  });

  it('tries again after a refusal, later each time', async () => {
    smtp.refuse(2);
    post('ana@example.com');
    const first = nextFailure();
    outbox.start();
    await first;
    const second = nextFailure();
    clock.advance(10_000);
    await second;
    expect(state()).toMatchObject([{ attempts: 2, sent: 0, error: /refused/ }]);
    clock.advance(19_999);
    expect(smtp.mails).toHaveLength(0);
    clock.advance(1);
    await smtp.received(1);
    await expect.poll(() => state()).toMatchObject([{ attempts: 2, sent: 1, error: null }]);
  });

  it('delivers once the server is back', async () => {
    await smtp.stop();
    post('ana@example.com');
    const away = nextFailure();
    outbox.start();
    await away;
    await smtp.restart();
    clock.advance(10_000);
    await smtp.received(1);
  });

  it('one mail that cannot be sent holds up no other', async () => {
    post('not an address', 'ana@example.com');
    outbox.start();
    const [mail] = await smtp.received(1);
    expect(mail?.envelope.to).toEqual(['ana@example.com']);
  });

  it('gives up after three days', async () => {
    await smtp.stop();
    post('ana@example.com');
    let failure = nextFailure();
    outbox.start();
    await failure;
    const halfHour = 30 * 60_000;
    while (clock.now() + halfHour < Date.parse('2026-01-04T00:00:00Z')) {
      failure = nextFailure();
      clock.advance(halfHour);
      await failure;
    }
    clock.advance(2 * halfHour);
    await smtp.restart();
    const before = state()[0]?.attempts ?? 0;
    outbox.kick();
    clock.advance(24 * 3_600_000);
    await settle();
    expect(state()).toMatchObject([{ sent: 0, attempts: before }]);
    expect(smtp.mails).toHaveLength(0);
  });

  it('goes on when the wall clock was set back by a day', async () => {
    smtp.refuse(1);
    post('ana@example.com');
    const failure = nextFailure();
    outbox.start();
    await failure;
    clock.jump(-24 * 3_600_000);
    clock.advance(30 * 60_000);
    await smtp.received(1);
  });

  it('killed between sending and marking, it doubles that one under the same id', async () => {
    post('ana@example.com', 'bo@example.com');
    outbox.start();
    await smtp.received(2);
    await expect.poll(() => state().every(({ sent }) => sent === 1)).toBe(true);
    await outbox.stop();
    change(db, "UPDATE outbox SET sent_at = NULL WHERE recipient = 'ana@example.com'");
    outbox = openOutbox();
    outbox.start();
    const mails = await smtp.received(3);
    const ids = mails.map(({ envelope, messageId }) => `${envelope.to} ${messageId}`);
    expect(new Set(ids).size).toBe(2);
  });

  it('stopping ends a send that hangs, and leaves the mail for the next start', async () => {
    const silent = await startSilentServer();
    outbox = openOutbox(createSmtpMailer(silent.url, { caFile: null }));
    post('ana@example.com');
    outbox.start();
    await outbox.stop();
    expect(state()).toMatchObject([{ attempts: 0, sent: 0 }]);
    await silent.stop();
  });
});
