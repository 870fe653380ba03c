/** Real repositories tell a real server of what happens in them, and it misses nothing, even where it is killed. */
import { execFileSync } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commit, defineRepo, type Repo, removeFolder, tempFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { eventually, type Json, type Slipway, startSlipway } from '../fixtures/slipway.ts';
import { History } from '../replay/history.ts';
import { replay } from '../replay/replay.ts';
import { gitTarget, svnTarget } from '../replay/repositories.ts';

const CLI = path.resolve(import.meta.dirname, '../../dist/server/cli/main.js');
const SECRET = 'a hook secret of the test';
/** Polling finds nothing here in time: what is built was told by a hook. */
const NEVER = '0 0 1 1 *';
const FILE = 'steps: { unit: { image: "busybox:1.36", run: ["true"] } }\n';

needs('git', 'svn')('sources', () => {
  let slipway: Slipway;
  let folder: string;

  beforeAll(async () => {
    folder = tempFolder();
    slipway = await startSlipway({ SLIPWAY_RUNNER_SLOTS: '0' });
    await slipway.api('PUT', '/projects/shop', { name: 'Shop' });
  });
  afterAll(async () => {
    await slipway.stop();
    removeFolder(folder);
  });

  const define = async (name: string, source: Json, more: Json = {}) => {
    const body = { source, hookSecret: SECRET, poll: NEVER, ...more };
    const { warning } = await slipway.api('PUT', `/projects/shop/pipelines/${name}`, body);
    // On a busy machine the first look may take too long; nothing here works without it.
    if (warning !== null) await define(name, source, more);
  };
  const builds = async (name: string): Promise<Json[]> =>
    (await slipway.api('GET', `/projects/shop/pipelines/${name}/builds?limit=200`)).items;
  const built = (name: string, revision: string) =>
    eventually(`${revision} of ${name} to be built`, async () =>
      (await builds(name)).find((build) => build.revision === revision),
    );
  const bare = (name: string): { repo: Repo; dir: string; url: string } => {
    const repo = defineRepo({ 'slipway.yml': FILE }, folder);
    const dir = path.join(folder, `${name}.git`);
    execFileSync('git', ['clone', '-q', '--bare', repo.dir, dir]);
    repo.git('remote', 'add', 'origin', dir);
    return { repo, dir, url: `file://${dir}` };
  };
  /** Saves what `slipway hook install` prints, as its own words say. */
  const installHook = (dir: string, kind: 'git' | 'svn', pipeline: string) => {
    const args = ['hook', 'install', '--kind', kind, '-p', 'shop', '-w', pipeline, '--url', slipway.url, '--json'];
    const { file, text } = JSON.parse(execFileSync(process.execPath, [CLI, ...args], { encoding: 'utf8' }));
    mkdirSync(path.join(dir, 'hooks'), { recursive: true });
    writeFileSync(path.join(dir, 'hooks', file), text);
    chmodSync(path.join(dir, 'hooks', file), 0o755);
    writeFileSync(path.join(dir, 'hooks', 'slipway-secret'), `${SECRET}\n`, { mode: 0o600 });
  };
  /** A push event as GitHub sends it. */
  const hook = async (pipeline: string, ref: string, { secret = SECRET, delivery = randomUUID() as string } = {}) => {
    const body = JSON.stringify({ ref, before: '0'.repeat(40), after: 'a'.repeat(40), deleted: false });
    const response = await fetch(`${slipway.url}/hooks/github/shop/${pipeline}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': delivery,
        'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
      },
      body,
    });
    return { status: response.status, body: (await response.json()) as Json };
  };

  test('a push to a bare repository with the hook that is printed is built at once', async () => {
    const { repo, dir, url } = bare('pushed');
    await define('pushed', { kind: 'git', url, branches: ['main', 'odd/*'] });
    installHook(dir, 'git', 'pushed');
    const revision = commit(repo, { 'a.txt': '1' });
    repo.git('push', '-q', 'origin', 'main');
    expect(await built('pushed', revision)).toMatchObject({ trigger: 'hook', changes: [{ revision }] });
    const branch = "odd/a'b$(id)`x`;y";
    repo.git('checkout', '-q', '-b', branch);
    const odd = commit(repo, { 'b.txt': '1' });
    repo.git('push', '-q', 'origin', branch);
    expect(await built('pushed', odd)).toMatchObject({ trigger: 'hook', branch });
  });

  test('a commit to Subversion with the hook that is printed is built at once', async () => {
    const dir = path.join(folder, 'svn');
    execFileSync('svnadmin', ['create', dir]);
    const url = `file://${dir}`;
    const svn = (...args: string[]) => execFileSync('svn', ['--non-interactive', ...args], { encoding: 'utf8' });
    const trunk = path.join(folder, 'trunk');
    svn('mkdir', '-q', '-m', 'layout', `${url}/trunk`, `${url}/branches`);
    svn('checkout', '-q', `${url}/trunk`, trunk);
    writeFileSync(path.join(trunk, 'slipway.yml'), FILE);
    svn('add', '-q', path.join(trunk, 'slipway.yml'));
    svn('commit', '-q', '-m', 'first', trunk);
    await define('subversion', { kind: 'svn', url, branches: ['trunk', 'branches/*'] });
    installHook(dir, 'svn', 'subversion');
    writeFileSync(path.join(trunk, 'a.txt'), '1\n');
    svn('add', '-q', path.join(trunk, 'a.txt'));
    svn('commit', '-q', '-m', 'second', trunk);
    expect(await built('subversion', '3')).toMatchObject({
      trigger: 'hook',
      branch: 'trunk',
      changes: [{ revision: '3', message: 'second', files: ['a.txt'] }],
    });
    svn('copy', '-q', '-m', 'branch', `${url}/trunk`, `${url}/branches/1.x`);
    expect(await built('subversion', '4')).toMatchObject({ trigger: 'hook', branch: 'branches/1.x' });
  });

  test('hooks with a wrong signature, without one, or sent again have no effect', async () => {
    const { repo, url } = bare('signed');
    await define('signed', { kind: 'git', url, branches: ['main'] });
    expect(await hook('signed', 'refs/heads/main', { secret: 'another secret' })).toMatchObject({ status: 401 });
    expect(await hook('nobody', 'refs/heads/main')).toMatchObject({ status: 401 });
    const delivery = randomUUID();
    const first = commit(repo, { 'a.txt': '1' });
    repo.git('push', '-q', 'origin', 'main');
    expect(await hook('signed', 'refs/heads/main', { delivery })).toMatchObject({
      status: 202,
      body: { accepted: true },
    });
    await built('signed', first);
    commit(repo, { 'a.txt': '2' });
    repo.git('push', '-q', 'origin', 'main');
    expect(await hook('signed', 'refs/heads/main', { delivery })).toMatchObject({ body: { accepted: false } });
    expect((await builds('signed')).map(({ revision }) => revision)).toEqual([first]);
    const { items } = await slipway.api('GET', '/audit?limit=50');
    expect(items.map(({ actor }: Json) => actor)).toContain('github hook');
  });

  test('forty hooks, eight at a time: no branch is lost, none is built twice', async () => {
    const { repo, url } = bare('flood');
    await define('flood', { kind: 'git', url, branches: ['main', 'b/*'] });
    const names = Array.from({ length: 40 }, (_, index) => `b/${index}`);
    const revisions = names.map((name) => {
      repo.git('checkout', '-q', '-B', name, 'main');
      return commit(repo, { 'a.txt': name });
    });
    repo.git('push', '-q', 'origin', 'refs/heads/b/*');
    const queue = [...names];
    const sender = async () => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop())
        expect(await hook('flood', `refs/heads/${name}`)).toMatchObject({ status: 202 });
    };
    await Promise.all(Array.from({ length: 8 }, sender));
    await eventually('all branches to be built', async () => (await builds('flood')).length >= names.length);
    expect((await builds('flood')).map(({ revision }) => revision).sort()).toEqual(revisions.sort());
  });

  test('a hook that was accepted is not lost where the server is killed at once', async () => {
    const { repo, url } = bare('killed');
    await define('killed', { kind: 'git', url, branches: ['main'] });
    const revision = commit(repo, { 'a.txt': '1' });
    repo.git('push', '-q', 'origin', 'main');
    const { body } = await hook('killed', 'refs/heads/main');
    await slipway.kill();
    expect(body).toMatchObject({ accepted: true });
    await slipway.restart();
    await built('killed', revision);
  });

  test('a history is replayed into Git and SVN while the server is killed: each revision in one build, once', async () => {
    const repo = defineRepo({ 'README.md': 'first\n' }, folder);
    for (let count = 0; count < 60; count += 1) {
      commit(repo, { [`src/${count % 7}/${count}.txt`]: `${count}\n`, 'README.md': `${count}\n` });
      if (count % 10 !== 9) continue;
      repo.git('checkout', '-q', '-b', `side-${count}`);
      commit(repo, { [`side/${count}.txt`]: '1\n' });
      commit(repo, { [`side/${count}.txt`]: '2\n' });
      repo.git('checkout', '-q', 'main');
      repo.git('rm', '-q', '-r', 'src/3');
      repo.git('commit', '-q', '-m', 'less');
      repo.git('merge', '-q', '--no-ff', '-m', 'merge', `side-${count}`);
    }
    const gitDir = path.join(repo.dir, '.git');
    const history = new History(gitDir, 1_000);
    const targets = [gitTarget(history, gitDir, folder), svnTarget(history, folder)];
    const outcomes = await replay({ slipway, targets, steps: history.line.length, kills: 3, seed: 7 });
    expect(outcomes).toMatchObject([
      { expected: 84, missing: [], doubled: [], strange: [] },
      { expected: 72, missing: [], doubled: [], strange: [] },
    ]);
  });
});
