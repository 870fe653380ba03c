import { randomUUID } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SourceCredentials } from '../../pipelines/model.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { GitScm } from '../../runner/tools/git.ts';
import { findByCookie } from '../../runner/tools/processes.ts';
import { type ScmBench, scmContract } from '../contract/scm.ts';
import {
  close,
  commit,
  defineRepo,
  freePort,
  type GitServer,
  listen,
  type Repo,
  removeFolder,
  serveDaemon,
  serveHttp,
  serveSilence,
  serveSsh,
  tempFolder,
} from '../fixtures/git-server.ts';

const instance = randomUUID();
const scm = new GitScm({ allowFile: true, caFile: null, timeoutMs: 60_000, instance });
const signal = new AbortController().signal;
const PASSWORD = 'correct horse/battery:st@ple';

async function bench(
  serve: (root: string) => Promise<Partial<GitServer> & { credentials?: SourceCredentials }>,
): Promise<ScmBench> {
  const root = tempFolder();
  const repo = defineRepo(undefined, root);
  const server = await serve(root);
  return {
    scm,
    source: { kind: 'git', url: server.urlOf?.(repo) ?? repo.url, branches: ['main'] },
    credentials: server.credentials ?? null,
    branch: 'main',
    commit: (files, message) => commit(repo, files, message),
    createBranch: (name) => {
      repo.git('branch', name);
      return repo.git('rev-parse', name);
    },
    deleteBranch: (name) => void repo.git('branch', '-D', name),
    stop: async () => {
      await server.stop?.();
      removeFolder(root);
    },
  };
}

scmContract('git by file://', () => bench(async () => ({})));
scmContract('git by http with a password', () =>
  bench(async (root) => {
    const credentials = { username: 'dev', password: PASSWORD };
    return { ...(await serveHttp(root, credentials)), credentials };
  }),
);
scmContract('git by ssh', () =>
  bench(async () => {
    const server = await serveSsh();
    return { ...server, credentials: { sshKey: server.privateKey, knownHosts: server.knownHosts } };
  }),
);
scmContract('git by git://', () => bench(serveDaemon));

let root: string;
let repo: Repo;
let access: SourceAccess;

beforeEach(() => {
  root = tempFolder();
  repo = defineRepo(undefined, root);
  access = accessTo(repo.url);
});
afterEach(() => removeFolder(root));

function accessTo(url: string, credentials: SourceCredentials | null = null): SourceAccess {
  return { source: { kind: 'git', url, branches: ['**'] }, credentials, cache: join(root, 'cache') };
}
function workspace(name = 'workspace'): string {
  const folder = join(root, name);
  mkdirSync(folder);
  return folder;
}
const on = (revision: string) => ({ branch: 'main', revision });
const mirrorOf = () =>
  join(root, 'cache', readdirSync(join(root, 'cache')).find((name) => name.startsWith('git-')) ?? '');

/** Everything an error could show to someone. */
async function failureOf(work: Promise<unknown>): Promise<{ party?: string; fault?: string; text: string }> {
  const error = await work.then(
    () => Promise.reject(new Error('expected a failure')),
    (thrown: Error & { party?: string; fault?: string }) => thrown,
  );
  const cause = error.cause as (Error & { stderr?: string }) | undefined;
  const text = [error.message, error.stack, JSON.stringify(error), cause?.message, cause?.stack, cause?.stderr].join(
    '\n',
  );
  return { ...(error.party ? { party: error.party } : {}), ...(error.fault ? { fault: error.fault } : {}), text };
}

describe('a server that says no or nothing', () => {
  it('wrong password → auth, and the password is nowhere in the error', async () => {
    const server = await serveHttp(root, { username: 'dev', password: PASSWORD });
    const wrong = { username: 'dev', password: 'guessed-wr0ng' };
    const failure = await failureOf(scm.heads(accessTo(server.urlOf(repo), wrong), signal));
    const without = await failureOf(scm.heads(accessTo(server.urlOf(repo)), signal));
    await server.stop();
    expect(failure).toMatchObject({ party: 'repository', fault: 'auth' });
    expect(failure.text).not.toContain('guessed-wr0ng');
    expect(without.fault).toBe('auth');
  });

  it('a token is sent as the password of x-access-token', async () => {
    const server = await serveHttp(root, { username: 'x-access-token', password: 'tok-123' });
    expect(await scm.heads(accessTo(server.urlOf(repo), { token: 'tok-123' }), signal)).toHaveLength(1);
    await server.stop();
  });

  it('no such repository → not-found, over every transport', async () => {
    const missing = { ...repo, dir: join(root, 'missing') };
    const servers = [await serveHttp(root), await serveDaemon(root)];
    for (const url of [`file://${missing.dir}`, ...servers.map((server) => server.urlOf(missing))]) {
      expect((await failureOf(scm.heads(accessTo(url), signal))).fault, url).toBe('not-found');
    }
    for (const server of servers) await server.stop();
  });

  it('nobody listens → unreachable', async () => {
    const port = await freePort();
    for (const url of [`http://127.0.0.1:${port}/x`, `git://127.0.0.1:${port}/x`, `ssh://git@127.0.0.1:${port}/x`]) {
      expect((await failureOf(scm.heads(accessTo(url), signal))).fault, url).toBe('unreachable');
    }
  });

  it('silence → timeout, and no process is left', async () => {
    const silence = await serveSilence();
    const mine = randomUUID();
    const impatient = new GitScm({ allowFile: false, caFile: null, timeoutMs: 1_000, instance: mine });
    for (const scheme of ['http', 'git', 'ssh']) {
      const source = accessTo(`${scheme}://127.0.0.1:${silence.port}/x`);
      expect((await failureOf(impatient.heads(source, signal))).fault, scheme).toBe('timeout');
      expect((await failureOf(impatient.checkout(source, on('1'.repeat(40)), workspace(scheme), signal))).fault).toBe(
        'timeout',
      );
    }
    expect(findByCookie(mine)).toEqual([]);
    await silence.stop();
  });

  it('an abort ends it at once, with the reason given', async () => {
    const silence = await serveSilence();
    const stop = new AbortController();
    const asking = scm.heads(accessTo(`http://127.0.0.1:${silence.port}/x`), stop.signal);
    while (findByCookie(instance).length === 0) await new Promise(setImmediate);
    stop.abort(new Error('cancelled by a test'));
    await expect(asking).rejects.toThrow('cancelled by a test');
    expect(findByCookie(instance)).toEqual([]);
    await silence.stop();
  });

  it('a redirect is not followed', async () => {
    const target = await serveHttp(root);
    const redirecting = createServer((request, response) =>
      response.writeHead(302, { location: new URL(request.url ?? '/', target.urlOf(repo)).href }).end(),
    );
    const port = await listen(redirecting);
    const { pathname } = new URL(target.urlOf(repo));
    expect((await failureOf(scm.heads(accessTo(`http://127.0.0.1:${port}${pathname}`), signal))).fault).toBe(
      'protocol',
    );
    await close(redirecting);
    await target.stop();
  });
});

it('credentials never appear in the arguments of a process', async () => {
  const silence = await serveSilence();
  const stop = new AbortController();
  const url = `http://127.0.0.1:${silence.port}/x`;
  const asking = scm.heads(accessTo(url, { username: 'dev', password: PASSWORD }), stop.signal).catch(() => undefined);
  const commandLines: string[] = [];
  while (!commandLines.some((line) => line.includes('remote-http'))) {
    await new Promise(setImmediate);
    for (const pid of findByCookie(instance)) {
      try {
        commandLines.push(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        // It has just ended: Git starts several.
      }
    }
  }
  stop.abort(new Error('seen enough'));
  await asking;
  expect(commandLines.join('\n')).not.toContain('battery');
  await silence.stop();
});

describe('ssh', () => {
  let server: Awaited<ReturnType<typeof serveSsh>>;
  let other: Awaited<ReturnType<typeof serveSsh>>;
  beforeAll(async () => {
    [server, other] = await Promise.all([serveSsh(), serveSsh()]);
  });
  afterAll(async () => {
    await Promise.all([server.stop(), other.stop()]);
  });

  it('accepts a new host once, and then only with the same key', async () => {
    const key = { sshKey: server.privateKey.trimEnd() };
    expect(await scm.heads(accessTo(server.urlOf(repo), key), signal)).toHaveLength(1);
    const known = join(root, 'cache', 'known_hosts');
    const [host] = readFileSync(known, 'utf8').split(' ');
    writeFileSync(known, `${host} ${other.knownHosts.split(' ').slice(1).join(' ')}`);
    const failure = await failureOf(scm.heads(accessTo(server.urlOf(repo), key), signal));
    expect(failure).toMatchObject({ fault: 'auth', text: expect.stringContaining('host key') });
  });

  it('another key, another host key, or no key at all → auth', async () => {
    const url = server.urlOf(repo);
    const wrong: (SourceCredentials | null)[] = [
      { sshKey: other.privateKey, knownHosts: server.knownHosts },
      { sshKey: server.privateKey, knownHosts: other.knownHosts },
      { sshKey: 'not a key', knownHosts: server.knownHosts },
      null,
    ];
    for (const credentials of wrong) {
      const failure = await failureOf(scm.heads(accessTo(url, credentials), signal));
      expect(failure.fault).toBe('auth');
      expect(failure.text).not.toContain('PRIVATE KEY');
    }
  });

  it('says which credentials fit which URL', async () => {
    await expect(scm.heads(accessTo(server.urlOf(repo), { token: 'x' }), signal)).rejects.toMatchObject({
      field: 'source.credentials',
    });
    const key = { sshKey: server.privateKey };
    await expect(scm.heads(accessTo('https://localhost/x', key), signal)).rejects.toMatchObject({
      field: 'source.credentials',
    });
  });
});

describe('an exact revision', () => {
  it('is still had after a force-push; once it is gone from the server, nothing else is taken for it', async () => {
    const server = await serveHttp(root);
    const first = commit(repo, { 'a.txt': 'lost' }, 'lost');
    repo.git('reset', '-q', '--hard', 'HEAD^');
    const second = commit(repo, { 'a.txt': 'kept' }, 'kept');
    const source = accessTo(server.urlOf(repo));
    const into = workspace();
    await scm.checkout(source, on(first), into, signal);
    expect(readFileSync(join(into, 'a.txt'), 'utf8')).toBe('lost');

    removeFolder(join(root, 'cache'));
    repo.git('reflog', 'expire', '--expire=now', '--all');
    repo.git('gc', '-q', '--prune=now');
    const gone = workspace('gone');
    const failure = await failureOf(scm.checkout(source, on(first), gone, signal));
    expect(failure).toMatchObject({ fault: 'not-found', text: expect.stringContaining('force-push') });
    expect(readdirSync(gone)).toEqual([]);
    expect(await scm.resolve(source, 'main', second.slice(0, 8), signal)).toBe(second);
    await server.stop();
  });

  it('must be on the branch it is asked for, by its id alone', async () => {
    repo.git('checkout', '-q', '-b', 'feature');
    const feature = commit(repo, { 'f.txt': 'f' }, 'feature');
    repo.git('checkout', '-q', 'main');
    const main = commit(repo, { 'm.txt': 'm' }, 'main');
    repo.git('tag', main.slice(0, 7), feature);
    await expect(scm.resolve(access, 'main', feature, signal)).rejects.toMatchObject({
      code: 'invalid',
      field: 'revision',
    });
    expect(await scm.resolve(access, 'feature', feature.slice(0, 10), signal)).toBe(feature);
    expect(await scm.resolve(access, 'main', main.slice(0, 7), signal)).toBe(main);
    await expect(scm.resolve(access, 'none', main, signal)).rejects.toMatchObject({ code: 'invalid' });
    for (const name of ['HEAD', 'main', '-u', '']) {
      await expect(scm.resolve(access, 'main', name, signal)).rejects.toMatchObject({
        code: 'invalid',
        field: 'revision',
      });
    }
    await expect(scm.checkout(access, on('main'), workspace(), signal)).rejects.toMatchObject({ code: 'invalid' });
  });

  it('a damaged mirror is made anew', async () => {
    const first = commit(repo, { 'a.txt': '1' }, 'one');
    repo.git('gc', '-q');
    await scm.readFile(access, on(first), 'a.txt', signal);
    const mirror = mirrorOf();
    const damages = [
      () => writeFileSync(join(mirror, 'HEAD'), ''),
      () => removeFolder(join(mirror, 'objects')),
      () => writeFileSync(join(mirror, 'packed-refs.lock'), ''),
      () => {
        const pack = join(mirror, 'objects/pack');
        for (const name of readdirSync(pack)) truncateSync(join(pack, name), 20);
        for (const name of readdirSync(join(mirror, 'objects')).filter((folder) => folder.length === 2)) {
          for (const object of readdirSync(join(mirror, 'objects', name)))
            truncateSync(join(mirror, 'objects', name, object), 5);
        }
      },
    ];
    for (const [index, damage] of damages.entries()) {
      damage();
      repo.git('checkout', '-q', '-B', 'side');
      const revision = commit(repo, { 'a.txt': `after damage ${index}` });
      const into = workspace(`w${index}`);
      await scm.checkout(access, { branch: 'side', revision }, into, signal);
      expect(readFileSync(join(into, 'a.txt'), 'utf8')).toBe(`after damage ${index}`);
      expect(await scm.readFile(access, on(first), 'a.txt', signal)).toBe('1');
    }
  });
});

describe('odd and hostile repositories', () => {
  it('branches may be named like shell code: nothing executes', async () => {
    const names = [
      '$(touch$IFSpwned)',
      'a;touch$IFSpwned',
      '`id`',
      'quote\'and"quote',
      '&&x|y',
      'ünïcode/枝',
      '!bang',
      '{a,b}',
      '(c)',
    ];
    for (const name of names) repo.git('branch', name);
    const revision = repo.git('rev-parse', 'main');
    const heads = await scm.heads(access, signal);
    expect(heads.map(({ branch }) => branch).sort()).toEqual([...names, 'main'].sort());
    for (const [index, branch] of names.entries()) {
      expect(await scm.heads({ ...access, source: { ...access.source, branches: [branch] } }, signal)).toContainEqual({
        branch,
        revision,
      });
      expect(await scm.resolve(access, branch, revision, signal)).toBe(revision);
      const into = workspace(`w${index}`);
      await scm.checkout(access, { branch, revision }, into, signal);
      expect(readdirSync(into).sort()).toEqual(['.git', 'README.md']);
    }
  });

  it('neither filters, submodules nor links of a repository do anything', async () => {
    writeFileSync(join(repo.dir, '.gitmodules'), '[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% pwned\n');
    writeFileSync(join(repo.dir, '.gitattributes'), '*.txt filter=lfs filter=evil\n');
    symlinkSync('/etc/passwd', join(repo.dir, 'link'));
    symlinkSync('/etc', join(repo.dir, 'folder'));
    const revision = commit(repo, { 'a.txt': 'pointer\n' });
    const into = workspace();
    await scm.checkout(access, on(revision), into, signal);
    expect(lstatSync(join(into, 'link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(into, 'a.txt'), 'utf8')).toBe('pointer\n');
    expect(existsSync(join(into, 'pwned'))).toBe(false);
    await expect(scm.readFile(access, on(revision), 'link', signal)).rejects.toMatchObject({ code: 'invalid' });
    expect(await scm.readFile(access, on(revision), 'folder/passwd', signal)).toBeNull();
  });

  it('messages, names and paths may hold any byte', async () => {
    writeFileSync(join(repo.dir, 'message'), Buffer.from([0x66, 0xe9, 0xff, 0x0a, 0x01, 0x1b, 0x5b]));
    writeFileSync(join(repo.dir, 'new\nline \t"q"'), '');
    repo.git('add', '-A');
    repo.git('-c', 'user.name=J\u00fcrgen <x>', '-c', 'user.email=', 'commit', '-q', '-F', 'message');
    const latest = repo.git('rev-parse', 'HEAD');
    const empty = commit(repo, {}, '');
    const [second, first] = await scm.log(access, { to: on(empty), not: [on('f'.repeat(40))], limit: 2 }, signal);
    expect(second).toMatchObject({ revision: empty, message: '', files: [] });
    expect(first).toMatchObject({ revision: latest, email: null, files: ['message', 'new\nline \t"q"'] });
    expect(first?.message).toMatch(/^f/);
  });

  it('at most 100 files are named, and a merge names what it brought', async () => {
    repo.git('checkout', '-q', '-b', 'side');
    commit(repo, Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`f${index}`, `${index}`])), 'many');
    repo.git('checkout', '-q', 'main');
    commit(repo, { 'm.txt': 'm' }, 'main');
    repo.git('merge', '-q', '--no-ff', '-m', 'merge', 'side');
    const to = repo.git('rev-parse', 'HEAD');
    const log = await scm.log(access, { to: on(to), not: [], limit: 10 }, signal);
    expect(log.map(({ message }) => message).sort()).toEqual(['first', 'main', 'many', 'merge']);
    expect(log[0]).toMatchObject({ message: 'merge' });
    expect(log[0]?.files).toHaveLength(100);
  });

  it('a repository without any commit has no heads', async () => {
    const bare = join(root, 'empty.git');
    repo.git('init', '-q', '--bare', bare);
    expect(await scm.heads(accessTo(`file://${bare}`), signal)).toEqual([]);
  });
});

describe('a workspace', () => {
  it('has a repository of its own that needs nothing outside, and origin without credentials', async () => {
    repo.git('tag', '-a', '-m', 'v1', 'v1.0');
    const revision = commit(repo, { 'a.txt': '1' });
    const into = workspace();
    await scm.checkout(access, on(revision), into, signal);
    removeFolder(join(root, 'cache'));
    const inside = { ...repo, git: (...args: string[]) => repo.git('-C', into, ...args) };
    expect(inside.git('describe')).toMatch(/^v1\.0-1-g/);
    expect(inside.git('rev-parse', 'HEAD')).toBe(revision);
    expect(inside.git('status', '--porcelain')).toBe('');
    expect(inside.git('remote', 'get-url', 'origin')).toBe(repo.url);
    expect(existsSync(join(into, '.git/objects/info/alternates'))).toBe(false);
  });

  it('stays cheap: the mirror is packed once many fetches have left their traces', async () => {
    const files = (round: number) =>
      Object.fromEntries(Array.from({ length: 95 }, (_, index) => [`d${index}/f`, `${round}-${index}`]));
    for (let round = 0; round < 12; round++) await scm.readFile(access, on(commit(repo, files(round))), 'd1/f', signal);
    const objects = readdirSync(join(mirrorOf(), 'objects')).filter((name) => name.length === 2);
    expect(objects.flatMap((name) => readdirSync(join(mirrorOf(), 'objects', name))).length).toBeLessThan(1_100);
    expect(readdirSync(join(mirrorOf(), 'objects/pack')).filter((name) => name.endsWith('.pack')).length).toBeLessThan(
      22,
    );
  });

  it('is copied from the mirror: what a step does to it cannot reach the mirror', async () => {
    const revision = commit(repo, { 'a.txt': '1' });
    repo.git('gc', '-q');
    const into = workspace();
    await scm.checkout(access, on(revision), into, signal);
    const packs = readdirSync(join(into, '.git/objects/pack'), { withFileTypes: true });
    for (const { name } of packs) expect(lstatSync(join(into, '.git/objects/pack', name)).nlink).toBe(1);
  });
});
