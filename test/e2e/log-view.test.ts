/** The log viewer in a real browser, on what real steps have printed: a million lines, and lines that mean harm. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectUsable, openPage, startBrowser } from '../fixtures/browser.ts';
import { defineRepo, type Repo, removeFolder, tempFolder } from '../fixtures/git-server.ts';
import { needs } from '../fixtures/real.ts';
import { eventually, type Slipway, startSlipway } from '../fixtures/slipway.ts';

const LINES = 1_000_001;
const BUILDS = '/projects/shop/pipelines/web/builds';

/** 121 bytes a line; every thousandth is another. */
const MILLION = `awk 'BEGIN { for (i = 1; i <= ${LINES}; i++)
  printf "%-120s\\n", i % 1000 == 0 ? "needle " i : "2030-01-01T00:00:00Z INFO [worker-" i % 16 "] processed item " i }'
`;
const HARM = String.raw`
printf '<img src=x onerror="document.title=1"><script>document.title=1</script>\n'
printf '\033]8;;javascript:document.title=1\033\\click me\033]8;;\033\\ javascript:alert(1) https://ci.example/a?b=1&c=2.\n'
printf '\033]0;new title\007\033[2J\033[H\033[5Aafter the cursor moves\n'
printf 'amount: \342\200\256000,1\342\200\254 euro\n'
printf 'downloading 10%%\rdownloading 99%%\rdone\033[K\n'
printf '\033[31mred\033[0m \033[38;5;208morange\033[0m \033[1;38;2;10;200;30mtrue green\033[0m \033[97;44mwhite on blue\033[0m\n'
head -c 3000000 /dev/zero | tr '\0' 'x'; echo
echo '0 errors so far'
echo 'cart.ts(7,3): error TS2322: no such thing'
exit 3
`;
/** Goes on when the file `go` is there. */
const LIVE = (go: string) => `i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo "early $i"; done
until [ -f ${go} ]; do sleep 0.1; done
while [ $i -lt 150 ]; do i=$((i+1)); echo "late $i"; done
`;
const PIPELINE = `steps:
  live: { needs: [], host: true, run: [sh live.sh], allow_failure: true }
  million: { needs: [], host: true, run: [sh million.sh] }
  harm: { needs: million, host: true, run: ["echo begin", sh harm.sh] }
`;

needs('git', 'chromium')('the log viewer', () => {
  const folder = tempFolder();
  const go = path.join(folder, 'go');
  let repo: Repo;
  let slipway: Slipway;
  let browser: Browser;
  let page: Page;
  let faults: string[];

  beforeAll(async () => {
    repo = defineRepo({
      'million.sh': MILLION,
      'harm.sh': HARM,
      'live.sh': LIVE(go),
      'slipway.yml': PIPELINE,
    });
    slipway = await startSlipway({ SLIPWAY_ALLOW_HOST_STEPS: '1', SLIPWAY_LOG_LIMIT: String(200 << 20) });
    await slipway.api('PUT', '/projects/shop', { name: 'Shop' });
    await slipway.api('PUT', '/projects/shop/pipelines/web', {
      source: { kind: 'git', url: repo.url, branches: ['main'] },
    });
    await slipway.api('POST', BUILDS, {});
    browser = await startBrowser();
    ({ page, faults } = await openPage(browser, slipway.url));
    const session = await page.request.post('/api/v1/session', {
      headers: { origin: slipway.url },
      data: { username: 'admin', password: 'a-Long-password-1' },
    });
    expect(session.ok()).toBe(true);
  });
  afterAll(async () => {
    await browser?.close();
    await slipway?.stop();
    for (const each of [folder, repo?.dir]) if (each) removeFolder(each);
  });

  /** Waits until the first rows are there; answers how long that took, ms. */
  async function open(address: string): Promise<number> {
    const before = performance.now();
    await page.goto(`/p/shop/web/1${address}`);
    await page.locator('[data-line] code:not(:empty)').first().waitFor();
    return performance.now() - before;
  }
  const line = (number: number) => page.locator(`[data-line="${number}"]`);
  const elements = (): Promise<number> => page.evaluate('document.querySelectorAll("*").length');
  const picture = async (name: string) => {
    if (process.env.PICTURES) await page.screenshot({ path: path.join(process.env.PICTURES, `${name}.png`) });
  };
  const stepEnded = (name: string) =>
    eventually(`step ${name} to end`, async () => {
      const { steps } = await slipway.api('GET', `${BUILDS}/1`);
      return steps.find((step: { name: string; status: string }) => step.name === name).status === 'finished';
    });

  test('one who joins a running step sees its beginning and follows its end; scrolling up stops that, and counts what comes', async () => {
    await open('?step=live');
    await line(100).waitFor();
    await page.getByRole('log').hover();
    await page.mouse.wheel(0, -10_000);
    await line(1).filter({ hasText: 'early 1' }).waitFor();
    writeFileSync(go, '');
    await page.getByRole('button', { name: '↓ 50 new lines' }).waitFor();
    await picture('log-new-lines');
    await page.getByRole('button', { name: '↓ 50 new lines' }).click();
    await line(150).filter({ hasText: 'late 150' }).waitFor();
    await stepEnded('harm');
    expect(faults).toEqual([]);
  });

  test(`${LINES.toLocaleString('en')} lines open at once, in few elements, wherever one scrolls`, async () => {
    const took = [await open('?step=million'), await open('?step=million')];
    console.log(`first lines of ${LINES} after ${took.map(Math.round).join(' and ')} ms`);
    await page.getByText('1,000,001 lines').waitFor();
    expect(await elements()).toBeLessThan(500);
    await picture('log-1280');
    const frames = await page.evaluate<{ fps: number; most: number }>(DRAG);
    console.log(`${frames.fps.toFixed(0)} frames a second while dragging, at most ${frames.most} elements`);
    expect(frames.most).toBeLessThan(500);
    await page.getByRole('log').press('End');
    await line(LINES)
      .filter({ hasText: `processed item ${LINES}` })
      .waitFor();
    await page.getByRole('log').press('PageUp');
    await line(LINES - 40)
      .filter({ hasText: `item ${LINES - 40}` })
      .waitFor();
    await page.getByRole('log').press('Home');
    await line(1).filter({ hasText: 'item 1 ' }).waitFor();
  });

  test('the whole log is searched: the true count, and n and N go through it', async () => {
    await open('?step=million');
    await page.keyboard.press('/');
    await page.keyboard.type('NEEDLE');
    await page.getByText('0 of 1,000').waitFor();
    await page.keyboard.press('Enter');
    await line(1000).locator('mark').filter({ hasText: 'needle' }).waitFor();
    await page.keyboard.press('Escape');
    for (let n = 2; n <= 101; n++) {
      await page.keyboard.press('n');
      await page.getByText(`${n} of 1,000`).waitFor();
    }
    await line(101_000).locator('mark').waitFor();
    await page.keyboard.press('N');
    await line(100_000).locator('mark').waitFor();
    await expect.poll(() => page.url()).toContain('q=NEEDLE');
    await picture('log-search');
  });

  test('a link to lines opens there, and shift makes a range', async () => {
    await open('#million:L733000-L733002');
    await line(733_001).filter({ hasText: 'item 733001' }).waitFor();
    await line(733_005)
      .getByRole('link')
      .click({ modifiers: ['Shift'] });
    await expect.poll(() => page.url()).toMatch(/#million:L733000-L733005$/);
    await page.getByText('Lines 733000 to 733005').waitFor();
    await picture('log-range');
  });

  test('what a step prints stays text: no element, no title, no link but to the web', async () => {
    await open('#harm:L4');
    const content = (number: number) => line(number).locator('code');
    const shown = (number: number) => expect.poll(() => content(number).textContent());
    await content(4).filter({ hasText: '<img src=x onerror="document.title=1">' }).waitFor();
    expect(await page.locator('[data-line] img, [data-line] script').count()).toBe(0);
    await shown(5).toBe('click me javascript:alert(1) https://ci.example/a?b=1&c=2.');
    const links = content(5).locator('a');
    expect(await links.evaluateAll((all) => all.map((each) => each.getAttribute('href')))).toEqual([
      'https://ci.example/a?b=1&c=2',
    ]);
    expect(await links.getAttribute('rel')).toContain('noopener');
    await shown(6).toBe('after the cursor moves');
    await shown(7).toBe('amount: ⟨U+202E⟩000,1⟨U+202C⟩ euro');
    await shown(8).toBe('done');
    await shown(10).toHaveLength(1000);
    await expect.poll(() => page.title()).toMatch(/Slipway$/);
    await picture('log-harm');
    await line(10).getByRole('button').click();
    await page.getByText('The first 262 kB of 3.0 MB are shown.').waitFor();
    await page.keyboard.press('Escape');
    expect(faults).toEqual([]);
  });

  test('a build that failed opens at its first error, and says so above; it can be read on a phone', async () => {
    await page.goto('/p/shop/web/1');
    await line(12).and(page.locator('[data-current]')).waitFor();
    await page.getByText('Step harm failed').waitFor();
    await page.getByRole('link', { name: 'line 12' }).waitFor();
    await picture('build-1280');
    await page.setViewportSize({ width: 360, height: 740 });
    await picture('build-360');
    await page.getByRole('log').scrollIntoViewIfNeeded();
    await picture('log-360');
    await expectUsable(page);
    for (const tab of ['tests', 'changes', 'images', 'artifacts', 'config']) {
      await page.goto(`/p/shop/web/1?tab=${tab}`);
      await page.locator('nav a[aria-current="page"]', { hasText: new RegExp(tab, 'i') }).waitFor();
      await picture(`tab-${tab}`);
    }
    expect(faults).toEqual([]);
  });
});

/** Drags the scroll bar from end to end, and counts frames and elements. */
const DRAG = `(async () => {
  const box = document.querySelector('[role=log]');
  const span = box.scrollHeight - box.clientHeight;
  const begun = performance.now();
  let frames = 0;
  let most = 0;
  while (performance.now() - begun < 2000) {
    box.scrollTop = span * (0.5 - Math.cos((performance.now() - begun) / 400) / 2);
    await new Promise((resolve) => requestAnimationFrame(resolve));
    frames += 1;
    most = Math.max(most, document.querySelectorAll('*').length);
  }
  return { fps: frames / 2, most };
})()`;
