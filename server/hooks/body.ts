/** The body of a hook: read as bytes, since they are what is signed, and parsed only once the signature is right. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createGunzip } from 'node:zlib';
import { AppError, invalid } from '../../pipelines/errors.ts';
import { MediaTypeError } from '../problem.ts';

/** GitHub sends nothing larger: https://docs.github.com/webhooks/webhook-events-and-payloads#payload-cap */
export const BODY_LIMIT = 25 * 1024 * 1024;
export const BODY_TIME = 30_000;
/** What a refused sender may still send, unread, so that it sees our answer instead of a broken connection. */
const FAREWELL = 2_000;
const MAX_DEPTH = 100;

/** The request ended badly. The status is mapped like that of the errors of Express. */
export class BodyError extends Error {
  readonly status: 400 | 408;

  constructor(status: 400 | 408, message: string) {
    super(message);
    this.name = 'BodyError';
    this.status = status;
  }
}

/**
 * The bytes of the body, inflated where it came as gzip. Rejects with `too_large` (413) as soon as `limit` bytes are exceeded,
 * sent or inflated; with 415 for another encoding; with 408 where it takes longer than `time` ms in all; with 400 where the
 * sender hangs up. The rest of a refused body is thrown away for two seconds, then the connection is closed.
 */
export async function readBody(request: IncomingMessage, limit = BODY_LIMIT, time = BODY_TIME): Promise<Buffer> {
  try {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
    if (encoding !== 'identity' && encoding !== 'gzip') {
      throw new MediaTypeError('the Content-Encoding must be gzip, or be left out');
    }
    if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
    return await collect(request, encoding === 'gzip', limit, time);
  } catch (error) {
    dismiss(request);
    throw error;
  }
}

const tooLarge = (limit: number): AppError =>
  new AppError('too_large', `the body is larger than ${limit} bytes`, { extra: { limit } });

/** Not a pipeline of streams: that destroys the request when it fails, and the sender would never see why. */
function collect(request: IncomingMessage, gzip: boolean, limit: number, time: number): Promise<Buffer> {
  const inflate = gzip ? createGunzip() : null;
  const chunks: Buffer[] = [];
  let received = 0;
  let size = 0;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => settle(new BodyError(408, `the body took longer than ${time} ms`)), time);
    const onChunk = (chunk: Buffer) => {
      received += chunk.length;
      if (received > limit) return settle(tooLarge(limit));
      if (!inflate) return keep(chunk);
      if (!inflate.write(chunk)) request.pause();
    };
    const onEnd = () => (inflate ? inflate.end() : settle());
    // After the end this comes too, while the rest is still being inflated.
    const onClose = () => request.readableEnded || settle(new BodyError(400, 'the sender hung up'));
    const keep = (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) return settle(tooLarge(limit));
      chunks.push(chunk);
    };
    function settle(error?: Error): void {
      clearTimeout(timer);
      request.off('data', onChunk).off('end', onEnd).off('close', onClose);
      // Destroyed in the midst of a bomb, it inflates no more than the piece at hand.
      inflate?.off('data', keep).destroy();
      if (error) reject(error);
      else resolve(Buffer.concat(chunks, size));
    }
    request.on('data', onChunk).on('end', onEnd).on('close', onClose);
    // Stays: an error may follow after we are done, and 'close' tells us all we need.
    request.on('error', () => {});
    inflate?.on('data', keep).on('drain', () => request.resume());
    inflate?.on('end', () => settle()).on('error', () => settle(invalid('the body is not gzip')));
  });
}

function dismiss(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  request.on('error', () => {}).resume();
  const timer = setTimeout(() => request.destroy(), FAREWELL);
  request.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer));
}

// ---- parsing -----------------------------------------------------------------------------------------------------------

export const JSON_TYPE = 'application/json';
export const FORM_TYPE = 'application/x-www-form-urlencoded';

export const isForm = (headers: IncomingHttpHeaders): boolean => mediaType(headers) === FORM_TYPE;

const mediaType = (headers: IncomingHttpHeaders): string =>
  (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';

/** The JSON inside `payload=…`, the one field of the form that GitHub and Gitea send. */
export function formPayload(raw: Buffer): Buffer {
  const text = raw.toString('latin1');
  if (!text.startsWith('payload=') || text.includes('&')) throw invalid('expected a form with the one field payload');
  try {
    return Buffer.from(decodeURIComponent(text.slice('payload='.length).replaceAll('+', ' ')));
  } catch {
    throw invalid('the form is not encoded as the web does it', 'payload');
  }
}

/** The JSON of a body of one of these media types. */
export function parseBody(headers: IncomingHttpHeaders, raw: Buffer, types: readonly string[]): unknown {
  if (!types.includes(mediaType(headers))) throw new MediaTypeError(`the Content-Type must be ${types.join(' or ')}`);
  return parseJson(isForm(headers) ? formPayload(raw) : raw);
}

export function parseJson(bytes: Buffer): unknown {
  if (isDeeperThan(bytes, MAX_DEPTH)) throw invalid(`the body is nested deeper than ${MAX_DEPTH} levels`);
  let value: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    // Looking at each key takes long, and only a text with these signs can have the key.
    value = /__proto__|\\u00[567]/i.test(text) ? JSON.parse(text, refuseProto) : JSON.parse(text);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw invalid('the body is not JSON in UTF-8');
  }
  return value;
}

/** Parsed, it is a key like any other; but what is copied from there later could change what all objects inherit. */
function refuseProto(key: string, value: unknown): unknown {
  if (key === '__proto__') throw invalid('the key __proto__ is not allowed', key);
  return value;
}

/** Looks at brackets outside of texts, without parsing: a parser may need a stack as deep as the body. */
export function isDeeperThan(json: Buffer, limit: number): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at];
    if (inText) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > limit) return true;
    } else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return false;
}
