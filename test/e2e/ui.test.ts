/** The web client in a real browser on a real server: from a broken build to a promotion, its approval, and back. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectUsable, openPage, startBrowser } from '../fixtures/browser.ts';
import { commit, defineRepo, type Repo, removeFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { type RegistryServer, startRegistry } from '../fixtures/registry-server.ts';
import { clearEngine, defineShop, idle, instanceOf, type Slipway, startSlipway } from '../fixtures/slipway.ts';

const PASSWORD = 'a-Long-password-1';
const PRO = '/projects/shop/environments/PRO';
/** A name that nothing else on this machine has, not even these tests where they run twice. */
const STACK = `storefront-${process.pid}`;
const FILES = {
  Dockerfile:
    'FROM busybox:1.36\nCOPY www /www\nCMD ["httpd","-f","-p","80","-h","/www"]\nHEALTHCHECK --interval=1s --retries=3 CMD wget -qO- http://127.0.0.1/hello.txt\n',
  'www/hello.txt': 'hello 1\n',
  'unit.sh':
    'grep -q hello www/hello.txt || { echo "cart: expected hello, found $(cat www/hello.txt)" >&2; exit 3; }\n',
  'compose.yml': 'services:\n  web:\n    build: .\n    stop_grace_period: 1s\n',
  'slipway.yml': `steps:
  unit: { image: "busybox:1.36", run: ["sh unit.sh"] }
  images: { build: { compose: compose.yml } }
release: { version: "1.\${number}", stack: ${STACK}, compose: compose.yml }
`,
};

needs(
  'docker',
  'base-image',
  'registry',
  'compose',
  'git',
  'chromium',
)('the web client', () => {
  let registry: RegistryServer;
  let slipway: Slipway;
  let repo: Repo;
  let browser: Browser;
  /** The administrator, and a release manager. */
  let admin: Page;
  let mei: Page;
  const complaints: string[][] = [];

  beforeAll(async () => {
    registry = await startRegistry();
    repo = defineRepo(FILES);
    slipway = await startSlipway();
    await defineShop(slipway, registry, repo.url, ['DEV', 'PRO']);
    const { engine, order, after } = await slipway.api('GET', PRO);
    await slipway.api('PUT', PRO, {
      engine: { kind: engine.kind, host: engine.host },
      order,
      after,
      approvals: { count: 1 },
    });
    await slipway.api('PUT', '/users/mei', { password: PASSWORD });
    await slipway.api('PUT', '/projects/shop/members/mei', { role: 'release-manager' });
    browser = await startBrowser();
    [admin, mei] = [await newPage(), await newPage()];
  });
  afterAll(async () => {
    await browser.close();
    const instance = instanceOf(slipway);
    // The last commit is still on its way to DEV.
    await idle(slipway);
    await slipway.stop();
    await clearEngine(instance);
    await registry.stop();
    removeFolder(repo.dir);
  });

  async function newPage(): Promise<Page> {
    const { page, faults } = await openPage(browser, slipway.url);
    complaints.push(faults);
    return page;
  }
  const see = (page: Page, text: string | RegExp) => page.getByText(text).first().waitFor();
  const press = (page: Page, name: string | RegExp) => page.getByRole('button', { name }).click();
  const follow = (page: Page, name: string | RegExp) =>
    page
      .getByRole('link', { name, exact: typeof name === 'string' })
      .first()
      .click();
  const place = (page: Page, name: string) =>
    page.getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) });
  const row = (page: Page, text: string) => page.getByRole('row').filter({ hasText: text });

  async function signIn(page: Page, name: string, password = PASSWORD): Promise<void> {
    await page.getByLabel('User name').fill(name);
    await page.getByLabel('Password').fill(password);
    await press(page, 'Sign in');
  }

  test('a wrong password is refused in words; the right one leads to where one wanted to go', async () => {
    await admin.goto('/p/shop/web');
    await expectUsable(admin);
    await signIn(admin, 'admin', 'wrong-password');
    await see(admin, 'the user name or the password is wrong');
    await signIn(admin, 'admin');
    await see(admin, 'Nothing has been built yet');
    await expect.poll(() => new URL(admin.url()).pathname).toBe('/p/shop/web');
    await see(admin, /^Live$/);
    await expectUsable(admin);
  });

  test('a build fails before one’s eyes, to its line; the next commit mends it', async () => {
    commit(repo, { 'www/hello.txt': 'goodbye\n' }, 'Say <b>goodbye</b>');
    await row(admin, '#1 Say <b>goodbye</b>').getByText('failed').waitFor();
    await see(admin, 'unit: exit code 3');
    await expect.poll(() => admin.title()).toContain('failed');
    await follow(admin, /#1 Say/);
    await see(admin, 'cart: expected hello, found goodbye');
    await expectUsable(admin);
    await follow(admin, 'web');
    commit(repo, { 'www/hello.txt': 'hello 2\n' }, 'Say hello again');
    await row(admin, '#2 Say hello again').getByText('passed').waitFor();
    await see(admin, 'release 1.2');
    await expect.poll(() => admin.title()).toContain('passed');
  });

  test('a branch can be run at an earlier revision', async () => {
    await press(admin, 'Run');
    const dialog = admin.getByRole('dialog');
    await dialog.getByRole('combobox', { name: 'Revision' }).fill('goodbye');
    await dialog.getByRole('option', { name: 'Say <b>goodbye</b>' }).waitFor();
    await admin.keyboard.press('Enter');
    await expect
      .poll(() => dialog.getByRole('combobox', { name: 'Revision' }).inputValue())
      .toMatch(/^[0-9a-f]{7} · Say <b>goodbye<\/b> · Dev$/);
    await expectUsable(admin);
    await admin.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
  });

  test('the board shows what runs where; a promotion is reviewed, asked for, and waits', async () => {
    expect(await slipway.finished('/projects/shop/environments/DEV/deployments/1')).toMatchObject({
      reason: null,
      result: 'passed',
    });
    await follow(admin, 'Board');
    await see(admin, 'Nothing runs here');
    await expectUsable(admin);
    await place(admin, 'PRO').getByRole('link', { name: 'Promote 1.2' }).click();
    await see(admin, 'Nothing runs there yet.');
    await see(admin, /release-manager can approve/);
    await row(admin, 'shop/web').getByText('new').waitFor();
    await see(admin, 'Say <b>goodbye</b>');
    await expectUsable(admin);
    await admin.getByLabel(/^Note/).fill('for the sale');
    await press(admin, 'Request promotion to PRO');
    await see(admin, 'Your own request cannot be approved by yourself');
    expect(await admin.getByRole('button', { name: 'Approve' }).isDisabled()).toBe(true);
    await expectUsable(admin);
  });

  test('somebody else finds it, approves it, and both see it pass', async () => {
    await mei.goto('/');
    await signIn(mei, 'mei');
    await see(mei, 'requested by admin');
    await expectUsable(mei);
    await follow(mei, 'Approvals');
    await see(mei, 'for the sale');
    await expectUsable(mei);
    await mei.getByLabel('Comment').fill('tested by hand');
    await press(mei, 'Approve');
    await see(mei, 'Nothing waits for an approval.');
    await see(admin, 'Approved by mei: tested by hand');
    await see(admin, 'What ran afterwards');
    await expect.poll(() => admin.title()).toContain('passed');
  });

  test('what moves while one looks is told, and asked about again', async () => {
    commit(repo, { 'www/hello.txt': 'hello 3\n' }, 'Say hello once more');
    await slipway.finished('/projects/shop/environments/DEV/deployments/2');
    await admin.goto(`/promote/shop/${STACK}/1.3/PRO`);
    await row(admin, 'shop/web').getByText('changed', { exact: true }).waitFor();
    // As if somebody had changed it in the very second: what is asked next is answered with another state.
    await admin.route('**/diff?**', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), current: '1.1' } });
    });
    await press(admin, 'Request promotion to PRO');
    await see(admin, 'Now 1.1 runs there, no longer 1.2.');
    await admin.unrouteAll({ behavior: 'wait' });
    await admin.reload();
    await press(admin, 'Request promotion to PRO');
    await see(admin, 'Your own request');
    await follow(mei, 'Approvals');
    await press(mei, 'Approve');
    await see(mei, 'Nothing waits for an approval.');
    await see(admin, 'What ran afterwards');
  });

  test('a roll-back asks for a reason and puts the earlier release back', async () => {
    await mei.goto('/env/shop/PRO');
    await see(mei, '1 of 1 healthy');
    await expectUsable(mei);
    await press(mei, 'Roll back…');
    await see(mei, 'Say why: the reason is kept.');
    await mei.getByLabel('Reason').fill('the cart is empty');
    await expectUsable(mei);
    await press(mei, 'Roll back to 1.2');
    await see(mei, 'What ran afterwards');
    await follow(mei, 'PRO');
    await see(mei, 'On hold by mei');
    await follow(mei, 'Board');
    await see(mei, 'Automatic promotion is on hold');
    await expectUsable(mei);
  });

  test('who may only look is told what is missing', async () => {
    await slipway.api('PUT', '/projects/shop/members/mei', { role: 'viewer' });
    await mei.reload();
    await see(mei, 'Needs the role release-manager');
    expect(await mei.getByRole('button', { name: /Promote 1\.3/ }).isDisabled()).toBe(true);
    await follow(mei, 'Projects');
    await expectUsable(mei);
    await follow(mei, 'web');
    await see(mei, 'Needs the role developer');
  });

  describe('the line to the server', () => {
    test('breaks and comes back: nothing is lost, one stream for all tabs', async () => {
      await admin.goto('/p/shop/web');
      const second = await admin.context().newPage();
      await second.goto('/p/shop/web');
      // All of the page, before the server goes: its parts are loaded one after the other.
      for (const page of [admin, second]) {
        await see(page, /#3 Say hello once more/);
        await see(page, /^Live$/);
      }
      await slipway.kill();
      await see(admin, /Reconnecting|Offline/);
      await slipway.restart();
      commit(repo, { 'www/hello.txt': 'hello 4\n' }, 'Say hello after the break');
      for (const page of [admin, second]) await see(page, /#4 Say hello after the break/);
      await see(admin, /^Live$/);
      await second.close();
    });

    test('ends with the session: the sign-in page is there', async () => {
      await press(admin, 'Account of admin');
      await expectUsable(admin);
      await admin.getByLabel('Language').selectOption('zh');
      await admin.getByRole('link', { name: '看板' }).waitFor();
      await press(admin, '退出登录');
      await admin.getByLabel('密码').waitFor();
      await expectUsable(admin);
    });
  });

  test('nothing was refused by the content security policy, and no request left the origin', () => {
    expect(complaints.flat()).toEqual([]);
  });
});
