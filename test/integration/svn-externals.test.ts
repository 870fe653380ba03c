import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { needs } from '../fixtures/real.ts';
import {
  access,
  accessTo,
  begin,
  DEV,
  failureOf,
  on,
  repo,
  root,
  scm,
  signal,
  started,
  svnHere,
  text,
  workspace,
} from '../fixtures/svn-bench.ts';
import { change, commitSvn, defineSvnRepo, type SvnServer, serveSvn, setProperty } from '../fixtures/svn-server.ts';

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
