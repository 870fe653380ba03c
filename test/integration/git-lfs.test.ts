/** Files in Git LFS, from a small server that speaks its batch API beside the repository itself. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import http from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceCredentials } from '../../pipelines/model.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { GitScm } from '../../runner/tools/git.ts';
import {
  close,
  commit,
  defineRepo,
  type GitServer,
  listen,
  type Repo,
  removeFolder,
  serveHttp,
  tempFolder,
} from '../fixtures/git-server.ts';

const scm = new GitScm({ allowFile: true, caFile: null, timeoutMs: 60_000, instance: randomUUID() });
const signal = new AbortController().signal;
const DEV = { username: 'dev', password: 'correct horse' };
const CONTENT = Buffer.from('a large file, as far as this test is concerned\n'.repeat(1_000));
const oidOf = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const pointerTo = (content: Buffer, size = content.length) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${oidOf(content)}\nsize ${size}\n`;

let root: string;
let repo: Repo;
let server: GitServer;
/** What the LFS server has, by oid. */
let store: Map<string, Buffer>;
/** Requests to it: method, path and whether they bore credentials. */
let asked: { call: string; authorized: boolean }[];
/** Where downloads are, if not at the server itself. */
let downloads: string | null;

beforeEach(async () => {
  root = tempFolder();
  repo = defineRepo({ '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n', 'plain.txt': 'plain\n' }, root);
  store = new Map([[oidOf(CONTENT), CONTENT]]);
  asked = [];
  downloads = null;
  server = await serveHttp(root, DEV, lfs);
});
afterEach(async () => {
  await server.stop();
  removeFolder(root);
});

/** See https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md */
function lfs(request: IncomingMessage, response: ServerResponse): boolean {
  const path = request.url ?? '';
  if (!path.includes('/info/lfs/')) return false;
  asked.push({
    call: `${request.method} ${path.replace(/^.*\/info\/lfs/, '')}`,
    authorized: request.headers.authorization !== undefined,
  });
  const oid = /\/objects\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (oid !== undefined) response.end(store.get(oid));
  else void batch(request, response);
  return true;
}

async function batch(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { objects } = JSON.parse(await text(request)) as { objects: { oid: string; size: number }[] };
  const base = downloads ?? `http://${request.headers.host}${request.url?.replace(/\/batch$/, '')}`;
  const answer = objects.map(({ oid, size }) =>
    store.has(oid)
      ? { oid, size, actions: { download: { href: `${base}/${oid}` } } }
      : { oid, size, error: { code: 404, message: 'Object does not exist' } },
  );
  response.setHeader('content-type', 'application/vnd.git-lfs+json');
  response.end(JSON.stringify({ transfer: 'basic', objects: answer }));
}

const accessTo = (
  url: string,
  more: Partial<SourceAccess['source']> = {},
  credentials: SourceCredentials | null = DEV,
): SourceAccess => ({
  source: { kind: 'git', url, branches: ['main'], lfs: true, ...more },
  credentials,
  cache: join(root, 'cache'),
});

async function checkout(access: SourceAccess, revision: string): Promise<string> {
  const into = join(mkdtempSync(join(root, 'workspace-')), 'files');
  mkdirSync(into);
  await scm.checkout(access, { branch: 'main', revision }, into, signal);
  return into;
}

describe('files in LFS', () => {
  it('take the place of their pointers, with the mode of those, and git finds nothing modified', async () => {
    writeFileSync(join(repo.dir, 'run.bin'), pointerTo(CONTENT), { mode: 0o755 });
    const revision = commit(repo, { 'data/big.bin': pointerTo(CONTENT), 'small.bin': 'no pointer\n' });
    const into = await checkout(accessTo(server.urlOf(repo)), revision);
    expect(readFileSync(join(into, 'data/big.bin')).equals(CONTENT)).toBe(true);
    expect(readFileSync(join(into, 'small.bin'), 'utf8')).toBe('no pointer\n');
    expect(statSync(join(into, 'run.bin')).mode & 0o111).not.toBe(0);
    expect(asked).toEqual([
      { call: 'POST /objects/batch', authorized: true },
      { call: `GET /objects/${oidOf(CONTENT)}`, authorized: true },
    ]);
  });

  it('are fetched once, and left as pointers where nobody wants them', async () => {
    const revision = commit(repo, { 'big.bin': pointerTo(CONTENT) });
    const access = accessTo(server.urlOf(repo));
    await checkout(access, revision);
    const before = asked.length;
    const again = await checkout(access, revision);
    expect(readFileSync(join(again, 'big.bin')).equals(CONTENT)).toBe(true);
    expect(asked).toHaveLength(before);
    const without = await checkout(accessTo(server.urlOf(repo), { lfs: false }), revision);
    expect(readFileSync(join(without, 'big.bin'), 'utf8')).toBe(pointerTo(CONTENT));
  });

  it('may be kept on another host, which does not see the credentials', async () => {
    const seen: (string | undefined)[] = [];
    const elsewhere = http.createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end(CONTENT);
    });
    downloads = `http://127.0.0.1:${await listen(elsewhere)}/kept`;
    try {
      const into = await checkout(accessTo(server.urlOf(repo)), commit(repo, { 'big.bin': pointerTo(CONTENT) }));
      expect(readFileSync(join(into, 'big.bin')).equals(CONTENT)).toBe(true);
      expect(seen).toEqual([undefined]);
    } finally {
      await close(elsewhere);
    }
  });
});

describe('what is not as it should be is refused, and the workspace is empty', () => {
  it.each<[string, () => string, object]>([
    ['an object that the server does not have', () => pointerTo(Buffer.from('lost')), { fault: 'not-found' }],
    [
      'another content than the pointer says',
      () => {
        store.set(oidOf(CONTENT), Buffer.from(CONTENT.toString().replace('large', 'small')));
        return pointerTo(CONTENT);
      },
      { fault: 'protocol' },
    ],
    ['more bytes than the pointer says', () => pointerTo(CONTENT, 10), { fault: 'protocol' }],
    ['a pointer without an oid', () => 'version https://git-lfs.github.com/spec/v1\nsize 12\n', { code: 'invalid' }],
    [
      'a pointer that wants a program',
      () => pointerTo(CONTENT).replace('oid', 'ext-0-foo sha256:00\noid'),
      { code: 'invalid' },
    ],
  ])('%s', async (_what, pointer, expected) => {
    const revision = commit(repo, { 'big.bin': pointer() });
    await expect(checkout(accessTo(server.urlOf(repo)), revision)).rejects.toMatchObject(expected);
    const [workspace = ''] = readdirSync(root).filter((name) => name.startsWith('workspace-'));
    expect(readdirSync(join(root, workspace, 'files'))).toEqual([]);
  });

  it('a .lfsconfig that names another server has no say', async () => {
    const revision = commit(repo, {
      '.lfsconfig': '[lfs]\n\turl = http://127.0.0.1:1/evil\n',
      'big.bin': pointerTo(CONTENT),
    });
    const into = await checkout(accessTo(server.urlOf(repo)), revision);
    expect(readFileSync(join(into, 'big.bin')).equals(CONTENT)).toBe(true);
  });

  it('a repository that is not reached by https or http: the error says what works', async () => {
    const revision = commit(repo, { 'big.bin': pointerTo(CONTENT) });
    await expect(checkout(accessTo(repo.url, {}, null), revision)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('https'),
    });
  });
});
