import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceCredentials } from '../../pipelines/model.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { findByCookie } from '../../runner/tools/processes.ts';
import { scmFor } from '../../runner/tools/scm.ts';
import { type ScmBench, scmContract } from '../contract/scm.ts';
import { freePort, removeFolder, serveSilence, serveSsh, tempFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import {
  change,
  commitSvn,
  defineSvnRepo,
  type SvnRepo,
  type SvnServer,
  serveDav,
  serveSvn,
  serveSvnSsh,
  setProperty,
  writeRevisionProperties,
} from '../fixtures/svn-server.ts';

const instance = randomUUID();
const scm = scmFor('svn', { allowFile: true, caFile: null, timeoutMs: 60_000, instance });
const signal = new AbortController().signal;
const DEV = { username: 'dev', password: 'correct horse/battery:st@ple' };

async function bench(
  serve: (root: string) => Promise<Partial<SvnServer> & { credentials?: SourceCredentials }>,
): Promise<ScmBench> {
  const root = tempFolder();
  const repo = defineSvnRepo(undefined, root);
  const server = await serve(root);
  return {
    scm,
    source: { kind: 'svn', url: server.urlOf?.(repo) ?? repo.url, branches: ['trunk'] },
    credentials: server.credentials ?? null,
    branch: 'trunk',
    commit: (files, message) => commitSvn(repo, files, message),
    createBranch: (name) => change(repo, 'cp', 'trunk', name),
    deleteBranch: (name) => void change(repo, 'rm', name),
    stop: async () => {
      await server.stop?.();
      removeFolder(root);
    },
  };
}

needs('svn')('svn', () => {
  scmContract('svn by file://', () => bench(async () => ({})));
  scmContract('svn by svn:// with a password', () =>
    bench(async (root) => ({ ...(await serveSvn(root, DEV)), credentials: DEV })),
  );
});
needs('svn', 'apache-svn')('svn', () => {
  scmContract('svn by http with a password', () =>
    bench(async (root) => ({ ...(await serveDav(root, DEV)), credentials: DEV })),
  );
});
needs('svn', 'sshd')('svn', () => {
  scmContract('svn by svn+ssh', () =>
    bench(async () => {
      const server = await serveSvnSsh();
      return { ...server, credentials: { sshKey: server.privateKey, knownHosts: server.knownHosts } };
    }),
  );
});

let root: string;
let repo: SvnRepo;
let access: SourceAccess;
let running: { stop(): Promise<void> }[] = [];

function begin(): void {
  beforeEach(() => {
    root = tempFolder();
    repo = defineSvnRepo(undefined, root);
    access = accessTo(repo.url);
  });
  afterEach(async () => {
    for (const each of running) await each.stop();
    running = [];
    removeFolder(root);
  });
}
/** A server for one test. */
async function started<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  running.push(server);
  return server;
}
function accessTo(
  url: string,
  credentials: SourceCredentials | null = null,
  more: Partial<SourceAccess['source']> = {},
): SourceAccess {
  return { source: { kind: 'svn', url, branches: ['**'], ...more }, credentials, cache: join(root, 'cache') };
}
function workspace(name = 'workspace'): string {
  const folder = join(root, name);
  mkdirSync(folder);
  return folder;
}
const on = (revision: string, branch = 'trunk') => ({ branch, revision });
const headsOf = async (branches: string[], from = access) => {
  const heads = await scm.heads({ ...from, source: { ...from.source, branches } }, signal);
  return Object.fromEntries(heads.map(({ branch, revision }) => [branch, revision]));
};
const copyOf = () => {
  const [name = ''] = readdirSync(join(root, 'cache')).filter((each) => each.startsWith('svn-'));
  return join(root, 'cache', name);
};
const text = (...parts: string[]) => readFileSync(join(...parts), 'utf8');
const svnHere = (...args: string[]) =>
  execFileSync('svn', args, {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: root, LC_ALL: 'C.UTF-8' },
  }).trim();

/** Everything an error could show to someone. */
async function failureOf(work: Promise<unknown>): Promise<{ fault?: string; code?: string; text: string }> {
  const error = await work.then(
    () => Promise.reject(new Error('expected a failure')),
    (thrown: Error & { code?: string; fault?: string }) => thrown,
  );
  const cause = error.cause as (Error & { stderr?: string }) | undefined;
  const all = [error.message, error.stack, JSON.stringify(error), cause?.message, cause?.stack, cause?.stderr];
  return {
    ...(error.fault ? { fault: error.fault } : {}),
    ...(error.code ? { code: error.code } : {}),
    text: all.join('\n'),
  };
}

needs('svn')('svn: branches', () => {
  begin();

  it('an idle branch does not move when something else does; the pulse tells of every change', async () => {
    const made = change(repo, 'cp', 'trunk', 'branches/idle');
    const before = await scm.pulse(access, signal);
    const moved = commitSvn(repo, { 'a.txt': '1' });
    const after = await scm.pulse(access, signal);
    expect(await headsOf(['trunk', 'branches/*'])).toEqual({ trunk: moved, 'branches/idle': made });
    expect(after).toMatchObject({ root: before.root, heads: null });
    expect(after.mark).not.toBe(before.mark);
    expect((await scm.pulse({ ...access, source: { ...access.source, url: `${repo.url}/trunk/` } }, signal)).root).toBe(
      after.root,
    );
  });

  it('a deleted one vanishes, a re-created one is new, and its log begins with it', async () => {
    change(repo, 'cp', 'trunk', 'branches/x');
    const last = commitSvn(repo, { 'x.txt': '1' }, 'on x', 'branches/x');
    expect(await headsOf(['branches/*'])).toEqual({ 'branches/x': last });
    change(repo, 'rm', 'branches/x');
    expect(await headsOf(['branches/*', 'branches/x'])).toEqual({});
    commitSvn(repo, { 'a.txt': '2' }, 'on trunk');
    const again = change(repo, 'cp', 'trunk', 'branches/x');
    expect(await headsOf(['branches/x'])).toEqual({ 'branches/x': again });
    const x = (revision: string) => on(revision, 'branches/x');
    const newer = commitSvn(repo, { 'x.txt': '2' }, 'on x again', 'branches/x');
    const log = await scm.log(access, { to: x(newer), not: [x(last)], limit: 10 }, signal);
    expect(log.map(({ revision }) => revision)).toEqual([newer, again]);
    const into = workspace();
    await scm.checkout(access, x(last), into, signal);
    expect(text(into, 'x.txt')).toBe('1');
    const now = workspace('now');
    await scm.checkout(access, x(newer), now, signal);
    expect([text(now, 'a.txt'), text(now, 'x.txt')]).toEqual(['2', '2']);
  });

  it('are found by any pattern, level by level', async () => {
    change(repo, 'mkdir', 'empty');
    change(repo, 'cp', 'trunk', 'branches/a');
    change(repo, 'cp', 'trunk', 'branches/team/b');
    change(repo, 'cp', 'trunk', 'branches/old-1');
    change(repo, 'cp', 'trunk', 'tags/v1/web');
    commitSvn(repo, { 'dir/deep/f.txt': '' });
    const names = async (...branches: string[]) => Object.keys(await headsOf(branches)).sort();
    expect(await names('**')).toEqual(['branches/a', 'branches/old-1', 'branches/team/b', 'tags/v1/web', 'trunk']);
    expect(await names('!tags/**')).toEqual(['branches/a', 'branches/old-1', 'branches/team/b', 'trunk']);
    expect(await names('branches/*', '!branches/old*')).toEqual(['branches/a', 'branches/team']);
    expect(await names('branches/**')).toEqual(['branches/a', 'branches/old-1', 'branches/team/b']);
    expect(await names('tags/v*/web')).toEqual(['tags/v1/web']);
    expect(await names('*/*/*')).toEqual(['branches/team/b', 'tags/v1/web', 'trunk/dir/deep']);
    expect(await names('**/b')).toEqual(['branches/team/b']);
    expect(await names('{trunk,branches/a*}', 'none', 'branches/none')).toEqual(['branches/a', 'trunk']);
    expect(await names('./trunk/')).toEqual(['trunk']);
    expect(await names('trunk/README.md', 'none/*')).toEqual([]);
    expect(await headsOf(['.'], accessTo(`${repo.url}/trunk`))).toEqual({ '.': expect.any(String) });
  });

  it('more than 5,000 are refused by a clear error', async () => {
    const listing = Array.from({ length: 5_001 }, (_, index) => `b${index}`);
    const folder = workspace('many');
    for (const name of listing) mkdirSync(join(folder, name));
    repo.svn('import', '-q', '-m', 'many', folder, `${repo.url}/many`);
    await expect(headsOf(['many/*'])).rejects.toMatchObject({ code: 'too_large', field: 'source.branches' });
  });

  it('may be named like anything: each is built and nothing is run', async () => {
    const names = [
      '--config-option=x',
      'trunk@{2020-01-01}',
      'a b',
      'ü',
      'x@5',
      '100%',
      'p%20q',
      '$(id)',
      '!bang',
      '#?',
    ];
    for (const name of names) change(repo, 'cp', 'trunk', `odd/${name}`);
    const heads = await headsOf(['odd/*']);
    expect(Object.keys(heads).sort()).toEqual(names.map((name) => `odd/${name}`).sort());
    for (const [branch, revision] of Object.entries(heads)) {
      expect(await headsOf([branch])).toEqual({ [branch]: revision });
      expect(await scm.resolve(access, branch, revision, signal)).toBe(revision);
      expect(await scm.readFile(access, on(revision, branch), 'README.md', signal)).toBe('hello\n');
      expect(await scm.log(access, { to: on(revision, branch), not: [], limit: 5 }, signal)).toHaveLength(1);
      const into = workspace(`w${revision}`);
      await scm.checkout(access, on(revision, branch), into, signal);
      expect(readdirSync(into).sort()).toEqual(['.svn', 'README.md']);
    }
  });

  it('that came to its place with a folder above it is still built at its last change', async () => {
    const last = commitSvn(repo, { 'a.txt': '1' }, 'before the move');
    commitSvn(repo, { 'b.txt': '1' }, 'elsewhere', 'other');
    change(repo, 'mkdir', 'shop');
    change(repo, 'mv', 'trunk', 'shop/trunk');
    change(repo, 'mv', 'shop', 'store');
    const moved = await headsOf(['trunk'], accessTo(`${repo.url}/store`));
    const copied = change(repo, 'cp', 'store', 'copy');
    const from = accessTo(`${repo.url}/copy`);
    expect(Number(moved.trunk)).toBeGreaterThan(Number(last));
    expect(await headsOf(['trunk'], from)).toEqual(moved);
    const head = on(moved.trunk ?? '');
    expect(Number(copied)).toBeGreaterThan(Number(moved.trunk));
    expect(await scm.resolve(from, 'trunk', head.revision, signal)).toBe(head.revision);
    expect(await scm.readFile(from, head, 'a.txt', signal)).toBe('1');
    expect(await scm.readFile(from, head, 'none.txt', signal)).toBeNull();
    expect(await scm.log(from, { to: head, not: [], limit: 5 }, signal)).toMatchObject([{ revision: moved.trunk }]);
    const into = workspace();
    await scm.checkout(from, head, into, signal);
    expect(text(into, 'a.txt')).toBe('1');
    const gone = await failureOf(scm.readFile(access, on(copied), 'a.txt', signal));
    expect(gone).toMatchObject({ fault: 'not-found', text: expect.stringContaining('is gone') });
  });
});

needs('svn')('svn: revisions', () => {
  begin();

  it('are decimal numbers, at which the branch was there', async () => {
    const first = commitSvn(repo, { 'a.txt': '1' });
    const made = change(repo, 'cp', 'trunk', 'branches/x');
    expect(await scm.resolve(access, 'trunk', `r${first}`, signal)).toBe(first);
    expect(await scm.resolve(access, 'trunk', made, signal)).toBe(first);
    expect(await scm.resolve(access, 'branches/x', made, signal)).toBe(made);
    for (const [branch, revision] of [
      ['branches/x', first],
      ['none', made],
      ['trunk/a.txt', made],
      ['trunk', '99'],
      ['trunk', '0'],
      ['trunk', 'HEAD'],
      ['trunk', 'abc1234'],
      ['trunk', '{2020-01-01}'],
      ['trunk', '1:2'],
      ['trunk', '-r1'],
      ['trunk', ''],
    ] as const) {
      await expect(scm.resolve(access, branch, revision, signal), `${branch} ${revision}`).rejects.toMatchObject({
        code: 'invalid',
        field: 'revision',
      });
    }
    for (const branch of ['../x', '/trunk', 'a//b', 'a\nb', 'x/..']) {
      await expect(scm.resolve(access, branch, made, signal)).rejects.toMatchObject({ field: 'branch' });
    }
    await expect(scm.checkout(access, on('HEAD'), workspace(), signal)).rejects.toMatchObject({ code: 'invalid' });
  });

  it('tell what they touched: outside the branch from the root, folders with a slash, merges as one', async () => {
    change(repo, 'cp', 'trunk', 'branches/x');
    commitSvn(repo, { 'one.txt': '1', 'sub/two.txt': '2' }, 'on x', 'branches/x');
    repo.svn('update', '-q', '--ignore-externals');
    writeFileSync(join(repo.work, 'branches/x/both-x.txt'), '');
    const both = commitSvn(repo, { 'both.txt': '' }, 'both');
    repo.svn('update', '-q', '--ignore-externals');
    repo.svn('merge', '-q', '--accept', 'theirs-full', '^/branches/x', 'trunk');
    const merge = commitSvn(repo, {}, 'merge');
    const removed = change(repo, 'rm', 'trunk/sub');
    const own = setProperty(repo, 'trunk', 'x', 'y');
    const log = await scm.log(access, { to: on(own), not: [on(both), on('1', 'other')], limit: 10 }, signal);
    expect(log.map(({ revision, files }) => [revision, files])).toEqual([
      [own, ['.']],
      [removed, ['sub/']],
      [merge, ['both-x.txt', 'one.txt', 'sub/']],
    ]);
    const [last] = await scm.log(access, { to: on(both), not: [], limit: 1 }, signal);
    expect(last).toMatchObject({
      author: 'dev',
      email: null,
      message: 'both',
      files: ['/branches/x/both-x.txt', 'both.txt'],
    });
    expect(await scm.log(access, { to: on(both), not: [on(own)], limit: 10 }, signal)).toEqual([]);
    expect(await scm.log(access, { to: on(own), not: [on('4000')], limit: 2 }, signal)).toHaveLength(2);
    expect(await scm.log(access, { to: on(own), not: [on(own)], limit: 2 }, signal)).toEqual([]);
    expect(await scm.log(access, { to: on(own, '.'), not: [], limit: 1 }, signal)).toMatchObject([
      { files: ['trunk/'] },
    ]);
  });

  it('may have no author, no message, or any bytes in them', async () => {
    const odd = commitSvn(repo, { 'a.txt': '1' }, 'odd');
    const bare = commitSvn(repo, { 'a.txt': '2' }, 'bare');
    const date = Buffer.from('2024-05-06T07:08:09.000000Z');
    const bytes = Buffer.from([0x66, 0xe9, 0xff, 0x0a, 0x01, 0x1b, 0x3c]);
    writeRevisionProperties(repo, odd, { 'svn:author': bytes, 'svn:date': date, 'svn:log': bytes });
    writeRevisionProperties(repo, bare, {});
    const fresh = scmFor('svn', { allowFile: true, caFile: null, timeoutMs: 60_000 });
    const [second, first] = await fresh.log(access, { to: on(bare), not: [], limit: 2 }, signal);
    expect(second).toEqual({ revision: bare, author: null, email: null, message: '', at: 0, files: ['a.txt'] });
    expect(first).toMatchObject({ revision: odd, at: Date.UTC(2024, 4, 6, 7, 8, 9) });
    expect(first?.message).toMatch(/^f.*</s);
    expect(await headsOf(['*'])).toEqual({ trunk: bare });
  });

  it('name at most 100 files', async () => {
    const many = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`f${index}`, `${index}`]));
    const revision = commitSvn(repo, many, 'many');
    const [entry] = await scm.log(access, { to: on(revision), not: [], limit: 1 }, signal);
    expect(entry?.files).toHaveLength(100);
  });

  it('rules for paths hide: entries without paths, and a partial checkout', async () => {
    commitSvn(repo, { 'secret/s.txt': 's', 'a.txt': 'a' }, 'both');
    const hidden = commitSvn(repo, { 'secret/s.txt': 's2' }, 'hidden');
    const last = commitSvn(repo, { 'a.txt': 'a2' }, 'seen');
    change(repo, 'cp', 'trunk', 'closed/trunk');
    const name = repo.dir.split('/').pop();
    const authz = `[${name}:/]\n* = r\n[${name}:/trunk/secret]\n* =\n[${name}:/closed]\n* =\n`;
    const server = await started(serveSvn(root, DEV, authz));
    const from = accessTo(server.urlOf(repo), DEV);
    const log = await scm.log(from, { to: on(last), not: [], limit: 3 }, signal);
    expect(log[1]).toEqual({ revision: hidden, author: null, email: null, message: '', at: 0, files: [] });
    expect(log[2]).toMatchObject({ files: ['a.txt'] });
    const into = workspace();
    await scm.checkout(from, on(last), into, signal);
    expect(readdirSync(into).sort()).toEqual(['.svn', 'README.md', 'a.txt']);
    expect(await headsOf(['**'], from)).toEqual({ trunk: last });
    expect((await failureOf(headsOf(['closed/trunk'], from))).fault).toBe('auth');
  });
});

needs('svn')('svn: files and workspaces', () => {
  begin();

  it('links are checked out as they are and never read', async () => {
    repo.svn('update', '-q', '--ignore-externals');
    symlinkSync('/etc/passwd', join(repo.work, 'trunk/link'));
    symlinkSync('/etc', join(repo.work, 'trunk/folder'));
    const revision = commitSvn(repo, { 'plain.txt': 'link to nothing\n' });
    await expect(scm.readFile(access, on(revision), 'link', signal)).rejects.toMatchObject({ field: 'path' });
    expect(await scm.readFile(access, on(revision), 'folder/passwd', signal)).toBeNull();
    expect(await scm.readFile(access, on(revision), 'plain.txt', signal)).toBe('link to nothing\n');
    const into = workspace();
    await scm.checkout(access, on(revision), into, signal);
    expect(lstatSync(join(into, 'link')).isSymbolicLink()).toBe(true);
  });

  it('a workspace is a working copy of its own, without credentials', async () => {
    const server = await started(serveSvn(root, DEV));
    commitSvn(repo, { 'run.sh': '#!/bin/sh\n', 'ü b.txt': '$Rev$\n' });
    setProperty(repo, 'trunk/run.sh', 'svn:executable', '*');
    const last = setProperty(repo, 'trunk/ü b.txt', 'svn:keywords', 'Rev');
    const into = workspace();
    await scm.checkout(accessTo(server.urlOf(repo), DEV), on(last), into, signal);
    await server.stop();
    removeFolder(join(root, 'cache'));
    expect(svnHere('info', '--show-item', 'revision', into)).toBe(last);
    expect(svnHere('status', into)).toBe('');
    expect(text(into, 'ü b.txt')).toBe(`$Rev: ${last} $\n`);
    expect(lstatSync(join(into, 'run.sh')).mode & 0o111).toBe(0o111);
    expect(readFileSync(join(into, '.svn/wc.db')).includes('battery')).toBe(false);
  });

  it('a working copy that a killed process has locked, or that is damaged, gives the right files all the same', async () => {
    commitSvn(repo, { 'a.txt': '0', 'dir/b.txt': 'b' });
    const damages: [string, (copy: string) => void][] = [
      ['nothing', () => undefined],
      ['locked', (copy) => sqlite(copy, "INSERT INTO wc_lock VALUES (1, '', -1)")],
      ['a file changed', (copy) => writeFileSync(join(copy, 'dir/b.txt'), 'changed')],
      ['a file more', (copy) => writeFileSync(join(copy, 'more.txt'), 'x')],
      ['a file gone', (copy) => rmSync(join(copy, 'dir/b.txt'))],
      ['a folder gone', (copy) => rmSync(join(copy, 'dir'), { recursive: true })],
      ['no database', (copy) => rmSync(join(copy, '.svn/wc.db'))],
      ['half a database', (copy) => truncateSync(join(copy, '.svn/wc.db'), 5_000)],
      ['no originals', (copy) => rmSync(join(copy, '.svn/pristine'), { recursive: true })],
      ['another repository', (copy) => otherRepository(copy)],
      ['no folder', (copy) => rmSync(copy, { recursive: true })],
    ];
    await scm.checkout(access, on('2'), workspace(), signal);
    for (const [index, [name, damage]] of damages.entries()) {
      const revision = commitSvn(repo, { 'a.txt': name });
      damage(copyOf());
      const into = workspace(`w${index}`);
      await scm.checkout(access, on(revision), into, signal);
      expect(readdirSync(into).sort(), name).toEqual(['.svn', 'README.md', 'a.txt', 'dir']);
      expect([text(into, 'a.txt'), text(into, 'dir/b.txt')]).toEqual([name, 'b']);
      expect(svnHere('status', into)).toBe('');
    }
    const again = workspace('again');
    writeFileSync(join(copyOf(), 'dir/b.txt'), 'changed');
    const [head] = await scm.heads(access, signal);
    await scm.checkout(access, head ?? on('0'), again, signal);
    expect(text(again, 'dir/b.txt')).toBe('b');
  });

  it('of many branches, the working copies used last are kept', async () => {
    for (let index = 0; index < 18; index++) {
      const branch = `branches/b${index}`;
      const revision = change(repo, 'cp', 'trunk', branch);
      await scm.checkout(access, on(revision, branch), workspace(`w${index}`), signal);
      for (const name of readdirSync(join(root, 'cache'))) {
        const { mtimeMs } = lstatSync(join(root, 'cache', name));
        utimesSync(join(root, 'cache', name), mtimeMs / 1000 - 60, mtimeMs / 1000 - 60);
      }
    }
    expect(readdirSync(join(root, 'cache'))).toHaveLength(16);
  });

  it('a failed checkout leaves an empty folder', async () => {
    const into = workspace();
    expect((await failureOf(scm.checkout(access, on('77'), into, signal))).fault).toBe('not-found');
    expect(readdirSync(into)).toEqual([]);
  });

  function sqlite(copy: string, statement: string): void {
    const code = `import Database from 'better-sqlite3'; new Database(${JSON.stringify(join(copy, '.svn/wc.db'))}).exec(${JSON.stringify(statement)});`;
    execFileSync(process.execPath, ['--input-type=module', '-e', code]);
  }
  function otherRepository(copy: string): void {
    const other = defineSvnRepo({ 'other.txt': 'x' }, root);
    rmSync(copy, { recursive: true });
    svnHere('checkout', '-q', `${other.url}/trunk`, copy);
  }
});

needs('svn')('svn: externals', () => {
  begin();
  const define = (value: string, path = 'trunk') => setProperty(repo, path, 'svn:externals', value);

  it('are pinned when they are asked for, and checked out so', async () => {
    const lib = commitSvn(repo, { 'lib.txt': '1', 'deep/conf.txt': 'c1' }, 'lib', 'lib');
    const other = commitSvn(repo, { 'lib.txt': '2' }, 'lib again', 'lib');
    commitSvn(repo, { 'dir/f.txt': '' });
    define('../../lib up', 'trunk/dir');
    const revision = define(
      `# comment\n^/lib new\n-r ${lib} ^/lib "old lib"\n^/lib@${lib} peg\nclassic -r${lib} ${repo.url}/lib\n^/lib/deep/conf.txt conf.txt\n`,
    );
    const externals = await scm.externals(access, on(revision), signal);
    expect(externals).toEqual(
      expect.arrayContaining([
        { path: 'dir/up', url: `${repo.url}/lib`, revision: other },
        { path: 'new', url: `${repo.url}/lib`, revision: other },
        { path: 'old lib', url: `${repo.url}/lib`, revision: lib },
        { path: 'peg', url: `${repo.url}/lib`, revision: lib },
        { path: 'classic', url: `${repo.url}/lib`, revision: lib },
        { path: 'conf.txt', url: `${repo.url}/lib/deep/conf.txt`, revision: lib },
      ]),
    );
    expect(externals).toHaveLength(6);
    commitSvn(repo, { 'lib.txt': '3', 'deep/conf.txt': 'c3' }, 'moved on', 'lib');
    const into = workspace();
    await scm.checkout(access, { ...on(revision), externals }, into, signal);
    const texts = ['new', 'old lib', 'peg', 'classic'].map((name) => text(into, name, 'lib.txt'));
    expect(texts).toEqual(['2', '1', '1', '1']);
    expect(text(into, 'conf.txt')).toBe('c1');
    expect(svnHere('info', '--show-item', 'revision', join(into, 'new'))).toBe(other);
    const without = workspace('without');
    await scm.checkout(access, on(revision), without, signal);
    expect(readdirSync(without).sort()).toEqual(['.svn', 'README.md', 'dir']);
  });

  it('are those of the revision asked for, also where only little is asked anew', async () => {
    const lib = commitSvn(repo, { 'lib.txt': '1' }, 'lib', 'lib');
    const paths = async (revision: string) =>
      (await scm.externals(access, on(revision), signal)).map(({ path, revision: at }) => `${path}@${at}`).sort();
    const none = commitSvn(repo, { 'a/f.txt': '', 'b/f.txt': '' });
    const one = define('^/lib l', 'trunk/a');
    const idle = commitSvn(repo, { 'a/f.txt': '2' });
    const two = define('^/lib m', 'trunk/b');
    const copied = change(repo, 'cp', 'trunk/a', 'trunk/c');
    const less = change(repo, 'rm', 'trunk/b');
    repo.svn('update', '-q', '--ignore-externals');
    repo.svn('propdel', '-q', 'svn:externals', 'trunk/a');
    const last = commitSvn(repo, {});
    const expected: [string, string[]][] = [
      [none, []],
      [one, ['a/l']],
      [idle, ['a/l']],
      [two, ['a/l', 'b/m']],
      [copied, ['a/l', 'b/m', 'c/l']],
      [less, ['a/l', 'c/l']],
      [last, ['c/l']],
      [two, ['a/l', 'b/m']],
    ];
    for (const [revision, wanted] of expected) {
      expect(await paths(revision)).toEqual(wanted.map((path) => `${path}@${lib}`));
    }
  });

  it('of externals are followed, but not for ever', async () => {
    commitSvn(repo, { 'a.txt': 'a' }, 'a', 'a');
    commitSvn(repo, { 'b.txt': 'b' }, 'b', 'b');
    define('^/b b\n^/a again', 'a');
    define('^/a loop', 'b');
    const revision = define('^/a a');
    const externals = await scm.externals(access, on(revision), signal);
    expect(externals.map(({ path }) => path)).toEqual(['a', 'a/b']);
    const into = workspace();
    await scm.checkout(access, { ...on(revision), externals }, into, signal);
    expect(text(into, 'a/b/b.txt')).toBe('b');

    for (const [from, to] of ['c1 c2', 'c2 c3', 'c3 c4', 'c4 c5'].map((pair) => pair.split(' '))) {
      change(repo, 'mkdir', from ?? '');
      define(`^/${to} next`, from);
    }
    change(repo, 'mkdir', 'c5');
    const deep = define('^/c1 c');
    await expect(scm.externals(access, on(deep), signal)).rejects.toMatchObject({ code: 'invalid' });
  });

  it.each([
    ['http://other.example/svn/lib lib', /external lib .*another host/],
    ['//other.example/svn/lib lib', /another host/],
    ['file:///etc lib', /file:/],
    ['svn+evil://127.0.0.1/x lib', /svn\+evil/],
    ['http://user:secret-pw@127.0.0.1/x lib', /user or password/],
    ['--config-option=x lib', /not a URL/],
    ['-r {2020-01-01} ^/lib lib', /number or HEAD/],
    ['^/../../../../lib lib', /climbs/],
    ['^/lib x/.svn', /below its folder/],
    ['^/none lib', /there is no .*none at HEAD/],
    ['-r99 ^/lib lib', /there is no .*lib at r99/],
  ])('%j is refused by name', async (line, why) => {
    commitSvn(repo, { 'lib.txt': '1' }, 'lib', 'lib');
    const revision = define(line);
    const server = await started(serveSvn(root, DEV));
    const failure = await failureOf(scm.externals(accessTo(server.urlOf(repo), DEV), on(revision), signal));
    expect(failure).toMatchObject({ code: 'invalid', text: expect.stringMatching(why) });
    expect(failure.text).not.toContain('secret-pw');
  });

  it('from a host that the source names are taken, without its credentials', async () => {
    const other = defineSvnRepo({ 'lib.txt': 'other' }, root);
    const [server, foreign, closed] = [
      await started(serveSvn(root, DEV)),
      await started(serveSvn(root)),
      await started(serveSvn(root, DEV)),
    ];
    const at = (from: SvnServer) => from.urlOf(other).replace('127.0.0.1', 'localhost');
    const revision = define(`${at(foreign)}/trunk lib`);
    const source = accessTo(server.urlOf(repo), DEV, { hosts: ['localhost'] });
    const externals = await scm.externals(source, on(revision), signal);
    const into = workspace();
    await scm.checkout(source, { ...on(revision), externals }, into, signal);
    expect(text(into, 'lib/lib.txt')).toBe('other');
    const refused = define(`${at(closed)}/trunk lib`);
    expect((await failureOf(scm.externals(source, on(refused), signal))).fault).toBe('auth');
  });

  it('are put neither over files nor through links', async () => {
    const lib = commitSvn(repo, { 'lib.txt': '1' }, 'lib', 'lib');
    repo.svn('update', '-q', '--ignore-externals');
    symlinkSync(root, join(repo.work, 'trunk/link'));
    const revision = commitSvn(repo, { 'there/f.txt': '' });
    for (const path of ['link/x', 'there', 'there/f.txt', 'README.md/x', '../x', 'a/../../x']) {
      const into = workspace(`w${path.replaceAll('/', '-')}`);
      const externals = [{ path, url: `${repo.url}/lib`, revision: lib }];
      await expect(scm.checkout(access, { ...on(revision), externals }, into, signal)).rejects.toMatchObject({
        code: 'invalid',
      });
      expect(readdirSync(into)).toEqual([]);
    }
    expect(existsSync(join(root, 'x'))).toBe(false);
  });
});

needs(
  'svn',
  'apache-svn',
  'sshd',
)('svn: a server that says no or nothing', () => {
  begin();

  it('wrong password → auth, and the password is nowhere in the error', async () => {
    const wrong = { username: 'dev', password: 'guessed-wr0ng' };
    for (const server of [await started(serveSvn(root, DEV)), await started(serveDav(root, DEV))]) {
      const url = server.urlOf(repo);
      for (const ask of [
        () => headsOf(['*'], accessTo(url, wrong)),
        () => scm.checkout(accessTo(url, wrong), on('2'), workspace(url.slice(0, 4)), signal),
      ]) {
        const failure = await failureOf(ask());
        expect(failure.fault, failure.text).toBe('auth');
        expect(failure.text).not.toContain('guessed-wr0ng');
      }
      expect((await failureOf(scm.pulse(accessTo(url), signal))).fault).toBe('auth');
    }
  });

  it('no such repository or project → not-found, over every transport', async () => {
    const missing = { ...repo, dir: join(root, 'missing') };
    const servers = [await started(serveSvn(root, DEV)), await started(serveDav(root, DEV))];
    const urls = servers.flatMap((server) => [server.urlOf(missing), `${server.urlOf(repo)}/no/project`]);
    const dav = servers[1]?.urlOf(repo).replace('/svn/', '/elsewhere/') ?? '';
    for (const url of [...urls, dav, `file://${missing.dir}`]) {
      for (const ask of [
        () => headsOf(['trunk'], accessTo(url, DEV)),
        () => headsOf(['*'], accessTo(url, DEV)),
        () => scm.pulse(accessTo(url, DEV), signal),
      ]) {
        expect((await failureOf(ask())).fault, url).toBe('not-found');
      }
    }
  });

  it('nobody listens, or there is no such host → unreachable', async () => {
    const port = await freePort();
    const hosts = [`127.0.0.1:${port}`, 'no-such-host.invalid'];
    for (const host of hosts) {
      for (const scheme of ['http', 'svn']) {
        const url = `${scheme}://${host}/x`;
        expect((await failureOf(scm.pulse(accessTo(url), signal))).fault, url).toBe('unreachable');
      }
    }
    expect((await failureOf(scm.pulse(accessTo(`svn+ssh://x@127.0.0.1:${port}/x`), signal))).fault).toBe('unreachable');
  });

  it('silence → timeout, and no process is left', async () => {
    const silence = await started(serveSilence());
    const mine = randomUUID();
    const impatient = scmFor('svn', { allowFile: false, caFile: null, timeoutMs: 1_000, instance: mine });
    for (const scheme of ['http', 'svn', 'svn+ssh']) {
      const source = accessTo(`${scheme}://127.0.0.1:${silence.port}/x`);
      const began = performance.now();
      expect((await failureOf(impatient.pulse(source, signal))).fault, scheme).toBe('timeout');
      const failed = await failureOf(impatient.checkout(source, on('1'), workspace(`silent-${scheme}`), signal));
      expect(failed.fault, failed.text).toBe('timeout');
      expect(performance.now() - began).toBeLessThan(20_000);
    }
    expect(findByCookie(mine)).toEqual([]);
  });

  it('an abort ends it at once, with the reason given', async () => {
    const silence = await started(serveSilence());
    const stop = new AbortController();
    const asking = scm.heads(accessTo(`svn://127.0.0.1:${silence.port}/x`), stop.signal);
    while (findByCookie(instance).length === 0) await new Promise(setImmediate);
    stop.abort(new Error('cancelled by a test'));
    await expect(asking).rejects.toThrow('cancelled by a test');
    expect(findByCookie(instance)).toEqual([]);
  });

  it('a redirection to another host is not followed', async () => {
    const server = await started(serveDav(root, DEV));
    const name = repo.dir.split('/').pop();
    const at = (path: string) => accessTo(`http://127.0.0.1:${server.port}/${path}/${name}`, DEV);
    expect(await scm.pulse(at('moved'), signal)).toMatchObject({ mark: '2' });
    const failure = await failureOf(scm.pulse(at('away'), signal));
    expect(failure).toMatchObject({ fault: 'protocol', text: expect.stringContaining('redirects') });
  });

  it('credentials never appear in the arguments of a process', async () => {
    const silence = await started(serveSilence());
    for (const scheme of ['http', 'svn']) {
      const stop = new AbortController();
      const source = accessTo(`${scheme}://127.0.0.1:${silence.port}/x`, DEV);
      const asking = scm.pulse(source, stop.signal).catch(() => undefined);
      let line = '';
      while (!line.includes('password-from-stdin')) {
        await new Promise(setImmediate);
        for (const pid of findByCookie(instance)) line += readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      }
      stop.abort(new Error('seen enough'));
      await asking;
      expect(line).not.toContain('battery');
    }
  });

  it('says which credentials fit which URL', async () => {
    for (const [url, credentials] of [
      ['svn+ssh://svn@localhost/x', DEV],
      ['https://localhost/x', { token: 'x' }],
      ['svn://localhost/x', { sshKey: 'x' }],
      ['svn://localhost/x', { username: 'a\nb', password: 'x' }],
    ] as const) {
      await expect(scm.pulse(accessTo(url, credentials), signal)).rejects.toMatchObject({
        field: 'source.credentials',
      });
    }
  });

  it('another key, another host key, or no key at all → auth', async () => {
    const [server, other] = await Promise.all([started(serveSvnSsh()), started(serveSsh())]);
    const wrong: (SourceCredentials | null)[] = [
      { sshKey: other.privateKey, knownHosts: server.knownHosts },
      { sshKey: server.privateKey, knownHosts: other.knownHosts },
      { sshKey: 'not a key', knownHosts: server.knownHosts },
      null,
    ];
    for (const credentials of wrong) {
      const failure = await failureOf(scm.pulse(accessTo(server.urlOf(repo), credentials), signal));
      expect(failure.fault, failure.text).toBe('auth');
      expect(failure.text).not.toContain('PRIVATE KEY');
    }
    expect((await scm.pulse(accessTo(server.urlOf(repo), { sshKey: server.privateKey }), signal)).mark).toBe('2');
    expect(existsSync(join(root, 'cache', 'known_hosts'))).toBe(true);
  });
});

describe('svn: URLs', () => {
  it.each([
    '',
    '/srv/svn/shop',
    'file:///srv/svn/shop',
    'svn+x://host/shop',
    'ssh://host/shop',
    '--config-option=config:tunnels:x=id',
    'svn+ssh://-oProxyCommand=id/x',
    'svn+ssh://%2doProxyCommand=id/x',
    'svn+ssh://-x@host/x',
    'https://user:token@host/x',
    'https://user@host/x',
    'svn://host/a b',
    'svn://host/a\nb',
    'svn://host/a%00b',
    'svn://host/a/../b',
    'svn://host/a/%2e%2e/b',
    'svn:///x',
    'https://host/x?y#z',
    'https://host\\@other/x',
    'https://host/%zz',
  ])('%j is refused before svn starts', async (url) => {
    const strict = scmFor('svn', { allowFile: false, caFile: null, timeoutMs: 1_000 });
    root = '/nonexistent';
    await expect(strict.pulse(accessTo(url), signal)).rejects.toMatchObject({ code: 'invalid', field: 'source.url' });
  });
});
