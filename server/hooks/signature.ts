/**
 * Who sent a hook. Every check computes what is expected, whatever was given, and compares digests of equal length in
 * constant time: how long a refusal takes tells nothing of the secret. A refusal never says what was wrong.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AppError } from '../../pipelines/errors.ts';

/** Age, or lead, that a signed time may have. */
const TOLERANCE = 5 * 60_000;
const DIGEST_BYTES = 32;

type Data = string | Buffer;

const refusal = (): AppError =>
  new AppError(
    'unauthenticated',
    'the signature of this hook is missing or wrong: is its secret that of the pipeline?',
  );

const hmac = (key: Data, ...data: Data[]): Buffer =>
  data.reduce((mac, part) => mac.update(part), createHmac('sha256', key)).digest();
const sha256 = (data: Data): Buffer => createHash('sha256').update(data).digest();

/** Of a header that was sent once; Node joins repeated ones with a comma, or gives an array. */
export function header(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** `given` is null where it is not even of the right form; it is compared all the same. */
function same(expected: Buffer, given: Buffer | null): boolean {
  const equal = timingSafeEqual(expected, given ?? Buffer.alloc(DIGEST_BYTES));
  return equal && given !== null;
}

/** No secret means that nobody can sign. */
function demand(secret: string, right: boolean): void {
  if (!right || secret === '') throw refusal();
}

/** `prefix` and the HMAC-SHA256 of the body in hex. The SHA-1 that some still send beside it counts for nothing. */
export function demandHexSignature(given: string | undefined, prefix: string, secret: string, body: Buffer): void {
  const [, digits] = new RegExp(`^${prefix}([0-9a-f]{64})$`, 'i').exec(given ?? '') ?? [];
  demand(secret, same(hmac(secret, body), digits === undefined ? null : Buffer.from(digits, 'hex')));
}

/** The secret itself, sent along. Its digest is compared, so that not even its length shows. */
export function demandToken(given: string | undefined, secret: string): void {
  demand(secret, same(sha256(secret), given === undefined ? null : sha256(given)));
}

const KEY_PREFIX = 'whsec_';

/** Whether this secret is a key for `demandStandardSignature`. */
export const isSigningKey = (secret: string): boolean =>
  secret.startsWith(KEY_PREFIX) && /^[A-Za-z0-9+/]{16,}={0,2}$/.test(secret.slice(KEY_PREFIX.length));

/**
 * Standard Webhooks: `webhook-signature` lists `v1,<base64 of HMAC-SHA256>`, of which one must be right (there are several
 * while a key is changed), over `<webhook-id>.<webhook-timestamp>.<body>`; the key is the base64 after `whsec_`.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function demandStandardSignature(headers: IncomingHttpHeaders, secret: string, body: Buffer, now: number): void {
  const id = header(headers, 'webhook-id') ?? '';
  const timestamp = header(headers, 'webhook-timestamp') ?? '';
  const key = Buffer.from(secret.slice(KEY_PREFIX.length), 'base64');
  const expected = hmac(key, `${id}.${timestamp}.`, body);
  const given = (header(headers, 'webhook-signature') ?? '').split(' ').slice(0, 10);
  const right = given.map((entry) => {
    const [, text] = /^v1,([A-Za-z0-9+/]{43}=)$/.exec(entry) ?? [];
    return same(expected, text === undefined ? null : Buffer.from(text, 'base64'));
  });
  const fresh = /^\d{1,12}$/.test(timestamp) && Math.abs(now - Number(timestamp) * 1000) <= TOLERANCE;
  demand(key.length === 0 ? '' : secret, right.includes(true) && id !== '' && fresh);
}

/** Names a body by its content, where the sender gives no id. */
export const fingerprint = (body: Buffer): string => sha256(body).toString('hex').slice(0, 40);
