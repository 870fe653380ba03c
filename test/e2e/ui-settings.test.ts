/** A pipeline set up in a real browser: a private repository, its credentials, branches, hooks and links. */
import { createHmac, randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectUsable, openPage, startBrowser } from '../fixtures/browser.ts';
import { commit, defineRepo, type GitServer, type Repo, removeFolder, serveHttp } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { clearEngine, idle, instanceOf, type Slipway, startSlipway } from '../fixtures/slipway.ts';

const DEV = { username: 'dev', password: 'correct horse/battery:st@ple' };
const API = '/projects/shop/pipelines/api';

needs(
  'docker',
  'base-image',
  'git',
  'chromium',
)('setting up a pipeline', () => {
  let slipway: Slipway;
  let repo: Repo;
  let server: GitServer;
  let browser: Browser;
  let page: Page;
  let faults: string[];

  beforeAll(async () => {
    repo = defineRepo({ 'slipway.yml': 'steps: { unit: { image: "busybox:1.36", run: ["echo hello"] } }\n' });
    repo.git('branch', 'release/1.x');
    server = await serveHttp(dirname(repo.dir), DEV);
    slipway = await startSlipway();
    await slipway.api('PUT', '/projects/shop', { name: 'Shop' });
    const web = { kind: 'git', url: repo.url, branches: ['main'] };
    await slipway.api('PUT', '/projects/shop/pipelines/web', { source: web });
    browser = await startBrowser();
    ({ page, faults } = await openPage(browser, slipway.url));
  });
  afterAll(async () => {
    await browser.close();
    const instance = instanceOf(slipway);
    await idle(slipway);
    await slipway.stop();
    await server.stop();
    await clearEngine(instance);
    removeFolder(repo.dir);
  });

  const dialog = () => page.getByRole('dialog');
  const see = (text: string | RegExp) => page.getByText(text).first().waitFor();
  const field = (label: string) => dialog().getByLabel(label, { exact: true });
  const fill = (label: string, text: string) => field(label).fill(text);
  const press = (name: string) => page.getByRole('button', { name, exact: true }).click();

  test('a private repository is tried and taken with a user and a password', async () => {
    await page.goto('/projects');
    await page.getByLabel('User name').fill('admin');
    await page.getByLabel('Password').fill('a-Long-password-1');
    await press('Sign in');
    await press('New pipeline');
    await fill('Name', 'web');
    await see('There is a pipeline web already.');
    await fill('Name', 'api');
    await fill('Repository URL', server.urlOf(repo));
    await press('Test connection');
    await see('It cannot be reached.');
    await see('the server asks for credentials, and none are set');
    await dialog().getByLabel('User and password').check();
    await fill('User', DEV.username);
    await fill('Password', DEV.password);
    await press('Test connection');
    await dialog().getByText('release/1.x').waitFor();
    await expectUsable(page);
    await press('Create');
    await expect.poll(() => new URL(page.url()).pathname).toBe('/p/shop/api');
    expect(await slipway.api('GET', API)).toMatchObject({
      source: { url: server.urlOf(repo), branches: ['main'], hasCredentials: true },
      hasHookSecret: false,
    });
  });

  test('what a setting is wrong in is told, and the dialog stays', async () => {
    await press('Settings');
    await fill('Polling', '99 * * * *');
    await press('Save');
    await see(/^poll: /);
    await expectUsable(page);
    await fill('Polling', '0 3 * * *');
  });

  test('settings are saved all at once: what was not touched stays, credentials too', async () => {
    await fill('Branches', 'main\nrelease/*');
    await dialog().getByLabel('A new one').check();
    const secret = await field('The new secret').inputValue();
    expect(secret).toMatch(/^\w{32}$/);
    await dialog().getByText('More', { exact: true }).click();
    await fill('Page of a revision', 'https://git.example.com/shop/commit/{revision}');
    await expectUsable(page);
    await press('Save');
    await dialog().waitFor({ state: 'detached' });
    expect(await slipway.api('GET', API)).toMatchObject({
      source: {
        url: server.urlOf(repo),
        branches: ['main', 'release/*'],
        link: 'https://git.example.com/shop/commit/{revision}',
        hasCredentials: true,
      },
      poll: '0 3 * * *',
      hasHookSecret: true,
    });
    expect(await hook(secret)).toBe(202);
    expect(await hook('another secret')).toBe(401);
  });

  test('a revision leads to its page', async () => {
    const revision = commit(repo, { 'a.txt': '1' }, 'Say hello');
    await slipway.api('POST', `${API}/builds`, {});
    await slipway.finished(`${API}/builds/1`);
    await page.goto('/p/shop/api/1?tab=changes');
    const link = page.getByRole('link', { name: revision.slice(0, 7) });
    expect(await link.getAttribute('href')).toBe(`https://git.example.com/shop/commit/${revision}`);
    await expectUsable(page);
  });

  test('no request left the origin, and nothing was refused by the content security policy', () => {
    expect(faults).toEqual([]);
  });

  async function hook(secret: string): Promise<number> {
    // Of the commit that is known: nothing is built.
    const revision = repo.git('rev-parse', 'main');
    const body = JSON.stringify({ ref: 'refs/heads/main', before: revision, after: revision });
    const response = await fetch(`${slipway.url}/hooks/gitea/shop/api`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-gitea-event': 'push',
        'x-gitea-delivery': randomUUID(),
        'x-gitea-signature': createHmac('sha256', secret).update(body).digest('hex'),
      },
      body,
    });
    return response.status;
  }
});
