/** What a Git repository may hold besides plain branches, and what may happen to it between a trigger and the checkout. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Head, SourceAccess } from '../../pipelines/ports.ts';
import { GitScm } from '../../runner/tools/git.ts';
import {
  commit,
  defineRepo,
  type GitServer,
  type Repo,
  removeFolder,
  serveDaemon,
  serveHttp,
  tempFolder,
} from '../fixtures/git-server.ts';

const scm = new GitScm({ allowFile: true, caFile: null, timeoutMs: 60_000, instance: randomUUID() });
const signal = new AbortController().signal;

let root: string;
let repo: Repo;
let servers: GitServer[];

beforeEach(() => {
  root = tempFolder();
  repo = defineRepo(undefined, root);
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  removeFolder(root);
});

function accessTo(url: string, branches = ['**'], cache = 'cache'): SourceAccess {
  return { source: { kind: 'git', url, branches }, credentials: null, cache: join(root, cache) };
}
async function over(serve: (root: string) => Promise<GitServer>): Promise<GitServer> {
  const server = await serve(root);
  servers.push(server);
  return server;
}
const headsOf = async (...branches: string[]) => {
  const heads = await scm.heads(accessTo(repo.url, branches), signal);
  return Object.fromEntries(heads.map(({ branch, revision }) => [branch, revision]));
};
async function checkout(access: SourceAccess, at: Head, name = 'workspace'): Promise<string> {
  const into = join(root, name);
  mkdirSync(into);
  await scm.checkout(access, at, into, signal);
  return into;
}
const text = (...parts: string[]) => readFileSync(join(...parts), 'utf8');
/** A commit that no branch has. */
function lonely(reference: string): string {
  repo.git('checkout', '-q', '--detach');
  const revision = commit(repo, { 'lonely.txt': reference }, reference);
  repo.git('update-ref', reference, revision);
  repo.git('checkout', '-q', 'main');
  return revision;
}

describe('tags', () => {
  it('light and annotated ones are the commits they are of, listed where a pattern asks for them', async () => {
    const first = repo.git('rev-parse', 'HEAD');
    repo.git('tag', 'v1.0');
    const second = commit(repo, { 'a.txt': '2' });
    repo.git('tag', '-a', '-m', 'two', 'v2.0');
    repo.git('tag', '-a', '-m', 'a tag of a tag', 'v3.0', 'v2.0');
    repo.git('tag', 'nightly');
    expect(await headsOf('**')).toEqual({ main: second });
    const tags = { 'refs/tags/v1.0': first, 'refs/tags/v2.0': second, 'refs/tags/v3.0': second };
    expect(await headsOf('refs/tags/v*')).toEqual(tags);
    expect(await headsOf('main', 'refs/tags/v1*')).toEqual({ main: second, 'refs/tags/v1.0': first });
    for (const [branch, revision] of Object.entries(tags)) {
      const access = accessTo(repo.url, ['refs/tags/v*']);
      expect(await scm.resolve(access, branch, revision.slice(0, 8), signal)).toBe(revision);
      const into = await checkout(access, { branch, revision }, branch.replaceAll('/', '-'));
      expect(existsSync(join(into, 'a.txt'))).toBe(revision === second);
    }
  });

  it('one named like a protected branch never passes for it', async () => {
    const protectedHead = repo.git('rev-parse', 'main');
    repo.git('checkout', '-q', '-b', 'side');
    const evil = commit(repo, { 'evil.txt': '' });
    repo.git('tag', 'main', evil);
    repo.git('tag', 'refs/heads/main', evil);
    repo.git('branch', 'refs/tags/v1', evil);
    expect(await headsOf('main')).toEqual({ main: protectedHead });
    expect(await headsOf('**')).toEqual({ main: protectedHead, side: evil });
    expect(await headsOf('refs/tags/*', 'refs/tags/**')).toEqual({
      'refs/tags/main': evil,
      'refs/tags/refs/heads/main': evil,
    });
    const access = accessTo(repo.url, ['main', 'refs/tags/**']);
    await expect(scm.resolve(access, 'main', evil, signal)).rejects.toMatchObject({ code: 'invalid' });
    const into = await checkout(access, { branch: 'main', revision: protectedHead });
    expect(existsSync(join(into, 'evil.txt'))).toBe(false);
    const inside = (...args: string[]) => repo.git('-C', into, ...args);
    expect(inside('rev-parse', 'refs/remotes/origin/main')).toBe(protectedHead);
  });

  it('one of a file is no commit, and says so each time', async () => {
    repo.git('tag', 'blob', repo.git('rev-parse', 'HEAD:README.md'));
    const heads = await headsOf('refs/tags/*');
    const at = { branch: 'refs/tags/blob', revision: heads['refs/tags/blob'] ?? '' };
    const access = accessTo(repo.url, ['refs/tags/*']);
    for (let time = 0; time < 2; time++) {
      await expect(scm.readFile(access, at, 'README.md', signal)).rejects.toMatchObject({
        fault: 'not-found',
        message: expect.stringContaining('is not a commit'),
      });
    }
  });
});

describe('pull and merge requests', () => {
  it('are listed and checked out, although no branch has their commits', async () => {
    const requests = Object.fromEntries(
      ['refs/pull/7/head', 'refs/merge-requests/3/head'].map((name) => [name, lonely(name)]),
    );
    expect(await headsOf('**')).toEqual({ main: repo.git('rev-parse', 'main') });
    expect(await headsOf('refs/pull/*/head', 'refs/merge-requests/*/head')).toEqual(requests);
    const { urlOf } = await over(serveHttp);
    const access = accessTo(urlOf(repo), ['refs/**']);
    for (const [branch, revision] of Object.entries(requests)) {
      expect(await scm.resolve(access, branch, revision.slice(0, 10), signal)).toBe(revision);
      await expect(scm.resolve(access, 'main', revision, signal)).rejects.toMatchObject({ code: 'invalid' });
      const into = await checkout(access, { branch, revision }, branch.replaceAll('/', '-'));
      expect(text(into, 'lonely.txt')).toBe(branch);
    }
  });
});

describe('a force-push between the trigger and the checkout', () => {
  it('checks out what was triggered while the server has it, and never another commit', async () => {
    const { urlOf } = await over(serveHttp);
    const access = accessTo(urlOf(repo));
    const base = repo.git('rev-parse', 'HEAD');
    commit(repo, { 'a.txt': 'before' });
    const [head] = await scm.heads(access, signal);
    repo.git('reset', '-q', '--hard', base);
    commit(repo, { 'a.txt': 'after' });
    const into = await checkout(access, head as Head);
    expect(text(into, 'a.txt')).toBe('before');
    expect(repo.git('-C', into, 'rev-parse', 'HEAD')).toBe(head?.revision);
  });

  it('a server that gives out heads only: what it had fetched before, else a clear "not-found"', async () => {
    repo.git('config', 'uploadpack.allowReachableSHA1InWant', 'false');
    repo.git('config', 'uploadpack.allowAnySHA1InWant', 'false');
    repo.git('config', 'uploadpack.allowTipSHA1InWant', 'false');
    const { urlOf } = await over(serveDaemon);
    // Protocol version 2 knows no such limits.
    const fetched = accessTo(urlOf(repo), ['**'], 'fetched');
    const base = repo.git('rev-parse', 'HEAD');
    const lost = commit(repo, { 'a.txt': 'lost' });
    await scm.readFile(fetched, { branch: 'main', revision: lost }, 'a.txt', signal);
    repo.git('reset', '-q', '--hard', base);
    commit(repo, { 'a.txt': 'kept' });
    repo.git('reflog', 'expire', '--expire=now', '--all');
    repo.git('gc', '-q', '--prune=now');
    const into = await checkout(fetched, { branch: 'main', revision: lost });
    expect(text(into, 'a.txt')).toBe('lost');
    const late = join(root, 'late');
    mkdirSync(late);
    const at = { branch: 'main', revision: lost };
    await expect(scm.checkout(accessTo(urlOf(repo), ['**'], 'new'), at, late, signal)).rejects.toMatchObject({
      fault: 'not-found',
      message: expect.stringContaining('force-push'),
    });
    expect(readdirSync(late)).toEqual([]);
  });
});

it('a server that is itself a shallow clone gives what it has', async () => {
  for (let round = 0; round < 4; round++) commit(repo, { 'a.txt': String(round) });
  const dir = join(root, 'shallow');
  execFileSync('git', ['clone', '-q', '--depth=2', repo.url, dir], { stdio: 'ignore' });
  const shallow: Repo = { ...repo, dir };
  for (const serve of [serveHttp, serveDaemon]) {
    const { urlOf } = await over(serve);
    const url = serve === serveHttp ? urlOf(shallow) : `${urlOf(shallow)}/.git`;
    const access = accessTo(url, ['**'], `cache-${serve.name}`);
    const head = (await scm.heads(access, signal)).find(({ branch }) => branch === 'main') as Head;
    expect(head.revision).toBe(repo.git('rev-parse', 'main'));
    const into = await checkout(access, head, serve.name);
    expect(text(into, 'a.txt')).toBe('3');
    expect(await scm.log(access, { to: head, not: [], limit: 10 }, signal)).toHaveLength(2);
    expect(await scm.resolve(access, 'main', head.revision, signal)).toBe(head.revision);
  }
});

it('2,000 branches are one question, and a checkout of few files', async () => {
  const revision = repo.git('rev-parse', 'main');
  const input = Array.from({ length: 2_000 }, (_, index) => `create refs/heads/b/${index} ${revision}\n`).join('');
  execFileSync('git', ['-C', repo.dir, 'update-ref', '--stdin'], { input });
  let questions = 0;
  const server = await serveHttp(root, undefined, (request) => {
    if (request.url?.includes('info/refs')) questions += 1;
    return false;
  });
  servers.push(server);
  const access = accessTo(server.urlOf(repo), ['b/1*']);
  const pulse = await scm.pulse(access, signal);
  expect(questions).toBe(1);
  expect(pulse.heads).toHaveLength(2_001);
  expect(await scm.heads(access, signal)).toHaveLength(1_111);
  expect(questions).toBe(2);
  const into = await checkout(access, { branch: 'b/1', revision });
  expect(repo.git('-C', into, 'for-each-ref', 'refs/remotes').split('\n')).toHaveLength(2_001);
  expect(readdirSync(join(into, '.git'), { recursive: true }).length).toBeLessThan(100);
});

describe('hostile names', () => {
  const NAMES = ['-u', '--exec=touch pwned', '--upload-pack=touch${IFS}pwned', '$(touch${IFS}pwned)', 'a;b', '`id`'];
  const legal = NAMES.filter((name) => !name.includes(' '));

  it('a branch that has one is built, and nothing is executed', async () => {
    const revision = repo.git('rev-parse', 'HEAD');
    for (const name of legal) repo.git('update-ref', `refs/heads/${name}`, revision);
    const { urlOf } = await over(serveHttp);
    for (const [index, branch] of legal.entries()) {
      const access = accessTo(urlOf(repo), [branch]);
      expect(await scm.heads(access, signal)).toEqual([{ branch, revision }]);
      const at = { branch, revision };
      expect(await scm.readFile(access, at, 'README.md', signal)).toBe('hello\n');
      expect(await scm.log(access, { to: at, not: [], limit: 5 }, signal)).toHaveLength(1);
      const into = await checkout(access, at, `w${index}`);
      expect(readdirSync(into).sort()).toEqual(['.git', 'README.md']);
    }
    for (const folder of [process.cwd(), root, repo.dir]) expect(existsSync(join(folder, 'pwned'))).toBe(false);
  });

  it('asked for by hand, one that git would take for an option is refused', async () => {
    const revision = repo.git('rev-parse', 'HEAD');
    for (const branch of ['-u', '--exec=touch pwned', '--upload-pack=x']) {
      await expect(scm.resolve(accessTo(repo.url), branch, revision, signal)).rejects.toMatchObject({
        code: 'invalid',
        field: 'branch',
      });
    }
  });
});

it('hooks, filters and a file system monitor in a mirror do nothing', async () => {
  const first = repo.git('rev-parse', 'HEAD');
  const access = accessTo(repo.url);
  await scm.readFile(access, { branch: 'main', revision: first }, 'README.md', signal);
  const mirror = join(access.cache, readdirSync(access.cache)[0] ?? '');
  const pwned = join(root, 'pwned');
  mkdirSync(join(mirror, 'hooks'), { recursive: true });
  for (const hook of ['post-checkout', 'reference-transaction', 'post-index-change', 'post-merge', 'pre-auto-gc']) {
    execFileSync('sh', [
      '-c',
      `printf '#!/bin/sh\\ntouch ${pwned}\\n' > "$1" && chmod +x "$1"`,
      '-',
      join(mirror, 'hooks', hook),
    ]);
  }
  const revision = commit(repo, { 'a.txt': '1', '.gitattributes': '* filter=evil diff=evil merge=evil\n' });
  const into = await checkout(access, { branch: 'main', revision });
  expect(text(into, 'a.txt')).toBe('1');
  expect(existsSync(pwned)).toBe(false);
});
