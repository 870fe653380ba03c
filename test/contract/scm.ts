/** What every implementation of the Scm port must do, for a repository that the bench can write to. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Scm, SourceAccess } from '../../pipelines/ports.ts';
import { removeFolder } from '../fixtures/git-server.ts';

/** A fresh repository with one commit of README.md on `branch`, the only branch. */
export interface ScmBench {
  scm: Scm;
  source: SourceAccess['source'];
  credentials: SourceAccess['credentials'];
  branch: string;
  /** Commits to the branch; answers the revision. */
  commit(files: Record<string, string>, message: string): string;
  /** Makes a branch of the present state; commits to `branch` afterwards do not move it. Answers its revision. */
  createBranch(name: string): string;
  /** Takes a branch away that `createBranch` has made. */
  deleteBranch(name: string): void;
  stop(): Promise<void>;
}

export function scmContract(name: string, open: () => Promise<ScmBench>): void {
  describe(`Scm contract: ${name}`, () => {
    let bench: ScmBench;
    let access: SourceAccess;
    let folder: string;
    const signal = new AbortController().signal;

    beforeEach(async () => {
      bench = await open();
      folder = mkdtempSync(join(tmpdir(), 'slipway-test-'));
      access = {
        source: { ...bench.source, branches: ['**'] },
        credentials: bench.credentials,
        cache: join(folder, 'cache'),
      };
    });
    afterEach(async () => {
      await bench.stop();
      removeFolder(folder);
    });
    const at = (revision: string) => ({ branch: bench.branch, revision });
    const workspace = (label: string) => {
      const into = join(folder, label);
      mkdirSync(into);
      return into;
    };

    it('lists the heads of the branches that are watched', async () => {
      bench.commit({ 'a.txt': '1' }, 'one');
      const release = bench.createBranch('release/1.0');
      const second = bench.commit({ 'a.txt': '2' }, 'two');
      const heads = await bench.scm.heads(access, signal);
      expect(heads).toEqual(expect.arrayContaining([{ branch: bench.branch, revision: second }]));
      expect(heads).toHaveLength(2);
      const narrowed = { ...access, source: { ...access.source, branches: ['release/*'] } };
      expect(await bench.scm.heads(narrowed, signal)).toEqual([{ branch: 'release/1.0', revision: release }]);
    });

    it('tells by its pulse whether anything has moved, and no heads but the right ones', async () => {
      const release = bench.createBranch('release/1.0');
      const first = bench.commit({ 'a.txt': '1' }, 'one');
      const before = await bench.scm.pulse(access, signal);
      expect(await bench.scm.pulse(access, signal)).toEqual(before);
      const second = bench.commit({ 'a.txt': '2' }, 'two');
      const after = await bench.scm.pulse(access, signal);
      expect(after.root).toBe(before.root);
      expect(after.mark).not.toBe(before.mark);
      for (const [{ heads }, revision] of [
        [before, first],
        [after, second],
      ] as const) {
        if (heads === null) continue;
        expect(heads).toHaveLength(2);
        expect(heads).toContainEqual({ branch: bench.branch, revision });
        expect(heads).toContainEqual({ branch: 'release/1.0', revision: release });
      }
    });

    it('no longer lists a branch that was deleted', async () => {
      bench.createBranch('release/1.0');
      const before = await bench.scm.pulse(access, signal);
      expect(await bench.scm.heads(access, signal)).toHaveLength(2);
      bench.deleteBranch('release/1.0');
      expect((await bench.scm.heads(access, signal)).map(({ branch }) => branch)).toEqual([bench.branch]);
      expect((await bench.scm.pulse(access, signal)).mark).not.toBe(before.mark);
    });

    it('takes nothing from elsewhere for a plain repository', async () => {
      const revision = bench.commit({ 'a.txt': '1' }, 'one');
      expect(await bench.scm.externals(access, at(revision), signal)).toEqual([]);
    });

    it('resolves a revision of the branch, and refuses one that is not there', async () => {
      const revision = bench.commit({ 'a.txt': '1' }, 'one');
      expect(await bench.scm.resolve(access, bench.branch, revision, signal)).toBe(revision);
      const missing = revision.replace(/./g, '9');
      await expect(bench.scm.resolve(access, bench.branch, missing, signal)).rejects.toMatchObject({ code: 'invalid' });
      await expect(bench.scm.resolve(access, bench.branch, '--exec=id', signal)).rejects.toMatchObject({
        code: 'invalid',
      });
    });

    it('tells the changes between two revisions, newest first', async () => {
      const from = bench.commit({ 'a.txt': '1' }, 'one');
      const second = bench.commit(
        { 'a.txt': '2', 'dir/ü b.txt': 'x' },
        'two\n\nwith "quotes", <b>HTML</b> and ünïcode',
      );
      const third = bench.commit({ 'c.txt': '3' }, 'three');
      const log = await bench.scm.log(access, { to: at(third), not: [at(from)], limit: 10 }, signal);
      expect(log.map(({ revision }) => revision)).toEqual([third, second]);
      expect(log[1]).toMatchObject({
        message: 'two\n\nwith "quotes", <b>HTML</b> and ünïcode',
        files: ['a.txt', 'dir/ü b.txt'],
      });
      expect(log[0]?.at).toBeGreaterThan(0);
      const one = await bench.scm.log(access, { to: at(third), not: [], limit: 1 }, signal);
      expect(one.map(({ revision }) => revision)).toEqual([third]);
    });

    it('tells only what none of the heads has that were built already', async () => {
      const first = bench.commit({ 'a.txt': '1' }, 'one');
      const second = bench.commit({ 'a.txt': '2' }, 'two');
      const third = bench.commit({ 'a.txt': '3' }, 'three');
      const since = async (...not: string[]) =>
        (await bench.scm.log(access, { to: at(third), not: not.map(at), limit: 10 }, signal)).map(
          (each) => each.message,
        );
      expect(await since(first, second)).toEqual(['three']);
      expect(await since(second, first)).toEqual(['three']);
      expect(await since(first)).toEqual(['three', 'two']);
      expect(await since(first, third)).toEqual([]);
    });

    it('reads a file as it was at a revision, and null where there is none', async () => {
      const before = bench.commit({ 'ci/slipway.yml': 'steps: {}\n' }, 'one');
      bench.commit({ 'ci/slipway.yml': 'changed\n' }, 'two');
      const at = { branch: bench.branch, revision: before };
      expect(await bench.scm.readFile(access, at, 'ci/slipway.yml', signal)).toBe('steps: {}\n');
      expect(await bench.scm.readFile(access, at, './ci//slipway.yml', signal)).toBe('steps: {}\n');
      expect(await bench.scm.readFile(access, at, 'none.yml', signal)).toBeNull();
      expect(await bench.scm.readFile(access, at, 'ci', signal)).toBeNull();
    });

    it('refuses to read outside the repository, or too much', async () => {
      const revision = bench.commit({ 'big.yml': 'x'.repeat(256 * 1024 + 1) }, 'big');
      const at = { branch: bench.branch, revision };
      for (const path of ['../x', '/etc/passwd', 'a/../../x', '', 'a\0b', 'big.yml']) {
        await expect(bench.scm.readFile(access, at, path, signal)).rejects.toMatchObject({
          code: 'invalid',
          field: 'path',
        });
      }
    });

    it('checks out exactly the revision asked for', async () => {
      const first = bench.commit({ 'a.txt': '1', 'dir/b.txt': 'b' }, 'one');
      const second = bench.commit({ 'a.txt': '2' }, 'two');
      for (const [revision, text] of [
        [second, '2'],
        [first, '1'],
      ] as const) {
        const into = workspace(`at-${text}`);
        await bench.scm.checkout(access, at(revision), into, signal);
        expect(readFileSync(join(into, 'a.txt'), 'utf8')).toBe(text);
        expect(existsSync(join(into, 'dir/b.txt'))).toBe(true);
      }
    });

    it('serves many at once', async () => {
      const revision = bench.commit({ 'a.txt': '1' }, 'one');
      const folders = ['w1', 'w2', 'w3', 'w4'].map(workspace);
      await Promise.all(folders.map((into) => bench.scm.checkout(access, at(revision), into, signal)));
      for (const into of folders) expect(readFileSync(join(into, 'a.txt'), 'utf8')).toBe('1');
    });

    it('does nothing once it is aborted', async () => {
      const aborted = AbortSignal.abort(new Error('cancelled by a test'));
      await expect(bench.scm.heads(access, aborted)).rejects.toThrow('cancelled by a test');
    });
  });
}
