/** Submodules: what is checked out, from where, and what is refused before anything of it is fetched. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SourceCredentials } from '../../pipelines/model.ts';
import type { SourceAccess } from '../../pipelines/ports.ts';
import { GitScm } from '../../runner/tools/git.ts';
import { checkPlace } from '../../runner/tools/git-submodules.ts';
import {
  commit,
  defineRepo,
  type GitServer,
  type Repo,
  removeFolder,
  serveHttp,
  tempFolder,
} from '../fixtures/git-server.ts';

const scm = new GitScm({ allowFile: true, caFile: null, timeoutMs: 60_000, instance: randomUUID() });
const signal = new AbortController().signal;
const DEV = { username: 'dev', password: 'correct horse' };

let root: string;
let app: Repo;
let lib: Repo;
let servers: GitServer[];

beforeEach(() => {
  root = tempFolder();
  app = defineRepo(undefined, root);
  lib = defineRepo({ 'lib.txt': 'one' }, root);
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  removeFolder(root);
});

/** A server of its own that notes which repositories it was asked for. */
async function serve(user?: typeof DEV): Promise<GitServer & { asked: Set<string>; authorized: Set<string> }> {
  const asked = new Set<string>();
  const authorized = new Set<string>();
  const server = await serveHttp(root, user, (request) => {
    const name = request.url?.split('/')[1] ?? '';
    asked.add(name);
    if (request.headers.authorization !== undefined) authorized.add(name);
    return false;
  });
  servers.push(server);
  return { ...server, asked, authorized };
}
const nameOf = (repo: Repo) => repo.dir.slice(root.length + 1);

function accessTo(
  url: string,
  more: Partial<SourceAccess['source']> = {},
  credentials: SourceCredentials | null = null,
): SourceAccess {
  const source = { kind: 'git' as const, url, branches: ['**'], submodules: true, ...more };
  return { source, credentials, cache: join(root, 'cache') };
}
/** Commits a link to `revision` of another repository, and what `.gitmodules` says of it. */
function link(repo: Repo, path: string, url: string | null, revision: string, settings?: string): string {
  const file = join(repo.dir, '.gitmodules');
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const entry = url === null ? '' : `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n`;
  writeFileSync(file, settings ?? before + entry);
  repo.git('add', '.gitmodules');
  repo.git('update-index', '--add', '--cacheinfo', `160000,${revision},${path}`);
  repo.git('commit', '-q', '-m', `link ${path}`);
  return repo.git('rev-parse', 'HEAD');
}
const headOf = (repo: Repo) => repo.git('rev-parse', 'HEAD');
async function checkout(access: SourceAccess, revision: string, branch = 'main', name = 'workspace'): Promise<string> {
  const into = join(root, name);
  mkdirSync(into, { recursive: true });
  await scm.checkout(access, { branch, revision }, into, signal);
  return into;
}
const text = (...parts: string[]) => readFileSync(join(...parts), 'utf8');

describe('submodules', () => {
  it('are checked out at the commit that the revision names, in one another and by relative URLs', async () => {
    const deep = defineRepo({ 'deep.txt': 'deep' }, root);
    const pinned = link(lib, 'vendor/deep', `../../${nameOf(deep)}/.git`, headOf(deep));
    commit(lib, { 'lib.txt': 'two' });
    const revision = link(app, 'libs/my lib', `../../${nameOf(lib)}/.git`, pinned);
    const { urlOf, authorized } = await serve(DEV);
    const into = await checkout(accessTo(urlOf(app), {}, DEV), revision);
    expect(text(into, 'libs/my lib/lib.txt')).toBe('one');
    expect(text(into, 'libs/my lib/vendor/deep/deep.txt')).toBe('deep');
    expect(authorized).toEqual(new Set([app, lib, deep].map(nameOf)));
    removeFolder(join(root, 'cache'));
    const inside = (...args: string[]) => app.git('-C', into, ...args);
    expect(inside('status', '--porcelain')).toBe('');
    expect(
      inside('submodule', 'status', '--recursive')
        .split('\n')
        .map((line) => line.trim().split(' ')[0]),
    ).toEqual([pinned, headOf(deep)]);
    expect(inside('-C', 'libs/my lib', 'rev-parse', 'HEAD')).toBe(pinned);
  });

  it('stay away unless they are asked for, and where none are there nothing changes', async () => {
    const plain = headOf(app);
    const revision = link(app, 'lib', lib.url, headOf(lib));
    const without = await checkout(accessTo(app.url, { submodules: false }), revision);
    expect(readdirSync(join(without, 'lib'))).toEqual([]);
    const into = await checkout(accessTo(app.url), plain, 'main', 'plain');
    expect(readdirSync(into).sort()).toEqual(['.git', 'README.md']);
  });

  it('one whose commit is gone is "not-found" by name, and leaves nothing behind', async () => {
    const revision = link(app, 'libs/a', lib.url, '1'.repeat(40));
    const into = join(root, 'workspace');
    await expect(checkout(accessTo(app.url), revision)).rejects.toMatchObject({
      party: 'repository',
      fault: 'not-found',
      message: expect.stringMatching(/^the submodule "libs\/a": revision 1{40} is gone/),
    });
    expect(readdirSync(into)).toEqual([]);
    const missing = link(app, 'libs/b', `${lib.url}-gone`, headOf(lib));
    await expect(checkout(accessTo(app.url), missing)).rejects.toMatchObject({ fault: 'not-found' });
  });

  it('of another host are fetched where the source names it, without the credentials', async () => {
    const other = await serve();
    const own = await serve(DEV);
    const url = other.urlOf(lib).replace('127.0.0.1', 'localhost');
    const revision = link(app, 'lib', url, headOf(lib));
    await expect(checkout(accessTo(own.urlOf(app), {}, DEV), revision)).rejects.toMatchObject({
      code: 'invalid',
      field: 'source.hosts',
      message: expect.stringMatching(/^the submodule "lib": .*source\.hosts names localhost/),
    });
    expect(other.asked).toEqual(new Set());
    const into = await checkout(accessTo(own.urlOf(app), { hosts: ['LocalHost'] }, DEV), revision);
    expect(text(into, 'lib/lib.txt')).toBe('one');
    expect(other.authorized).toEqual(new Set());
  });

  it('on another port of the own host do not get the credentials either', async () => {
    const other = await serve(DEV);
    const own = await serve(DEV);
    const revision = link(app, 'lib', other.urlOf(lib), headOf(lib));
    await expect(checkout(accessTo(own.urlOf(app), {}, DEV), revision)).rejects.toMatchObject({ fault: 'auth' });
    expect(other.authorized).toEqual(new Set());
  });

  it('of a pull request are fetched without the credentials, and not from what was fetched with them', async () => {
    const { urlOf, authorized } = await serve(DEV);
    const revision = link(app, 'lib', `../../${nameOf(lib)}/.git`, headOf(lib));
    const access = accessTo(urlOf(app), {}, DEV);
    await checkout(access, revision);
    expect(authorized).toContain(nameOf(lib));
    app.git('update-ref', 'refs/pull/7/head', revision);
    await expect(checkout(access, revision, 'refs/pull/7/head', 'pull')).rejects.toMatchObject({
      fault: 'auth',
      message: expect.stringContaining('pull request'),
    });
  });
});

describe('what a .gitmodules may not say', () => {
  const refusal = (path: string) => ({ code: 'invalid', message: expect.stringContaining(`submodule "${path}"`) });

  it.each([
    'ext::sh -c touch% pwned',
    'fd::17',
    '-u',
    '--upload-pack=touch pwned',
    'ssh://-oProxyCommand=id/x',
    'git@-oProxyCommand=id:y',
    'https://user:token@127.0.0.1/x',
    'file:///etc',
    '/etc',
    '../../../../../x',
    '"https://127.0.0.1#@evil.example/x"',
    'https://evil.example/x',
    '"http://127.0.0.1/x\r"',
    '"http://127.0.0.1/\\nx"',
  ])('a URL %s', async (url) => {
    const { urlOf, asked } = await serve();
    const revision = link(app, 'x', url, headOf(lib));
    await expect(checkout(accessTo(urlOf(app)), revision)).rejects.toMatchObject(refusal('x'));
    expect([...asked]).toEqual([nameOf(app)]);
    expect(existsSync(join(root, 'workspace/pwned'))).toBe(false);
  });

  it.each(['lib\r', 'a\nb', '.GIT/hooks', 'x/.git/y', 'git~1'])('a path %j', async (path) => {
    const { urlOf, asked } = await serve();
    const settings = `[submodule "x"]\n\tpath = "${path.replace('\n', '\\n')}"\n\turl = ../../${nameOf(lib)}/.git\n`;
    const entry = `160000 commit ${headOf(lib)}\t`;
    const treeOf = (parts: string[]): string => {
      const [name = '', ...rest] = parts;
      const line = rest.length === 0 ? `${entry}${name}` : `040000 tree ${treeOf(rest)}\t${name}`;
      const blob = `100644 blob ${writeBlob(settings)}\t.gitmodules`;
      const input = `${parts.length === path.split('/').length ? `${blob}\0` : ''}${line}\0`;
      return execFileSync('git', ['-C', app.dir, 'mktree', '-z'], { input, encoding: 'utf8' }).trim();
    };
    const revision = app.git('commit-tree', '-m', 'hostile', treeOf(path.split('/')));
    app.git('update-ref', 'refs/heads/hostile', revision);
    await expect(checkout(accessTo(urlOf(app)), revision)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(/control characters|invalid path/),
    });
    expect([...asked]).toEqual([nameOf(app)]);
    expect(readdirSync(join(root, 'workspace'))).toEqual([]);
  });

  it('a path through a link, or none where a submodule is', async () => {
    const outside = join(root, 'outside');
    const inside = join(root, 'inside');
    mkdirSync(outside);
    mkdirSync(join(inside, 'real'), { recursive: true });
    symlinkSync(outside, join(inside, 'link'));
    mkdirSync(join(outside, 'sub'));
    for (const path of ['link/sub', 'link', 'none', '../outside', 'real/../link', '.git'])
      await expect(checkPlace(inside, path), path).rejects.toMatchObject({ code: 'invalid' });
    await checkPlace(inside, 'real');

    const url = `../../${nameOf(lib)}`;
    symlinkSync(outside, join(app.dir, 'link'));
    app.git('add', 'link');
    const settings = `[submodule "x"]\n\tpath = link/sub\n\turl = ${url}\n[submodule "lib"]\n\tpath = lib\n\turl = ${lib.url}\n`;
    const into = await checkout(accessTo(app.url), link(app, 'lib', null, headOf(lib), settings));
    expect(text(into, 'lib/lib.txt')).toBe('one');
    expect(readdirSync(join(outside, 'sub'))).toEqual([]);
  });

  it('nothing, twice, or no configuration at all', async () => {
    const revision = headOf(lib);
    const broken: [string, RegExp][] = [
      ['', /submodule "x": \.gitmodules does not say/],
      [`[submodule "x"]\n\tpath = x\n`, /submodule "x": \.gitmodules does not say/],
      [`[submodule "x\n`, /\.gitmodules cannot be read: bad config line 1/],
      [`[include]\n\tpath = /etc/passwd\n`, /submodule "x": \.gitmodules does not say/],
      [
        `[submodule "x"]\n\tpath = x\n\turl = ${lib.url}\n[submodule "y"]\n\tpath = x\n\turl = ${app.url}\n`,
        /names two URLs for "x"/,
      ],
    ];
    for (const [index, [settings, message]] of broken.entries()) {
      const at = link(app, 'x', null, revision, `${settings}# ${index}\n`);
      await expect(checkout(accessTo(app.url), at)).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringMatching(message),
      });
    }
  });

  it('more than five deep, also of itself, or more than a hundred', async () => {
    for (let depth = 0; depth < 7; depth++) link(app, 'self', app.url, headOf(app));
    await expect(checkout(accessTo(app.url), headOf(app))).rejects.toMatchObject({
      ...refusal('self/self/self/self/self/self'),
      message: expect.stringContaining('at most 5 deep'),
    });
    const many = Array.from({ length: 101 }, (_, index) => `160000 ${headOf(lib)}\tm${index}\n`).join('');
    execFileSync('git', ['-C', lib.dir, 'update-index', '--index-info'], { input: many });
    lib.git('commit', '-q', '-m', 'many');
    await expect(checkout(accessTo(lib.url), headOf(lib))).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('more than 100 submodules'),
    });
  });
});

function writeBlob(content: string): string {
  return execFileSync('git', ['-C', app.dir, 'hash-object', '-w', '--stdin'], {
    input: content,
    encoding: 'utf8',
  }).trim();
}
