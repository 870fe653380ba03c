import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scmFor } from '../../runner/tools/scm.ts';
import { needs } from '../fixtures/real.ts';
import {
  access,
  accessTo,
  begin,
  DEV,
  failureOf,
  headsOf,
  on,
  repo,
  root,
  scm,
  signal,
  started,
  text,
  workspace,
} from '../fixtures/svn-bench.ts';
import { change, commitSvn, serveSvn, setProperty, writeRevisionProperties } from '../fixtures/svn-server.ts';

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
