/** Sends mail over SMTP. */
import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';
import nodemailer, { type NodemailerError, type SMTPTransportOptions } from 'nodemailer';
import { type Fault, invalid, RemoteError } from '../../pipelines/errors.ts';
import type { Mailer } from '../../pipelines/ports.ts';
import { parseAddress } from './address.ts';

/** Milliseconds: until connected, until greeted, and of silence. */
export interface SmtpTimeouts {
  connect: number;
  greeting: number;
  idle: number;
}

export interface SmtpOptions {
  /** A PEM file with an intranet's own CA, trusted beside the usual ones. */
  caFile: string | null;
  timeouts?: SmtpTimeouts;
}

/**
 * `url` is `smtp://[user:password@]host[:port]` (STARTTLS where the server offers it) or `smtps://…` (TLS from the start).
 * Throws `AppError('invalid')` for any other.
 */
export function createSmtpMailer(url: string, options: SmtpOptions): Mailer {
  const transport = nodemailer.createTransport(transportOptions(url, options));
  return {
    async send(message, signal) {
      const from = parseAddress(message.from);
      const to = parseAddress(message.to);
      try {
        await transport.sendMail({
          from: from.name ? { name: from.name, address: from.address } : from.address,
          to: to.address,
          envelope: { from: from.address, to: [to.address] },
          subject: message.subject,
          text: message.text,
          html: message.html,
          messageId: message.messageId,
          references: message.references,
          headers: message.headers,
          disableFileAccess: true,
          disableUrlAccess: true,
          signal,
        });
      } catch (thrown) {
        signal.throwIfAborted();
        throw smtpError(thrown);
      }
    },
    close: () => transport.close(),
  };
}

function transportOptions(text: string, options: SmtpOptions): SMTPTransportOptions {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['smtp:', 'smtps:'].includes(url.protocol) || !url.hostname) {
    throw invalid('expected smtp://[user:password@]host[:port] or smtps://…', 'SLIPWAY_SMTP_URL');
  }
  const timeouts = options.timeouts ?? { connect: 10_000, greeting: 10_000, idle: 30_000 };
  const secure = url.protocol === 'smtps:';
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (secure ? 465 : 25) : Number(url.port),
    secure,
    ...(url.username && {
      auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) },
    }),
    connectionTimeout: timeouts.connect,
    dnsTimeout: timeouts.connect,
    greetingTimeout: timeouts.greeting,
    socketTimeout: timeouts.idle,
    ...(options.caFile && { tls: { ca: [...rootCertificates, readFileSync(options.caFile, 'utf8')] } }),
  };
}

const faults: Record<string, Fault> = {
  EAUTH: 'auth',
  ENOAUTH: 'auth',
  EOAUTH2: 'auth',
  ETIMEDOUT: 'timeout',
  ECONNECTION: 'unreachable',
  ESOCKET: 'unreachable',
  EDNS: 'unreachable',
  ETLS: 'protocol',
  EPROTOCOL: 'protocol',
  EENVELOPE: 'refused',
  EMESSAGE: 'refused',
};

const sentences: Record<Fault, string> = {
  auth: 'the mail server did not accept the user name and password of SLIPWAY_SMTP_URL',
  timeout: 'the mail server did not answer in time',
  unreachable: 'the mail server cannot be reached',
  protocol: 'the mail server did not speak SMTP or TLS as expected',
  refused: 'the mail server refused the message',
  'not-found': 'the mail server does not know the recipient',
};

/** The server's own reply may quote addresses, never credentials; it is what an operator needs to see. */
function smtpError(thrown: unknown): unknown {
  const { code = '', response, originalCode, command } = thrown as NodemailerError;
  const fault = faults[code];
  if (!fault) return thrown;
  const detail = fault === 'auth' ? command : (response ?? originalCode);
  return new RemoteError('smtp', fault, detail ? `${sentences[fault]}: ${detail}` : sentences[fault], thrown);
}
