/** The watcher where others are faster, settings change under it, sources go away or clocks go back: nothing missed, nothing twice. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeImages } from '../../server/intake.ts';
import { savePipeline } from '../../server/store/pipelines.ts';
import { builds } from '../../server/store/runs.ts';
import { pollState, quietsOf, watchesOf } from '../../server/store/watches.ts';
import { ANN, Spine } from './harness.ts';

const STEPS = 'steps: { unit: { image: busybox, run: [test] } }\n';
const ELSEWHERE = 'https://git.example/elsewhere.git';

let spine: Spine;
beforeEach(() => {
  spine = new Spine();
});
afterEach(() => {
  expect(spine.errors).toEqual([]);
  return spine.close();
});

/** Oldest first. */
const made = () => builds(spine.db, spine.pipeline.id, { limit: 200 }).reverse();
const listed = () => made().map(({ changes }) => changes.map(({ revision }) => revision));
const manual = () => spine.trigger.manual(spine.pipeline, {}, ANN);
const moveTo = (url: string, branches = ['main']) =>
  savePipeline(
    spine.db,
    {
      projectId: 1,
      name: 'web',
      source: { kind: 'git', url, branches },
      file: 'slipway.yml',
      definition: null,
      poll: null,
    },
    spine.clock.now(),
  );

describe('others are faster', () => {
  test('the watcher looks again where its look was overtaken', async () => {
    await spine.defineShop(STEPS);
    await spine.pass(61_000);
    const first = spine.scm.commit({ 'a.txt': '1' });
    let second = '';
    spine.scm.meanwhile = async () => {
      await manual();
      second = spine.scm.commit({ 'a.txt': '2' });
    };
    spine.hook();
    await spine.pass(2_000);
    expect(made().map(({ trigger }) => trigger)).toEqual(['manual', 'hook']);
    expect(listed()).toEqual([[first], [second]]);
  });

  test('two builds of one head do not both list what a filter had left out', async () => {
    await spine.defineShop(`on: { paths: ["web/**"] }\n${STEPS}`);
    const docs = spine.scm.commit({ 'docs/a.md': '1' });
    expect(await spine.poll()).toBe(0);
    spine.scm.meanwhile = manual;
    await manual();
    expect(listed()).toEqual([[docs], []]);
  });

  test('nor the one commit that the first of all builds lists', async () => {
    await spine.defineShop(STEPS);
    spine.scm.meanwhile = manual;
    await manual();
    expect(listed().flat()).toHaveLength(1);
  });
});

describe('settings change', () => {
  test('a branch that is added is taken note of, and what has moved meanwhile is built', async () => {
    await spine.defineShop(STEPS);
    await spine.pass(61_000);
    spine.scm.commit({ 'slipway.yml': STEPS }, { branch: 'other' });
    const moved = spine.scm.commit({ 'a.txt': '1' });
    moveTo(spine.pipeline.source.url, ['main', 'other']);
    await spine.pass(120_000);
    expect(listed()).toEqual([[moved]]);
  });

  test('a look at the former repository has no say in the new one', async () => {
    const elsewhere = spine.scms.at(ELSEWHERE);
    const there = elsewhere.commit({ 'slipway.yml': STEPS });
    await spine.defineShop(STEPS);
    await spine.pass(61_000);
    spine.scm.commit({ 'a.txt': '1' });
    let pushed = '';
    spine.scm.meanwhile = async () => {
      moveTo(ELSEWHERE);
      await spine.poller.firstSight(spine.pipeline);
      expect(watchesOf(spine.db, spine.pipeline.id)).toMatchObject([{ branch: 'main', revision: there }]);
      pushed = elsewhere.commit({ 'a.txt': '1' });
    };
    spine.hook();
    await spine.watcher.idle();
    await spine.pass(61_000);
    expect(listed()).toEqual([[pushed]]);
  });

  test('a build by hand that was being made is refused, and says why', async () => {
    spine.scms.at(ELSEWHERE).commit({ 'slipway.yml': STEPS });
    await spine.defineShop(STEPS);
    spine.scm.meanwhile = () => moveTo(ELSEWHERE);
    await expect(manual()).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('changed') });
    expect(made()).toEqual([]);
  });

  test('what another file says of time counts from when it is named', async () => {
    await spine.defineShop(STEPS);
    spine.scm.commit({ 'other.yml': `on: { poll: "*/7 * * * *" }\n${STEPS}` });
    const { id: _, ...rest } = spine.pipeline;
    savePipeline(spine.db, { ...rest, file: 'other.yml' }, spine.clock.now());
    await spine.poller.firstSight(spine.pipeline);
    expect(pollState(spine.db, spine.pipeline.id).settings.poll).toBe('*/7 * * * *');
  });
});

describe('a further source that is away', () => {
  const CONF = 'https://git.example/conf.git';
  const file = (url: string) => `sources: { conf: { kind: git, url: "${url}", branch: main, path: conf } }\n${STEPS}`;

  test('does not hide what is pushed to the pipeline’s own, such as another address for it', async () => {
    spine.scms.at(CONF).commit({ 'a.conf': '1' });
    spine.scms.at(ELSEWHERE).commit({ 'a.conf': '1' });
    await spine.defineShop(file(CONF));
    await spine.pass(61_000);
    spine.scms.at(CONF).away = true;
    await spine.pass(61_000);
    expect(pollState(spine.db, spine.pipeline.id).error).toContain('away');
    const mended = spine.scm.commit({ 'slipway.yml': file(ELSEWHERE) });
    spine.hook();
    await spine.pass(2_000);
    expect(listed()).toEqual([[mended]]);
    await spine.pass(900_000);
    expect(pollState(spine.db, spine.pipeline.id).error).toBeNull();
  });

  test('and one that moves while the pipeline’s file is broken builds nothing, and is not asked without end', async () => {
    const conf = spine.scms.at(CONF);
    conf.commit({ 'a.conf': '1' });
    await spine.defineShop(file(CONF));
    spine.scm.commit({ 'slipway.yml': 'steps: 1\n' });
    await spine.pass(61_000);
    expect(made()).toMatchObject([{ result: 'failed' }]);
    conf.commit({ 'a.conf': '2' });
    const before = spine.scms.pulses.length;
    await spine.pass(600_000);
    expect(spine.scms.pulses.length - before).toBeLessThanOrEqual(22);
    expect(made()).toHaveLength(1);
  });
});

describe('lists that are cut short', () => {
  const FILTERED = `on: { paths: ["web/**"], authors: ["Ann"] }\n${STEPS}`;

  test('a change of more files than are listed may be of any path', async () => {
    await spine.defineShop(FILTERED);
    spine.scm.commit({ 'api/a': '1' }, { author: 'Ann', files: ['api/a'], moreFiles: true });
    expect(await spine.poll()).toBe(1);
  });

  test('and so may one of more changes than are listed, by anybody', async () => {
    await spine.defineShop(FILTERED);
    spine.scm.commit({ 'web/a': '1' }, { author: 'Ann' });
    for (let count = 0; count < 205; count++) spine.scm.commit({ 'docs/a': `${count}` });
    expect(await spine.poll()).toBe(1);
  });
});

describe('a wait for quiet', () => {
  const QUIET = `quiet: 30s\n${STEPS}`;
  const asked = () => spine.scms.pulses.length;

  test.each<[string, () => void]>([
    ['a new branch is deleted', () => spine.scm.deleteBranch('feature')],
    ['the source is another one', () => moveTo(ELSEWHERE)],
  ])('ends when %s, and the repository is not asked every second', async (_, happens) => {
    spine.scms.at(ELSEWHERE).commit({ 'slipway.yml': STEPS });
    await spine.defineShop(QUIET, [], ['main', 'feature']);
    await spine.pass(61_000);
    spine.scm.commit({ 'slipway.yml': QUIET }, { branch: 'feature' });
    await spine.pass(61_000);
    const before = made().length;
    spine.scm.commit({ 'a.txt': '1' }, { branch: 'feature' });
    spine.hook();
    await spine.pass(2_000);
    expect(quietsOf(spine.db, spine.pipeline.id)).toHaveLength(1);
    happens();
    await spine.pass(120_000);
    expect(quietsOf(spine.db, spine.pipeline.id)).toEqual([]);
    const usual = asked();
    await spine.pass(600_000);
    expect(asked() - usual).toBeLessThanOrEqual(11);
    expect(made()).toHaveLength(before);
  });

  test('that a hook began is a hook’s build, and no hook was missed', async () => {
    await spine.defineShop(QUIET);
    await spine.pass(61_000);
    spine.scm.commit({ 'a.txt': '1' });
    spine.hook();
    await spine.pass(120_000);
    expect(made()).toMatchObject([{ trigger: 'hook' }]);
    expect(pollState(spine.db, spine.pipeline.id).missedAt).toBeNull();
  });

  test('does not become a day where the clock is put back by one', async () => {
    await spine.defineShop(QUIET);
    await spine.pass(61_000);
    spine.scm.commit({ 'a.txt': '1' });
    spine.hook();
    await spine.pass(2_000);
    spine.clock.jump(-24 * 3_600_000);
    await spine.pass(120_000);
    expect(made()).toHaveLength(1);
  });
});

describe('the push of an image', () => {
  const FILE = `on: { images: ["shop/base:stable"] }\n${STEPS}`;
  const push = (digest: string) =>
    takeImages(spine, spine.pipeline, [{ repository: 'shop/base', tag: 'stable', digest }]);

  test('while the repository is away builds when it is back', async () => {
    await spine.defineShop(FILE);
    await spine.pass(61_000);
    spine.scm.away = true;
    push('sha256:1');
    await spine.pass(120_000);
    spine.scm.away = false;
    await spine.pass(900_000);
    expect(made()).toMatchObject([{ trigger: 'hook', branch: 'main' }]);
  });

  test('while the disk is full builds when there is room', async () => {
    await spine.defineShop(FILE);
    await spine.pass(61_000);
    spine.intakeOpen = false;
    push('sha256:1');
    await spine.pass(120_000);
    spine.intakeOpen = true;
    await spine.pass(120_000);
    expect(made()).toMatchObject([{ branch: 'main' }]);
  });

  test('builds the first branch, though another one has moved; and once where that has moved itself', async () => {
    await spine.defineShop(FILE, [], ['main', 'feature']);
    await spine.pass(61_000);
    spine.scm.commit({ 'slipway.yml': STEPS }, { branch: 'feature' });
    push('sha256:1');
    await spine.pass(2_000);
    expect(made().map(({ branch }) => branch)).toEqual(['feature', 'main']);
    spine.scm.commit({ 'a.txt': '1' });
    push('sha256:2');
    await spine.pass(120_000);
    expect(made().map(({ branch }) => branch)).toEqual(['feature', 'main', 'main']);
  });
});

test('of a first branch that is a pattern, whatever it means sets the times', async () => {
  await spine.defineShop(STEPS, [], ['ma*']);
  spine.scm.commit({ 'slipway.yml': `on: { poll: "*/7 * * * *" }\n${STEPS}` });
  expect(await spine.poll()).toBe(1);
  expect(pollState(spine.db, spine.pipeline.id).settings.poll).toBe('*/7 * * * *');
});
