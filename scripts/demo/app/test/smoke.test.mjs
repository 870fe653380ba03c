import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

const proxy = 'http://proxy:8080';

suite('harbour', () => {
  test('the page is served', async () => {
    const page = await fetch(`${proxy}/`);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /The harbour/);
  });

  test('a ship without a name is turned away', async () => {
    const answer = await fetch(`${proxy}/api/berths`, { method: 'POST', body: JSON.stringify({ ship: ' ' }) });
    assert.equal(answer.status, 422);
  });

  test('the second look comes from the cache', async () => {
    await fetch(`${proxy}/api/berths`);
    assert.equal((await (await fetch(`${proxy}/api/berths`)).json()).from, 'cache');
  });
});
