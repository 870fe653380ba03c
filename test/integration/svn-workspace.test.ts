import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { removeFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import {
  access,
  accessTo,
  begin,
  copyOf,
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
import { change, commitSvn, defineSvnRepo, serveSvn, setProperty } from '../fixtures/svn-server.ts';

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
