/** Builds of more than one repository, and of code that may be a stranger's, with real steps. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commit, defineRepo, removeFolder, tempFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { clearEngine, eventually, instanceOf, type Json, type Slipway, startSlipway } from '../fixtures/slipway.ts';

const EVERY_SECOND = '* * * * * *';

needs(
  'docker',
  'base-image',
  'git',
  'svn',
)('further sources and pull requests', () => {
  let slipway: Slipway;
  let folder: string;

  beforeAll(async () => {
    folder = tempFolder();
    slipway = await startSlipway();
    await slipway.api('PUT', '/projects/shop', { name: 'Shop' });
  });
  afterAll(async () => {
    const instance = instanceOf(slipway);
    await slipway.stop();
    await clearEngine(instance);
    removeFolder(folder);
  });

  const define = (name: string, url: string, branches: string[]) =>
    slipway.api('PUT', `/projects/shop/pipelines/${name}`, {
      source: { kind: 'git', url, branches },
      poll: EVERY_SECOND,
    });
  const noted = (name: string) =>
    eventually(`${name} to be noted`, async () => {
      const { items, sources } = await slipway.api('GET', `/projects/shop/pipelines/${name}/watch`);
      return items.length > 0 && sources;
    });
  const finished = (name: string, number: number): Promise<Json> =>
    slipway.finished(`/projects/shop/pipelines/${name}/builds/${number}`);
  const log = (name: string, number: number) =>
    slipway.text(`/projects/shop/pipelines/${name}/builds/${number}/steps/show/log`);

  test('a build has Git and Subversion beside each other, pinned, with the externals of the latter', async () => {
    const dir = path.join(folder, 'svn');
    execFileSync('svnadmin', ['create', dir]);
    const svn = (...args: string[]) => execFileSync('svn', ['--non-interactive', ...args], { encoding: 'utf8' });
    const svnUrl = `file://${dir}`;
    const wc = path.join(folder, 'wc');
    svn('mkdir', '-q', '-m', 'layout', `${svnUrl}/conf`, `${svnUrl}/shared`);
    svn('checkout', '-q', svnUrl, wc);
    const write = (name: string, text: string, message: string) => {
      writeFileSync(path.join(wc, name), text);
      svn('add', '-q', '--force', path.join(wc, name));
      svn('commit', '-q', '-m', message, wc);
    };
    write('conf/a.conf', 'one\n', 'first');
    write('shared/b.conf', 'shared one\n', 'shared');
    svn('update', '-q', wc);
    svn('propset', '-q', 'svn:externals', '^/shared lib', path.join(wc, 'conf'));
    svn('commit', '-q', '-m', 'external', wc);

    const file = `sources: { conf: { kind: svn, url: "${svnUrl}", branch: conf, path: etc/conf } }
steps: { show: { image: "busybox:1.36", run: [cat README.md etc/conf/a.conf etc/conf/lib/b.conf] } }
`;
    const repo = defineRepo({ 'slipway.yml': file, 'README.md': 'hello\n' }, folder);
    await define('both', repo.url, ['main']);
    await noted('both');
    commit(repo, { 'README.md': 'hello again\n' });
    expect(await finished('both', 1)).toMatchObject({ result: 'passed' });
    expect(await log('both', 1)).toContain('hello again\none\nshared one\n');
    write('conf/a.conf', 'two\n', 'second');
    const second = await finished('both', 2);
    expect(second).toMatchObject({
      result: 'passed',
      changes: [{ source: 'conf', message: 'second', author: expect.any(String) }],
    });
    expect(await log('both', 2)).toContain('two\nshared one\n');
  });

  test('a folder that the repository itself has is not taken for a further source', async () => {
    const other = defineRepo({ 'a.txt': '1\n' }, folder);
    const file = `sources: { lib: { kind: git, url: "${other.url}" } }\nsteps: { show: { image: "busybox:1.36", run: [ls] } }\n`;
    const repo = defineRepo({ 'slipway.yml': file, 'lib/own.txt': 'own\n' }, folder);
    await define('taken', repo.url, ['main']);
    await noted('taken');
    commit(repo, { 'b.txt': '1' });
    expect(await finished('taken', 1)).toMatchObject({
      result: 'errored',
      reason: 'sources.lib.path: the repository itself has a lib',
    });
  });

  test('a pull request is built without secrets, without the host and without a push', async () => {
    const file = `steps:
  show: { image: "busybox:1.36", secrets: [NPM_TOKEN], run: ['echo "token=$NPM_TOKEN."'] }
  image: { build: { image: shop/web } }
release: { compose: compose.yml }
`;
    await slipway.api('PUT', '/projects/shop/secrets/NPM_TOKEN', { value: 'a-secret-of-the-shop' });
    const repo = defineRepo(
      { 'slipway.yml': file, Dockerfile: 'FROM busybox:1.36\n', 'compose.yml': 'services: {}\n' },
      folder,
    );
    await define('reviewed', repo.url, ['main', 'refs/pull/*/head']);
    await noted('reviewed');
    repo.git('checkout', '-q', '--detach');
    const head = commit(repo, { 'slipway.yml': `env: { FROM: stranger }\n${file}` });
    repo.git('update-ref', 'refs/pull/7/head', head);
    repo.git('checkout', '-q', 'main');
    const build = await finished('reviewed', 1);
    expect(build).toMatchObject({
      branch: 'refs/pull/7/head',
      revision: head,
      result: 'passed',
      images: [],
      release: null,
    });
    expect(await log('reviewed', 1)).toContain('token=.\n');
  });
});
