/** The batch API of Git LFS with its basic transfer: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { invalid } from '../../pipelines/errors.ts';
import { ask, exchange, type LfsHttp, lfsError, refusal } from './git-lfs-http.ts';
import { transportOf } from './git-url.ts';

export interface LfsObject {
  /** sha256 of the content, in hexadecimal. */
  oid: string;
  size: number;
  /** A file that it is of, for messages. */
  path: string;
}

/** From where to fetch an object. */
export interface Download extends LfsObject {
  url: URL;
  headers: Record<string, string>;
  /** Whether the server has seen to it that no credentials are needed there. */
  authenticated: boolean;
}

interface Answer {
  transfer?: unknown;
  hash_algo?: unknown;
  objects?: unknown;
}
interface ObjectAnswer {
  oid?: unknown;
  authenticated?: unknown;
  error?: { code?: unknown } | null;
  actions?: { download?: { href?: unknown; header?: unknown } | null } | null;
}

/** By the URL alone, as git-lfs does where nothing is configured: a `.lfsconfig` could send the credentials anywhere. */
export function endpointOf(url: string): string {
  const transport = transportOf(url);
  if (transport !== 'https' && transport !== 'http')
    throw invalid(
      `files in LFS can be fetched from https:// and http:// repositories, not over ${transport}: use the repository's https URL`,
      'source.lfs',
    );
  const base = url.replace(/\/+$/, '');
  return `${base}${base.endsWith('.git') ? '' : '.git'}/info/lfs`;
}

/** Where these objects are. Throws `RemoteError`, also where one of them is not to be had. */
export async function askDownloads(
  http: LfsHttp,
  endpoint: string,
  objects: readonly LfsObject[],
): Promise<Download[]> {
  const question = {
    operation: 'download',
    transfers: ['basic'],
    objects: objects.map(({ oid, size }) => ({ oid, size })),
    hash_algo: 'sha256',
  };
  const answer = (await ask(http, `${endpoint}/objects/batch`, question)) as Answer | null;
  if (!Array.isArray(answer?.objects)) throw lfsError(http, 'protocol', 'sent an answer without objects');
  if ((answer.transfer ?? 'basic') !== 'basic' || (answer.hash_algo ?? 'sha256') !== 'sha256')
    throw lfsError(http, 'protocol', 'offers a transfer other than "basic" with sha256');
  const byId = new Map((answer.objects as (ObjectAnswer | null)[]).map((each) => [each?.oid, each]));
  return objects.map((object) => downloadOf(http, object, byId.get(object.oid) ?? null));
}

function downloadOf(http: LfsHttp, object: LfsObject, answer: ObjectAnswer | null): Download {
  const shown = `the file ${JSON.stringify(object.path)} (${object.oid})`;
  const code = answer?.error?.code;
  if (code === 404 || code === 410) throw lfsError(http, 'not-found', `does not have ${shown}`);
  if (code !== undefined) throw lfsError(http, 'refused', `refuses ${shown} with code ${String(code).slice(0, 20)}`);
  const { href, header } = answer?.actions?.download ?? {};
  if (typeof href !== 'string' || !URL.canParse(href))
    throw lfsError(http, 'protocol', `does not say from where to fetch ${shown}`);
  return { ...object, url: new URL(href), headers: headersOf(header), authenticated: answer?.authenticated === true };
}

/** Those that the server wants to see again, but for what is the connection's own affair. */
function headersOf(header: unknown): Record<string, string> {
  if (typeof header !== 'object' || header === null) return {};
  const entries = Object.entries(header).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === 'string' &&
      /^[\w!#$%&'*+.^`|~-]+$/.test(entry[0]) &&
      !/^(host|connection|content-length|transfer-encoding|upgrade|te|trailer|expect|accept-encoding)$/i.test(entry[0]),
  );
  return Object.fromEntries(entries.slice(0, 50));
}

/** Writes the object to a new file, on the disk when this resolves; throws `RemoteError` unless it is what was asked for. */
export async function saveObject(http: LfsHttp, download: Download, file: string): Promise<void> {
  await exchange(http, download, async (reply, chunks) => {
    if (reply.statusCode !== 200) throw refusal(http, reply.statusCode ?? 0, '');
    const hash = createHash('sha256');
    let size = 0;
    const output = await open(file, 'wx', 0o644);
    try {
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > download.size) break;
        hash.update(chunk);
        await output.writeFile(chunk);
      }
      await output.sync();
    } finally {
      await output.close();
    }
    if (size === download.size && hash.digest('hex') === download.oid) return;
    throw lfsError(http, 'protocol', `sent something else for the file ${JSON.stringify(download.path)}`);
  });
}
