/** One HTTP GET with a deadline, a size limit and an intranet's own CA. Not `fetch`, which cannot be given a CA. */
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { rootCertificates } from 'node:tls';
import type { Fault } from '../../pipelines/errors.ts';
import { deadline } from './deadline.ts';
import { isCode } from './processes.ts';

export interface RegistryOptions {
  /** PEM file of CAs trusted besides the usual ones. */
  caFile?: string | null;
  /** For each request; 10 s unless given. */
  timeoutMs?: number;
  /** Before the first retry, doubled for each further one; 200 ms unless given. */
  backoffMs?: number;
}

export interface HttpOptions {
  signal: AbortSignal;
  timeoutMs: number;
  caFile: string | null;
}

export interface HttpReply {
  status: number;
  headers: Record<string, string | undefined>;
  body: Buffer;
}

/** The distribution specification lets a registry refuse manifests beyond 4 MiB. */
const MAX_BODY = 4 * 1024 * 1024;

export async function httpGet(url: string, headers: Record<string, string>, options: HttpOptions): Promise<HttpReply> {
  const secure = url.startsWith('https:');
  const ca =
    secure && options.caFile !== null ? [...rootCertificates, await readFile(options.caFile, 'utf8')] : undefined;
  const { signal, clear } = deadline(options.timeoutMs, options.signal);
  const reply = new Promise<HttpReply>((resolve, reject) => {
    const request = (secure ? https : http).get(url, { headers, signal, ...(ca ? { ca } : {}) }, (response) => {
      collect(response).then(resolve, reject);
    });
    request.on('error', reject);
  });
  return reply.finally(clear);
}

async function collect(response: http.IncomingMessage): Promise<HttpReply> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error(`the answer is longer than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, value?.toString()]),
  );
  return { status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks) };
}

/** What a failed request means, and whether to try it again. */
export function transportError(error: unknown): { fault: Fault; sentence: string; again: boolean } {
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? '') : '';
  if (
    (error instanceof Error && /^(AbortError|TimeoutError)$/.test(error.name)) ||
    isCode(error, 'ETIMEDOUT', 'ABORT_ERR')
  ) {
    return { fault: 'timeout', sentence: 'did not answer in time', again: false };
  }
  if (isCode(error, 'ECONNREFUSED')) return { fault: 'unreachable', sentence: 'accepts no connection', again: true };
  if (isCode(error, 'ECONNRESET', 'EPIPE', 'ECONNABORTED'))
    return { fault: 'unreachable', sentence: 'breaks the connection', again: true };
  if (isCode(error, 'ENOTFOUND', 'EAI_AGAIN'))
    return { fault: 'unreachable', sentence: 'has a host name that cannot be resolved', again: false };
  if (isCode(error, 'EHOSTUNREACH', 'ENETUNREACH'))
    return { fault: 'unreachable', sentence: 'cannot be reached', again: true };
  if (isCode(error, 'EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER')) {
    return { fault: 'protocol', sentence: 'does not speak HTTPS: set "insecure" if plain HTTP is meant', again: false };
  }
  if (/CERT|SELF_SIGNED|ISSUER|ERR_TLS/.test(code)) {
    return {
      fault: 'protocol',
      sentence: "has a certificate that is not trusted: an intranet's own CA is set with SLIPWAY_CA_FILE",
      again: false,
    };
  }
  return { fault: 'protocol', sentence: `cannot be talked to${code === '' ? '' : ` (${code})`}`, again: false };
}
