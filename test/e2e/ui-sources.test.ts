/** Sources and triggers in a real browser: how a repository is watched, what its filters do, and runs of older revisions. */
import { createHmac } from 'node:crypto';
import { renameSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectUsable, openPage, startBrowser } from '../fixtures/browser.ts';
import { commit, defineRepo, type Repo, removeFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { clearEngine, idle, instanceOf, type Slipway, startSlipway } from '../fixtures/slipway.ts';

const WEB = '/projects/shop/pipelines/web';
const SECRET = 'a-hook-secret-1';
/** Never while this runs. */
const SELDOM = '0 0 29 2 *';
const FILE = (docs: Repo) => `on:
  paths: ["src/**"]
  schedule: { cron: "30 2 * * *", timezone: Asia/Shanghai }
sources:
  handbook: { kind: git, url: "${docs.url}" }
parameters:
  target: { type: choice, options: [staging, production], default: staging, description: Where it goes }
  fast: { type: boolean, default: "true" }
  ticket: { description: Why it is built }
steps:
  unit: { image: "busybox:1.36", run: ["cat src/version.txt", "echo for $TICKET to $TARGET, fast $FAST"] }
`;

needs(
  'docker',
  'base-image',
  'git',
  'chromium',
)('sources and triggers', () => {
  let slipway: Slipway;
  let repo: Repo;
  let docs: Repo;
  let browser: Browser;
  let page: Page;
  let faults: string[];
  let second: string;

  beforeAll(async () => {
    docs = defineRepo({ 'index.md': 'Handbook\n' });
    repo = defineRepo({ 'src/version.txt': '1\n', 'slipway.yml': FILE(docs) });
    repo.git('checkout', '-q', '-b', 'release/1.x');
    second = commit(repo, { 'src/version.txt': '2\n' }, 'Cart: count to two');
    commit(repo, { 'README.md': 'hello\n' }, 'Tell what it is');
    repo.git('tag', 'v1.0');
    commit(repo, { 'src/version.txt': '3\n' }, 'Cart: count to three');
    repo.git('checkout', '-q', 'main');
    slipway = await startSlipway();
    await slipway.api('PUT', '/projects/shop', { name: 'Shop' });
    await watchAt(SELDOM);
    browser = await startBrowser();
    ({ page, faults } = await openPage(browser, slipway.url));
  });
  afterAll(async () => {
    await browser.close();
    const instance = instanceOf(slipway);
    await idle(slipway);
    await slipway.stop();
    await clearEngine(instance);
    for (const { dir } of [repo, docs]) removeFolder(dir);
  });

  const watchAt = (poll: string) =>
    slipway.api('PUT', WEB, {
      source: { kind: 'git', url: repo.url, branches: ['main', 'release/*', 'refs/tags/*'] },
      poll,
      hookSecret: SECRET,
    });
  const see = (text: string | RegExp) => page.getByText(text).first().waitFor();
  const press = (name: string | RegExp) => page.getByRole('button', { name }).click();
  const row = (text: string) => page.getByRole('row').filter({ hasText: text });
  const dialog = () => page.getByRole('dialog');
  const option = (name?: string) =>
    page
      .getByRole('listbox')
      .getByRole('option', name === undefined ? {} : { name })
      .first();
  /** Types into a chooser, and takes what is found first. */
  async function choose(label: string, text: string): Promise<void> {
    await dialog().getByRole('combobox', { name: label }).fill(text);
    await option(text).waitFor();
    await page.keyboard.press('Enter');
  }

  test('the pipeline’s page tells what starts a build: polls, hooks, branches, further sources and the clock', async () => {
    await page.goto('/p/shop/web');
    await page.getByLabel('User name').fill('admin');
    await page.getByLabel('Password').fill('a-Long-password-1');
    await press('Sign in');
    await page.getByText('Triggers').click();
    await expect.poll(() => new URL(page.url()).search).toBe('?triggers=1');
    await see('No hook has come yet');
    await see(`slipway hook install -p shop -w web --url ${slipway.url}`);
    await see(`${slipway.url}/hooks/github/shop/web`);
    for (const branch of ['main', 'release/1.x', 'tag v1.0']) await row(branch).first().waitFor();
    await see('handbook');
    await see('Asia/Shanghai');
    await expect.poll(() => page.getByRole('row', { name: /2:30/ }).count()).toBe(5);
    await expectUsable(page);
  });

  test('a hook that comes is told of', async () => {
    const body = JSON.stringify({
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: repo.git('rev-parse', 'main'),
    });
    const response = await fetch(`${slipway.url}/hooks/github/shop/web`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-github-event': 'push',
        'x-github-delivery': 'delivery-1',
        'x-hub-signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
      },
      body,
    });
    expect(response.status).toBe(202);
    await page.reload();
    await see('Last hook');
  });

  test('the connection is tested: branches where it works, else exactly what failed', async () => {
    await press('Test connection');
    await see('Branches and tags: 3');
    await expectUsable(page);
    renameSync(repo.dir, `${repo.dir}-away`);
    await press('Test connection');
    await see('It cannot be reached.');
    expect(await page.getByRole('alert').textContent()).toContain(repo.dir);
    await expectUsable(page);
    renameSync(`${repo.dir}-away`, repo.dir);
  });

  test('filters are tried on what is there', async () => {
    await press('Try the filters');
    await choose('Branch', 'release/1.x');
    await see('3 of 4 would be built');
    await see('on.paths: no change in src/**');
    await expectUsable(page);
    await dialog().getByText('Try another pipeline file').click();
    await dialog()
      .getByLabel('Pipeline file')
      .fill('on: { authors: [mei] }\nsteps: { unit: { image: "busybox:1.36", run: [a] } }\n');
    await press('Try it');
    await see('0 of 4 would be built');
    await see('on.authors: Dev is none of mei');
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
  });

  test('an older revision of another branch is run with parameters, all by keyboard', async () => {
    await press('Run');
    await choose('Branch', 'release/1.x');
    await choose('Revision', 'count to two');
    await see('Still to be given: ticket');
    await expectUsable(page);
    // It is the list that Escape closes, and not the dialog.
    await dialog().getByRole('combobox', { name: 'Revision' }).press('ArrowDown');
    await option().waitFor();
    await expectUsable(page);
    await page.keyboard.press('Escape');
    await option().waitFor({ state: 'detached' });
    await dialog().getByLabel('ticket').fill('SHOP-7');
    await dialog().getByLabel('target').selectOption('production');
    await dialog().getByLabel('fast').uncheck();
    await dialog().getByLabel('ticket').press('Enter');
    await expect.poll(() => new URL(page.url()).pathname).toBe('/p/shop/web/1');
    await see('for SHOP-7 to production, fast false');
    await see('run by hand (admin)');
    await expect.poll(() => page.title()).toContain('passed');
    await expectUsable(page);
    expect(await slipway.api('GET', `${WEB}/builds/1`)).toMatchObject({ branch: 'release/1.x', revision: second });
  });

  test('a tag is called what people call it', async () => {
    await page.goto('/p/shop/web?run=1');
    await choose('Branch', 'v1.0');
    await dialog().getByLabel('ticket').fill('SHOP-8');
    await dialog().getByRole('button', { name: 'Run' }).click();
    await see('tag v1.0');
    await expect.poll(() => page.title()).toContain('passed');
    await page.getByRole('link', { name: 'web', exact: true }).click();
    await row('#2').getByText('tag v1.0').waitFor();
    await expectUsable(page);
  });

  test('a repository that goes away is told before anything else, and when it is tried again', async () => {
    await watchAt('* * * * * *');
    renameSync(repo.dir, `${repo.dir}-away`);
    await page.reload();
    await see('The repository cannot be reached');
    await see('It is tried again in');
    await expectUsable(page);
    renameSync(`${repo.dir}-away`, repo.dir);
  });

  test('no request left the origin, and nothing was refused by the content security policy', () => {
    expect(faults).toEqual([]);
  });
});
