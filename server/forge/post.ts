/** One request to a forge, with an intranet's own CA. Not `fetch`, which cannot be given a CA and follows redirects. */
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { rootCertificates } from 'node:tls';
import type { ForgeReply } from './answer.ts';
import type { ForgeRequest } from './target.ts';

export interface PostOptions {
  signal: AbortSignal;
  /** PEM file of CAs trusted besides the usual ones. */
  caFile: string | null;
}

/** More of an answer is not read. */
const MAX_BODY = 64 * 1024;

/** Redirects are answers like any other: a token goes to the address it was given for, and nowhere else. */
export async function post({ method, url, headers, body }: ForgeRequest, options: PostOptions): Promise<ForgeReply> {
  const { signal, caFile } = options;
  const secure = url.startsWith('https:');
  const ca = secure && caFile !== null ? [...rootCertificates, await readFile(caFile, 'utf8')] : undefined;
  return new Promise((resolve, reject) => {
    const request = (secure ? https : http).request(
      url,
      { method, headers, signal, agent: false, ...(ca ? { ca } : {}) },
      (response) => read(response).then(resolve, reject),
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function read(response: http.IncomingMessage): Promise<ForgeReply> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_BODY) break;
  }
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, value?.toString()]),
  );
  const body = Buffer.concat(chunks).subarray(0, MAX_BODY).toString('utf8');
  return { status: response.statusCode ?? 0, headers, body };
}
