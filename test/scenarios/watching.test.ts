/** What is built, when, and which changes each build lists: the watcher, with fake time and repositories in memory. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { takeImages } from '../../server/intake.ts';
import { builds, planOf } from '../../server/store/runs.ts';
import { slotsOf } from '../../server/store/slots.ts';
import { pollState, quietsOf, watchesOf } from '../../server/store/watches.ts';
import { ANN, Spine } from './harness.ts';

const STEPS = 'steps: { unit: { image: busybox, run: [test] } }\n';

let spine: Spine;
beforeEach(() => {
  spine = new Spine();
});
afterEach(() => spine.close());

/** Oldest first. */
const made = () => builds(spine.db, spine.pipeline.id, { limit: 200 }).reverse();
const listed = () => made().map(({ changes }) => changes.map(({ revision }) => revision));

describe('changes', () => {
  test('what a filter leaves out is listed by the next build, once', async () => {
    await spine.defineShop(`on: { paths: ["web/**"] }\n${STEPS}`);
    const docs = spine.scm.commit({ 'docs/a.md': '1' });
    expect(await spine.poll()).toBe(0);
    const web = spine.scm.commit({ 'web/a.js': '1' });
    expect(await spine.poll()).toBe(1);
    const more = spine.scm.commit({ 'web/a.js': '2' });
    expect(await spine.poll()).toBe(1);
    expect(listed()).toEqual([[web, docs], [more]]);
  });

  test('what a filter has left out is not judged again with what comes later', async () => {
    await spine.defineShop(`on: { paths: ["web/**"] }\n${STEPS}`);
    spine.scm.commit({ 'slipway.yml': `on: { paths: ["docs/**"] }\n${STEPS}` });
    expect(await spine.poll()).toBe(0);
    spine.scm.commit({ 'web/a.js': '1' });
    expect(await spine.poll()).toBe(0);
    spine.scm.commit({ 'docs/a.md': '1' });
    expect(await spine.poll()).toBe(1);
    expect(listed()[0]).toHaveLength(3);
  });

  test('a build by hand of the newest takes them, one of an older revision lists that one alone', async () => {
    await spine.defineShop(STEPS);
    const first = spine.scm.commit({ 'a.txt': '1' });
    const second = spine.scm.commit({ 'a.txt': '2' });
    await spine.trigger.manual(spine.pipeline, {}, ANN);
    expect(await spine.poll()).toBe(0);
    await spine.trigger.manual(spine.pipeline, { revision: first }, ANN);
    const third = spine.scm.commit({ 'a.txt': '3' });
    expect(await spine.poll()).toBe(1);
    expect(listed()).toEqual([[second, first], [first], [third]]);
  });

  test('more than 200 are capped, and the build says so', async () => {
    await spine.defineShop(STEPS);
    for (let count = 0; count < 201; count++) spine.scm.commit({ 'a.txt': `${count}` });
    await spine.poll();
    spine.scm.commit({ 'a.txt': 'last' });
    await spine.poll();
    expect(made()).toMatchObject([{ moreChanges: true }, { moreChanges: false }]);
    expect(made().map(({ changes }) => changes.length)).toEqual([200, 1]);
  });
});

describe('branches', () => {
  test('one that appears later builds by itself, one that is deleted is forgotten and new when it returns', async () => {
    await spine.defineShop(STEPS, [], ['main', 'feature/*']);
    const one = spine.scm.commit({ 'slipway.yml': STEPS }, { branch: 'feature/x' });
    spine.scm.commit({ 'slipway.yml': STEPS }, { branch: 'other' });
    expect(await spine.poll()).toBe(1);
    expect(made()).toMatchObject([{ branch: 'feature/x', revision: one }]);
    spine.scm.deleteBranch('feature/x');
    expect(await spine.poll()).toBe(0);
    expect(watchesOf(spine.db, spine.pipeline.id).map(({ branch }) => branch)).toEqual(['main']);
    spine.scm.commit({ 'slipway.yml': STEPS }, { branch: 'feature/x' });
    expect(await spine.poll()).toBe(1);
  });

  test('one that cannot be read does not keep the others from being built', async () => {
    await spine.defineShop(STEPS, [], ['main', 'zzz']);
    spine.scm.commit({ 'slipway.yml': STEPS }, { branch: 'aaa' });
    spine.scm.commit({ 'slipway.yml': 'x'.repeat(10) }, { branch: 'zzz' });
    spine.scm.commit({ 'a.txt': '1' });
    expect(await spine.poll()).toBe(2);
    expect(made().map(({ branch, result }) => [branch, result])).toEqual([
      ['main', null],
      ['zzz', 'failed'],
    ]);
  });

  test('a tag is built where a pattern speaks of tags; a branch pattern never means one', async () => {
    await spine.defineShop(
      `release: { version: "\${tag}", compose: compose.yml }\n${STEPS}`,
      [],
      ['**', 'refs/tags/v*'],
    );
    spine.scm.commit(
      { 'slipway.yml': `release: { version: "\${tag}", compose: compose.yml }\n${STEPS}` },
      { branch: 'refs/tags/v1.0' },
    );
    spine.scm.commit({ 'slipway.yml': STEPS }, { branch: 'refs/tags/main' });
    spine.scm.commit({ 'slipway.yml': STEPS }, { branch: 'refs/notes/commits' });
    expect(await spine.poll()).toBe(1);
    expect(made()).toMatchObject([{ branch: 'refs/tags/v1.0', version: 'v1.0' }]);
  });

  test('a pull request gets no secrets, no registry and no release', async () => {
    const file = `release: { compose: compose.yml }\nsteps: { unit: { image: busybox, run: [test], secrets: [NPM_TOKEN] } }\n`;
    await spine.defineShop(file, [], ['main', 'refs/pull/*/head']);
    spine.scm.commit({ 'slipway.yml': file }, { branch: 'refs/pull/7/head' });
    expect(await spine.poll()).toBe(1);
    const [run] = made();
    expect(planOf(spine.db, run?.id ?? 0)).toMatchObject({ foreign: true, release: null, registry: null });
  });
});

describe('the quiet period', () => {
  const QUIET = `quiet: 30s\n${STEPS}`;
  const QUIET_SETUP = `on: { poll: "*/10 * * * * *" }\n${QUIET}`;

  test('commits that follow closely are one build', async () => {
    await spine.defineShop(QUIET_SETUP);
    for (let count = 0; count < 4; count++) {
      spine.scm.commit({ 'a.txt': `${count}` });
      await spine.pass(10_000);
    }
    expect(made()).toEqual([]);
    expect(quietsOf(spine.db, spine.pipeline.id)).toHaveLength(1);
    await spine.pass(31_000);
    expect(listed().map((changes) => changes.length)).toEqual([4]);
    expect(quietsOf(spine.db, spine.pipeline.id)).toEqual([]);
  });

  test('a branch that never comes to rest is built after ten of them', async () => {
    await spine.defineShop(QUIET_SETUP);
    for (let count = 0; count < 31; count++) {
      spine.scm.commit({ 'a.txt': `${count}` });
      await spine.pass(10_000);
    }
    expect(made().length).toBe(1);
  });

  test('it survives a restart, and a build by hand ends it', async () => {
    await spine.defineShop(QUIET_SETUP);
    spine.scm.commit({ 'a.txt': '1' });
    await spine.pass(10_000);
    await spine.trigger.manual(spine.pipeline, {}, ANN);
    await spine.pass(40_000);
    expect(made()).toMatchObject([{ trigger: 'manual' }]);
  });
});

describe('supersede', () => {
  test('a newer poll build cancels the queued older ones of its branch, and no others', async () => {
    await spine.defineShop(`supersede: true\n${STEPS}`, [], ['main', 'other']);
    await spine.trigger.manual(spine.pipeline, {}, ANN);
    spine.scm.commit({ 'a.txt': '1' });
    await spine.poll();
    spine.scm.commit({ 'slipway.yml': `supersede: true\n${STEPS}` }, { branch: 'other' });
    await spine.poll();
    spine.scm.commit({ 'a.txt': '2' });
    await spine.poll();
    expect(made().map(({ result, reason }) => [result, reason])).toEqual([
      [null, null],
      ['cancelled', 'superseded by build 4'],
      [null, null],
      [null, null],
    ]);
  });
});

describe('further sources', () => {
  const CONF = 'https://git.example/conf.git';
  const FILE = `sources: { conf: { kind: git, url: "${CONF}", branch: main, path: conf } }\n${STEPS}`;
  const planned = (index: number) => {
    const plan = planOf(spine.db, made()[index]?.id ?? 0);
    return plan.kind === 'build' ? plan.sources : [];
  };

  test('a build pins both; a commit to either builds, and is listed once', async () => {
    const conf = spine.scms.at(CONF);
    const before = conf.commit({ 'a.conf': '1' });
    await spine.defineShop(FILE);
    expect(await spine.poll()).toBe(0);
    const own = spine.scm.commit({ 'a.txt': '1' });
    expect(await spine.poll()).toBe(1);
    expect(planned(0)).toMatchObject([{ name: 'conf', revision: before, branch: 'main', path: 'conf' }]);
    const moved = conf.commit({ 'a.conf': '2' });
    expect(await spine.poll()).toBe(1);
    expect(await spine.poll()).toBe(0);
    expect(planned(1)).toMatchObject([{ revision: moved }]);
    const both = [spine.scm.commit({ 'a.txt': '2' }), conf.commit({ 'a.conf': '3' })];
    expect(await spine.poll()).toBe(1);
    expect(listed()).toEqual([[own], [moved], both]);
    expect(made()[1]).toMatchObject({ revision: own, changes: [{ source: 'conf' }] });
  });

  test('one that is away is told, and the commit is built later', async () => {
    const conf = spine.scms.at(CONF);
    conf.commit({ 'a.conf': '1' });
    await spine.defineShop(FILE);
    conf.away = true;
    spine.scm.commit({ 'a.txt': '1' });
    await expect(spine.poll()).rejects.toThrow('away');
    conf.away = false;
    expect(await spine.poll()).toBe(1);
  });

  test('one without the branch makes a failed build that says so', async () => {
    await spine.defineShop(STEPS);
    spine.scm.commit({ 'slipway.yml': FILE });
    expect(await spine.poll()).toBe(1);
    expect(made()[0]).toMatchObject({ result: 'failed', reason: expect.stringContaining('has no branch main') });
  });

  test('a pull request may not make the server talk to others', async () => {
    await spine.defineShop(STEPS, [], ['main', 'refs/pull/*/head']);
    spine.scms.at(CONF).commit({ 'a.conf': '1' });
    spine.scm.commit({ 'slipway.yml': FILE }, { branch: 'refs/pull/1/head' });
    expect(await spine.poll()).toBe(1);
    expect(made()[0]).toMatchObject({ result: 'failed', reason: expect.stringContaining('may not add sources') });
  });
});

describe('the schedule', () => {
  const NIGHTLY = `on: { schedule: { cron: "0 2 * * *", timezone: Europe/Berlin } }\n${STEPS}`;
  const HOUR = 3_600_000;
  const slots = () =>
    slotsOf(spine.db, spine.pipeline.id, 10).map(({ name, outcome, build }) => [name, outcome, build]);

  test('builds when it is due, though nothing has changed, once', async () => {
    await spine.defineShop(NIGHTLY);
    await spine.pass(3 * HOUR, 60_000);
    expect(made()).toMatchObject([{ trigger: 'schedule' }]);
    await spine.pass(24 * HOUR, 60_000);
    expect(made()[1]).toMatchObject({ trigger: 'schedule', changes: [] });
    expect(slots()).toEqual([
      ['2026-01-02T02:00:00', 'built', 2],
      ['2026-01-01T02:00:00', 'built', 1],
    ]);
  });

  test('what was missed while the server was down is written down, and caught up once', async () => {
    await spine.defineShop(NIGHTLY);
    spine.clock.advance(3 * 24 * HOUR);
    await spine.pass(60_000);
    expect(slots()).toEqual([
      ['2026-01-03T02:00:00', 'built', 1],
      ['2026-01-02T02:00:00', 'missed', null],
      ['2026-01-01T02:00:00', 'missed', null],
    ]);
    spine.clock.jump(-24 * HOUR);
    await spine.pass(60_000);
    expect(made()).toHaveLength(1);
  });

  test('a repository that is away when it is due is asked again', async () => {
    await spine.defineShop(NIGHTLY);
    spine.scm.away = true;
    await spine.pass(3 * HOUR, 60_000);
    expect(made()).toEqual([]);
    spine.scm.away = false;
    await spine.pass(HOUR, 60_000);
    expect(made()).toMatchObject([{ trigger: 'schedule' }]);
  });

  test('another schedule counts from when it was seen', async () => {
    await spine.defineShop(STEPS);
    spine.clock.advance(5 * HOUR);
    spine.scm.commit({ 'slipway.yml': NIGHTLY });
    await spine.pass(120_000, 60_000);
    expect(made().map(({ trigger }) => trigger)).toEqual(['poll']);
    await spine.pass(24 * HOUR, 60_000);
    expect(made().map(({ trigger }) => trigger)).toEqual(['poll', 'schedule']);
  });
});

describe('when it is asked', () => {
  const polled = () => spine.scms.pulses.length;

  test('by the cron of the file, and as soon as that has changed by the new one', async () => {
    await spine.defineShop(`on: { poll: "*/10 * * * *" }\n${STEPS}`);
    await spine.pass(3_600_000, 60_000);
    expect(polled()).toBe(6);
    spine.scm.commit({ 'slipway.yml': `on: { poll: "* * * * *" }\n${STEPS}` });
    await spine.pass(600_000, 60_000);
    const before = polled();
    await spine.pass(600_000, 60_000);
    expect(polled() - before).toBe(10);
  });

  test('less and less often while it is away, and at the usual times when it is back', async () => {
    await spine.defineShop(`on: { poll: "* * * * *" }\n${STEPS}`);
    spine.scm.away = true;
    await spine.pass(3_600_000);
    expect(polled()).toBeLessThan(10);
    expect(pollState(spine.db, spine.pipeline.id).error).toContain('away');
    expect(spine.watcher.outlook(spine.pipeline.id).failures).toBe(polled());
    spine.scm.away = false;
    spine.scm.commit({ 'a.txt': '1' });
    await spine.pass(900_000);
    expect(made()).toHaveLength(1);
    expect(pollState(spine.db, spine.pipeline.id).error).toBeNull();
    const before = polled();
    await spine.pass(600_000);
    expect(polled() - before).toBe(10);
  });

  test('what comes while the disk is full is built when there is room again', async () => {
    await spine.defineShop(STEPS);
    await spine.pass(61_000);
    spine.intakeOpen = false;
    spine.scm.commit({ 'a.txt': '1' });
    spine.hook();
    await spine.pass(180_000);
    expect(made()).toEqual([]);
    spine.intakeOpen = true;
    await spine.pass(61_000);
    expect(made()).toHaveLength(1);
  });

  test('a quiet period that ends while the repository is away does not ask it every second', async () => {
    await spine.defineShop(`on: { poll: "*/10 * * * * *" }\nquiet: 30s\n${STEPS}`);
    spine.scm.commit({ 'a.txt': '1' });
    await spine.pass(15_000);
    spine.scm.away = true;
    const before = polled();
    await spine.pass(600_000);
    expect(polled() - before).toBeLessThan(10);
    spine.scm.away = false;
    await spine.pass(900_000);
    expect(made()).toHaveLength(1);
  });

  test('a wall clock that is put back does not stop it', async () => {
    await spine.defineShop(STEPS);
    await spine.pass(120_000);
    spine.clock.jump(-24 * 3_600_000);
    spine.scm.commit({ 'a.txt': '1' });
    await spine.pass(120_000);
    expect(made()).toHaveLength(1);
  });

  test('at once for a hook, and where a hook does not come, more often for a while', async () => {
    await spine.defineShop(STEPS);
    await spine.pass(61_000);
    spine.scm.commit({ 'a.txt': '1' });
    spine.hook();
    await spine.watcher.idle();
    expect(made()).toMatchObject([{ trigger: 'hook' }]);
    const usual = polled();
    await spine.pass(300_000);
    expect(polled() - usual).toBe(5);
    spine.scm.commit({ 'a.txt': '2' });
    await spine.pass(120_000);
    expect(made()).toMatchObject([{ trigger: 'hook' }, { trigger: 'poll' }]);
    expect(pollState(spine.db, spine.pipeline.id).missedAt).not.toBeNull();
    const alert = polled();
    await spine.pass(300_000);
    expect(polled() - alert).toBe(20);
  });

  test('a hook that comes a little after the poll was not lost', async () => {
    await spine.defineShop(STEPS);
    spine.hook();
    await spine.pass(59_000);
    spine.scm.commit({ 'a.txt': '1' });
    await spine.pass(10_000);
    spine.hook();
    await spine.pass(60_000);
    expect(made()).toHaveLength(1);
    expect(pollState(spine.db, spine.pipeline.id).missedAt).toBeNull();
  });

  test('the push of an image that the file names builds once for each digest', async () => {
    await spine.defineShop(`on: { images: ["shop/base:stable", "web"] }\n${STEPS}`);
    await spine.pass(2_000);
    const push = (repository: string, tag: string, digest: string) =>
      takeImages(spine, spine.pipeline, [{ repository, tag, digest }]);
    expect(push('shop/base', 'latest', 'sha256:1')).toBe(0);
    expect(push('shop/base', 'stable', 'sha256:1')).toBe(1);
    expect(push('shop/base', 'stable', 'sha256:1')).toBe(0);
    await spine.watcher.idle();
    expect(made()).toMatchObject([{ trigger: 'hook' }]);
  });

  test('pipelines of one repository share the question', async () => {
    await spine.defineShop(STEPS);
    for (const name of ['two', 'three']) spine.definePipeline(name);
    for (const name of ['two', 'three']) await spine.poller.firstSight(spine.pipelineNamed(name));
    await spine.pass(61_000);
    const before = polled();
    spine.scm.commit({ 'a.txt': '1' });
    await spine.pass(60_000);
    expect(polled() - before).toBe(1);
    for (const name of ['web', 'two', 'three'])
      expect(builds(spine.db, spine.pipelineNamed(name).id, { limit: 10 })).toHaveLength(1);
  });
});
