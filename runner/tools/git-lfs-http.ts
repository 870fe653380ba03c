/** How an LFS server is talked to: who gets the credentials, how far redirections go, and how long a silence may last. */
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { rootCertificates } from 'node:tls';
import { type Fault, RemoteError } from '../../pipelines/errors.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { secretsOf } from './git-command.ts';
import { userOf } from './git-environment.ts';
import { redact } from './git-errors.ts';
import { transportError } from './registry-http.ts';
import type { ScmOptions } from './scm-options.ts';

export interface LfsHttp {
  access: SourceAccess;
  options: ScmOptions;
  signal: AbortSignal;
}

interface Request {
  url: URL;
  headers: Record<string, string>;
  /** Whether it needs no credentials of ours. */
  authenticated: boolean;
  body?: string;
}

const MAX_ANSWER = 4 * 1024 * 1024;
const MAX_REDIRECTS = 3;
const JSON_TYPE = 'application/vnd.git-lfs+json';

/** Posts a question; answers what the JSON says. */
export async function ask(http: LfsHttp, url: string, question: unknown): Promise<unknown> {
  const headers = { accept: JSON_TYPE, 'content-type': JSON_TYPE };
  const request = { url: new URL(url), headers, authenticated: false, body: JSON.stringify(question) };
  return exchange(http, request, async (reply, chunks) => {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > MAX_ANSWER) throw lfsError(http, 'protocol', `sent an answer of more than ${MAX_ANSWER} bytes`);
      parts.push(chunk);
    }
    const text = Buffer.concat(parts).toString('utf8');
    if (reply.statusCode !== 200) throw refusal(http, reply.statusCode ?? 0, text);
    return parse(text) ?? Promise.reject(lfsError(http, 'protocol', 'sent an answer that is not JSON'));
  });
}

/**
 * One request; `read` gets the reply, and its body in chunks. A download may be redirected, a question with credentials and
 * content may not. Throws `RemoteError` where no reply comes.
 */
export async function exchange<T>(
  lfs: LfsHttp,
  request: Request,
  read: (reply: http.IncomingMessage, chunks: AsyncIterable<Buffer>) => Promise<T>,
): Promise<T> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), lfs.options.timeoutMs);
  const signal = AbortSignal.any([lfs.signal, silence.signal]);
  try {
    const reply = await follow(lfs, request, signal);
    return await read(reply, heard(reply, timer)).finally(() => reply.destroy());
  } catch (error) {
    lfs.signal.throwIfAborted();
    if (error instanceof RemoteError) throw error;
    if (silence.signal.aborted) throw lfsError(lfs, 'timeout', 'did not answer in time', error);
    if (!isOfNetwork(error)) throw error;
    const { fault, sentence } = transportError(error);
    throw lfsError(lfs, fault, sentence, error);
  } finally {
    clearTimeout(timer);
  }
}

async function follow(lfs: LfsHttp, request: Request, signal: AbortSignal): Promise<http.IncomingMessage> {
  const start = request.url.origin;
  let url = request.url;
  for (let turn = 0; ; turn++) {
    // What is sent to another host than the server has named could be read there.
    const reply = await send(lfs, { ...request, url, headers: url.origin === start ? request.headers : {} }, signal);
    const { location } = reply.headers;
    if (request.body !== undefined || location === undefined || !/^30[12378]$/.test(String(reply.statusCode)))
      return reply;
    reply.destroy();
    if (turn === MAX_REDIRECTS || !URL.canParse(location, url.href))
      throw lfsError(lfs, 'protocol', 'redirects too often or nowhere');
    url = new URL(location, url);
  }
}

async function send(lfs: LfsHttp, request: Request, signal: AbortSignal): Promise<http.IncomingMessage> {
  const { url, body } = request;
  const { access, options } = lfs;
  const source = new URL(access.source.url);
  // Never less private than the repository itself.
  if (url.protocol !== 'https:' && url.protocol !== source.protocol)
    throw lfsError(lfs, 'protocol', `names an address without TLS (${url.protocol}//${url.host})`);
  const headers: http.OutgoingHttpHeaders = { 'user-agent': 'slipway', ...request.headers };
  const given = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
  if (url.origin === source.origin && !given && !request.authenticated) Object.assign(headers, authorization(access));
  if (body !== undefined) headers['content-length'] = Buffer.byteLength(body);
  const secure = url.protocol === 'https:';
  const ca = secure && options.caFile !== null ? [...rootCertificates, await readFile(options.caFile, 'utf8')] : null;
  return new Promise((resolve, reject) => {
    const settings = { method: body === undefined ? 'GET' : 'POST', headers, signal, ...(ca ? { ca } : {}) };
    (secure ? https : http).request(url, settings, resolve).on('error', reject).end(body);
  });
}

function authorization({ credentials }: SourceAccess): Record<string, string> {
  if (credentials === null || 'sshKey' in credentials) return {};
  const { username, password } = userOf(credentials);
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}` };
}

async function* heard(reply: http.IncomingMessage, timer: NodeJS.Timeout): AsyncIterable<Buffer> {
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    timer.refresh();
    yield chunk;
  }
}

/** The error of a reply other than 200. */
export function refusal(lfs: LfsHttp, status: number, text: string): RemoteError {
  const { message } = (parse(text) ?? {}) as { message?: unknown };
  const said =
    typeof message === 'string'
      ? ` (it says: ${redact(message, secretsOf(lfs.access.credentials)).slice(0, 200)})`
      : '';
  if (status === 401 || status === 403) return lfsError(lfs, 'auth', `does not accept the credentials${said}`);
  if (status === 404 || status === 410) return lfsError(lfs, 'not-found', `keeps no LFS files for it${said}`);
  if (status >= 300 && status < 400) return lfsError(lfs, 'protocol', 'redirects to another address; use that URL');
  return lfsError(lfs, 'refused', `answered ${status}${said}`);
}

export const lfsError = ({ access }: LfsHttp, fault: Fault, sentence: string, cause?: unknown): RemoteError =>
  new RemoteError('repository', fault, `the LFS server of ${access.source.url} ${sentence}`, cause);

/** Null for what is not JSON. */
function parse(text: string): object | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

/** Not of the disk, whose faults are the machine's. */
const isOfNetwork = (error: unknown): boolean =>
  error instanceof Error &&
  !('syscall' in error && /^(open|write|fsync|close|rename|mkdir)$/.test(String(error.syscall)));
