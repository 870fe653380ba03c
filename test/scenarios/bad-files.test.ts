/** Pipeline files that are wrong: by hand each is refused with a located error and no effect; by poll each makes a failed build that says why. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rows } from '../../server/store/db.ts';
import { builds } from '../../server/store/runs.ts';
import { ANN, Spine } from './harness.ts';

const GOOD = 'steps: { a: { image: busybox, run: [x] } }\n';
const lols = Array.from(
  { length: 9 },
  (_, i) => `  l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`,
).join('\n');

const BAD: [string, string | null, RegExp][] = [
  ['missing', null, /there is no slipway\.yml/],
  ['empty', '', /./],
  ['not YAML', 'steps: {a: [}\n\t- x: "', /slipway\.yml:\d+:\d+/],
  ['5 KB of nested brackets', `steps: ${'['.repeat(5_000)}`, /nested|deep/],
  ['5 KB of nested maps', `steps: ${'{a: '.repeat(1_700)}`, /nested|deep/],
  ['5 KB of nested lists', `steps:\n${'- '.repeat(2_500)}x`, /nested|deep/],
  ['an alias bomb', `env:\n  l0: &l0 lol\n${lols}\nsteps: { a: { image: busybox, run: [x] } }\n`, /alias/i],
  ['a cycle', 'steps:\n  a: { needs: b, image: x, run: [y] }\n  b: { needs: a, image: x, run: [y] }\n', /a .*b|b .*a/],
  ['an unknown key', 'steps:\n  a: { imge: x, run: [y] }\n', /slipway\.yml:2:\d+: .*image/],
  ['an unknown need', 'steps:\n  alpha: { image: x, run: [y] }\n  b: { needs: alhpa, image: x, run: [y] }\n', /alpha/],
  ['a wrong type', 'steps:\n  a: { image: x, run: { b: c } }\n', /slipway\.yml:2:\d+/],
  ['a list at the top', '- a\n- b\n', /slipway\.yml:1:1/],
];

let spine: Spine;
beforeEach(() => {
  spine = new Spine();
});
afterEach(() => spine.close());

async function commitBad(text: string | null): Promise<void> {
  await spine.defineShop(GOOD);
  if (text === null) spine.scm.remove('slipway.yml');
  else spine.scm.commit({ 'slipway.yml': text });
}

describe.each(BAD)('a pipeline file that is %s', (_, text, reason) => {
  test('asked for by hand: refused, and nothing happens', async () => {
    await commitBad(text);
    await expect(spine.trigger.manual(spine.pipeline, {}, ANN)).rejects.toMatchObject({
      code: 'invalid',
      field: 'definition',
      message: expect.stringMatching(reason),
    });
    expect(builds(spine.db, spine.pipeline.id, { limit: 10 })).toEqual([]);
  });

  test('found by a poll: a failed build that says why, once', async () => {
    await commitBad(text);
    await spine.poll();
    await spine.poll();
    const made = builds(spine.db, spine.pipeline.id, { limit: 10 });
    expect(made).toMatchObject([{ status: 'finished', result: 'failed', reason: expect.stringMatching(reason) }]);
    expect(rows(spine.db, 'SELECT kind, recipient FROM outbox')).toEqual([
      { kind: 'failed', recipient: 'dev@example.com' },
    ]);
  });
});

test('a value that is wrong only once it is filled in makes a failed build, too', async () => {
  await spine.defineShop(GOOD);
  spine.scm.commit({
    'slipway.yml':
      'steps: { a: { image: busybox, run: [x] } }\nrelease: { version: "${branch}-${date}-${short}-${number}-${branch}", compose: c.yml, stack: "Not A Stack" }\n',
  });
  await spine.poll();
  expect(builds(spine.db, spine.pipeline.id, { limit: 1 })).toMatchObject([{ result: 'failed' }]);
});

test('an override for an environment that the project does not have is refused, once it has any', async () => {
  const overriding =
    'steps: { a: { image: busybox, run: [x] } }\nrelease: { version: "${number}", compose: c.yml, stack: shop, overrides: { PROO: pro.yml } }\n';
  await spine.defineShop(GOOD, [{ name: 'DEV' }, { name: 'PRO' }]);
  spine.scm.commit({ 'slipway.yml': overriding });
  await spine.poll();
  const [build] = builds(spine.db, spine.pipeline.id, { limit: 1 });
  expect(build).toMatchObject({
    result: 'failed',
    reason: expect.stringMatching(/overrides\.PROO: .*it has DEV, PRO/),
  });
});

test('a branch that the repository does not have is told when the pipeline is defined', async () => {
  await spine.defineShop(GOOD);
  expect(await spine.poller.firstSight(spine.pipeline)).toEqual({ warning: null });
  const elsewhere = { ...spine.pipeline, source: { ...spine.pipeline.source, branches: ['master'] } };
  expect((await spine.poller.firstSight(elsewhere)).warning).toContain('has no branch master');
});
