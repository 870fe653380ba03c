import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../pipelines/errors.ts';
import type { DeploymentRun } from '../../pipelines/model.ts';
import { rows } from '../../server/store/db.ts';
import { deletePipeline, savePipeline } from '../../server/store/pipelines.ts';
import { builds, deployments, runById } from '../../server/store/runs.ts';
import { stackState } from '../../server/store/stacks.ts';
import { ANN, BOB, failing, gate, ok, Spine } from './harness.ts';

const ENVIRONMENTS = [{ name: 'DEV' }, { name: 'PRO', after: ['DEV'], promote: 'manual' as const }];
const mails = (spine: Spine) =>
  rows<{ kind: string; recipient: string; run_id: number }>(
    spine.db,
    'SELECT kind, recipient, run_id FROM outbox ORDER BY id',
  ).map(({ kind, recipient }) => `${kind} ${recipient}`);

let spine: Spine;
beforeEach(() => {
  spine = new Spine();
});
afterEach(() => spine.close());

describe('from commit to PRO', () => {
  test('a build that passes makes a release, which follows to DEV by itself and to PRO when asked', async () => {
    await spine.defineShop(undefined, ENVIRONMENTS);
    await spine.startWorker();
    const build = await spine.build();
    expect(build).toMatchObject({ result: 'passed', release: '1.1', number: 1 });
    expect(await spine.deployment('DEV', 1)).toMatchObject({
      result: 'passed',
      release: '1.1',
      trigger: 'promote',
      requestedBy: null,
    });
    expect(spine.current('DEV')).toBe('1.1');
    expect(spine.current('PRO')).toBeNull();
    const asked = await spine.promoter.promote(spine.environment('PRO'), { release: '1.1' }, ANN);
    expect(await spine.finished(asked)).toMatchObject({ result: 'passed', requestedBy: 'ann' });
    expect(spine.current('PRO')).toBe('1.1');
    expect(mails(spine).filter((mail) => mail.startsWith('deployed team'))).toHaveLength(2);
  });

  test('a release that has not passed DEV is refused by PRO, by name of the gate', async () => {
    spine.play('smoke', failing);
    await spine.defineShop(undefined, ENVIRONMENTS);
    spine.play('deploy', failing);
    await spine.startWorker();
    await spine.build();
    await spine.deployment('DEV', 1);
    const ask = () => spine.promoter.promote(spine.environment('PRO'), { release: '1.1' }, ANN);
    await expect(ask()).rejects.toThrowError(/has not passed DEV/);
    expect(deployments(spine.db, spine.environment('PRO').id, { limit: 10 })).toEqual([]);
  });

  test('a failed deploy is restored, says so, and leaves what was current', async () => {
    await spine.defineShop(undefined, ENVIRONMENTS);
    await spine.startWorker();
    await spine.build();
    await spine.deployment('DEV', 1);
    spine.play('deploy', failing);
    spine.scm.commit({ 'a.txt': '2' });
    await spine.poll();
    const second = await spine.deployment('DEV', 2);
    expect(second).toMatchObject({ result: 'failed', restored: true });
    expect(second.reason).toContain('restored');
    expect(spine.current('DEV')).toBe('1.1');
    expect(stackState(spine.db, spine.environment('DEV').id, 'shop').lock).toBeNull();
    expect(mails(spine)).toContain('deploy-failed team@example.com');
  });

  test('a rollback puts the earlier release back, and holds automatic promotion until somebody promotes', async () => {
    await spine.defineShop(undefined, ENVIRONMENTS);
    await spine.startWorker();
    await spine.build();
    await spine.deployment('DEV', 1);
    await spine.build();
    await spine.deployment('DEV', 2);
    const back = spine.promoter.rollback(spine.environment('DEV'), { reason: 'too slow' }, ANN);
    expect(await spine.finished(back)).toMatchObject({ result: 'passed', release: '1.1', trigger: 'rollback' });
    expect(spine.current('DEV')).toBe('1.1');
    await spine.build();
    expect(deployments(spine.db, spine.environment('DEV').id, { limit: 10 })).toHaveLength(3);
    await spine.finished(await spine.promoter.promote(spine.environment('DEV'), { release: '1.3' }, ANN));
    expect(stackState(spine.db, spine.environment('DEV').id, 'shop').hold).toBeNull();
    await spine.build();
    expect(await spine.deployment('DEV', 5)).toMatchObject({ release: '1.4', result: 'passed' });
  });
});

test('a release whose images are gone from the registry is refused by name; a project admin may override a skipped environment, nobody a lost image', async () => {
  await spine.defineShop(undefined, ENVIRONMENTS);
  spine.play('deploy', failing);
  await spine.startWorker();
  await spine.build();
  await spine.deployment('DEV', 1);
  const pro = spine.environment('PRO');
  const stranger = { userId: 77, name: 'eve', admin: false };
  await expect(spine.promoter.promote(pro, { release: '1.1', override: 'please' }, stranger)).rejects.toMatchObject({
    code: 'forbidden',
  });
  spine.missing = ['registry/shop/web@sha256:1'];
  await expect(spine.promoter.promote(pro, { release: '1.1', override: 'hotfix' }, ANN)).rejects.toThrowError(
    /no longer has registry.shop.web/,
  );
  spine.missing = null;
  spine.play('deploy', { ...ok, output: { observed: [] } });
  const asked = await spine.promoter.promote(pro, { release: '1.1', override: 'hotfix' }, ANN);
  expect(await spine.finished(asked)).toMatchObject({ result: 'passed', override: { by: 'ann', reason: 'hotfix' } });
});

describe('approvals', () => {
  const withApproval = [
    { name: 'DEV' },
    { name: 'PRO', after: ['DEV'], promote: 'manual' as const, approvals: { count: 1, allowRequester: false } },
  ];

  test('a promotion waits, cannot be approved by its requester, and goes on when another approves', async () => {
    await spine.defineShop(undefined, withApproval);
    await spine.startWorker();
    await spine.build();
    await spine.deployment('DEV', 1);
    const asked = await spine.promoter.promote(spine.environment('PRO'), { release: '1.1' }, ANN);
    expect(asked).toMatchObject({ status: 'waiting' });
    expect(asked.gates.find(({ open }) => !open)).toMatchObject({ gate: 'approvals', waits: true });
    expect(() => spine.promoter.approve(asked, '', ANN)).toThrowError(/cannot be approved by yourself/);
    spine.promoter.approve(asked, 'fine', BOB);
    expect(await spine.finished(asked)).toMatchObject({
      result: 'passed',
      approvals: [{ by: 'bob', decision: 'approved' }],
    });
    expect(() => spine.promoter.approve(asked, '', BOB)).toThrowError(/does not wait/);
  });

  test('an approval is void once something else runs there', async () => {
    const two = withApproval.map((each) =>
      each.name === 'PRO' ? { ...each, approvals: { count: 2, allowRequester: true } } : each,
    );
    await spine.defineShop(undefined, two);
    await spine.startWorker();
    await spine.build();
    await spine.deployment('DEV', 1);
    await spine.build();
    await spine.deployment('DEV', 2);
    const first = await spine.promoter.promote(spine.environment('PRO'), { release: '1.1' }, ANN);
    const second = await spine.promoter.promote(spine.environment('PRO'), { release: '1.2' }, ANN);
    spine.promoter.approve(second, '', BOB);
    for (const actor of [ANN, BOB]) spine.promoter.approve(runById(spine.db, first.id) as DeploymentRun, '', actor);
    await spine.finished(first);
    const after = spine.promoter.approve(runById(spine.db, second.id) as DeploymentRun, '', ANN);
    expect(after.status).toBe('waiting');
    expect(after.gates.find(({ gate }) => gate === 'approvals')?.message).toMatch(/no longer counts/);
  });

  test('a rejected promotion is cancelled with that reason', async () => {
    await spine.defineShop(undefined, withApproval);
    await spine.startWorker();
    await spine.build();
    await spine.deployment('DEV', 1);
    const asked = await spine.promoter.promote(spine.environment('PRO'), { release: '1.1' }, ANN);
    expect(spine.promoter.reject(asked, 'not on a Friday', BOB)).toMatchObject({
      result: 'cancelled',
      reason: 'rejected by bob: not on a Friday',
    });
  });
});

describe('watching', () => {
  test('first sight notes the head without building; each later commit is built once', async () => {
    await spine.defineShop();
    expect(await spine.poll()).toBe(0);
    const revision = spine.scm.commit({ 'a.txt': '1' });
    expect(await spine.poll()).toBe(1);
    expect(await spine.poll()).toBe(0);
    expect(builds(spine.db, spine.pipeline.id, { limit: 10 })).toMatchObject([
      { number: 1, trigger: 'poll', revision, changes: [{ revision }] },
    ]);
  });

  test('two pollers at once make one build', async () => {
    await spine.defineShop();
    spine.scm.commit({ 'a.txt': '1' });
    await Promise.all([1, 2, 3].map(() => spine.poll()));
    expect(builds(spine.db, spine.pipeline.id, { limit: 10 })).toHaveLength(1);
  });

  test('a pipeline file that is wrong makes a failed build that says where; asked for by hand it is refused', async () => {
    await spine.defineShop();
    spine.scm.commit({ 'slipway.yml': 'steps:\n  a: { imge: busybox, run: [x] }\n' });
    await spine.poll();
    const [run] = builds(spine.db, spine.pipeline.id, { limit: 1 });
    expect(run).toMatchObject({ status: 'finished', result: 'failed' });
    expect(run?.reason).toMatch(/slipway\.yml:2:\d+: .*image/);
    await expect(spine.trigger.manual(spine.pipeline, {}, ANN)).rejects.toMatchObject({
      code: 'invalid',
      extra: { errors: [{ line: 2 }] },
    });
  });

  test('a repository that is away is told, and nothing is lost', async () => {
    await spine.defineShop();
    spine.scm.commit({ 'a.txt': '1' });
    spine.scm.away = true;
    await expect(spine.poll()).rejects.toBeInstanceOf(AppError);
    spine.scm.away = false;
    expect(await spine.poll()).toBe(1);
  });

  test('a number is never used again, not even by a pipeline of the same name', async () => {
    await spine.defineShop();
    expect(await spine.trigger.manual(spine.pipeline, {}, ANN)).toMatchObject({ number: 1 });
    deletePipeline(spine.db, spine.pipeline.id);
    savePipeline(
      spine.db,
      {
        projectId: 1,
        name: 'web',
        source: { kind: 'git', url: 'https://git.example/web.git', branches: ['main'] },
        file: 'slipway.yml',
        definition: null,
        poll: null,
      },
      0,
    );
    expect(await spine.trigger.manual(spine.pipeline, {}, ANN)).toMatchObject({ number: 2 });
  });

  test('the same Idempotency-Key makes one build; for another request it is refused', async () => {
    await spine.defineShop();
    const [a, b] = await Promise.all(
      [1, 2].map(() => spine.trigger.manual(spine.pipeline, { idempotencyKey: 'k' }, ANN)),
    );
    expect(a?.number).toBe(b?.number);
    await expect(
      spine.trigger.manual(spine.pipeline, { idempotencyKey: 'k', branch: 'main' }, ANN),
    ).rejects.toMatchObject({ code: 'conflict' });
  });
});

describe('runners that are lost', () => {
  const slow = 'steps: { slow: { image: busybox, run: [x] } }\n';

  test('a runner that died with the server: its build is queued again and does not count as lost', async () => {
    await spine.defineShop(slow);
    const step = gate();
    spine.play('slow', step.script);
    const worker = await spine.startWorker();
    const run = await spine.trigger.manual(spine.pipeline, {}, ANN);
    await step.started;
    await worker.close();
    expect(runById(spine.db, run.id)).toMatchObject({ status: 'running' });
    spine.coordinator.recover((id) => id.startsWith('embedded-'));
    expect(runById(spine.db, run.id)).toMatchObject({ status: 'queued', losses: 0 });
    spine.play('slow', ok);
    await spine.startWorker();
    expect(await spine.finished(run)).toMatchObject({ result: 'passed', attempt: 2 });
  });

  test('a silent runner is lost after its lease; three times is enough', async () => {
    await spine.defineShop(slow);
    const run = await spine.trigger.manual(spine.pipeline, {}, ANN);
    await spine.coordinator.register({ id: 'r', name: 'r', pools: ['default'], slots: 1, version: '0' });
    for (const losses of [1, 2]) {
      expect(await spine.coordinator.claim('r')).not.toBeNull();
      spine.clock.advance(31_000);
      expect(runById(spine.db, run.id)).toMatchObject({ status: 'queued', losses });
    }
    await spine.coordinator.claim('r');
    spine.clock.advance(31_000);
    expect(runById(spine.db, run.id)).toMatchObject({
      status: 'finished',
      result: 'errored',
      reason: expect.stringContaining('lost 3 times'),
    });
  });

  test('a wall clock that jumps a day loses nothing', async () => {
    await spine.defineShop(slow);
    const run = await spine.trigger.manual(spine.pipeline, {}, ANN);
    await spine.coordinator.register({ id: 'r', name: 'r', pools: ['default'], slots: 1, version: '0' });
    await spine.coordinator.claim('r');
    for (const day of [1, -2]) {
      spine.clock.jump(day * 86_400_000);
      spine.clock.advance(10_000);
    }
    expect(runById(spine.db, run.id)).toMatchObject({ status: 'running', attempt: 1 });
  });

  test('lost in the middle of a deploy: errored, the lock is free, and somebody looks at the environment', async () => {
    await spine.defineShop(undefined, [{ name: 'DEV' }]);
    const step = gate();
    spine.play('deploy', step.script);
    const worker = await spine.startWorker();
    await spine.build();
    await step.started;
    await worker.close();
    spine.coordinator.recover((id) => id.startsWith('embedded-'));
    expect(await spine.deployment('DEV', 1)).toMatchObject({
      result: 'errored',
      reason: expect.stringContaining('runner lost during deploy'),
    });
    expect(stackState(spine.db, spine.environment('DEV').id, 'shop').lock).toBeNull();
    await spine.startWorker();
    const task = rows<{ id: number }>(spine.db, "SELECT id FROM runs WHERE kind = 'task'")[0];
    expect(await spine.finished(runById(spine.db, task?.id ?? 0) as never)).toMatchObject({ result: 'passed' });
    expect(stackState(spine.db, spine.environment('DEV').id, 'shop').observed).not.toBeNull();
  });

  test('a stale token is a conflict, whatever it says; the new attempt is untouched', async () => {
    await spine.defineShop(slow);
    await spine.trigger.manual(spine.pipeline, {}, ANN);
    await spine.coordinator.register({ id: 'r', name: 'r', pools: ['default'], slots: 1, version: '0' });
    const old = await spine.coordinator.claim('r');
    spine.clock.advance(31_000);
    const fresh = await spine.coordinator.claim('r');
    if (!old || !fresh) throw new Error('both claims are needed');
    const { coordinator: c } = spine;
    const ref = { runId: old.runId, step: 'slow', attempt: 1 };
    const bytes = Buffer.from('x');
    const stale = [
      c.event(old.runId, old.token, { type: 'step.started', step: 'slow' }),
      c.log(ref, old.token, 0, bytes, 0),
      c.heartbeat(old.runId, old.token, new AbortController().signal),
      c.putBlob(old.runId, old.token, 'a'.repeat(64), (async function* () {})()),
    ];
    for (const call of stale) await expect(call).rejects.toMatchObject({ code: 'conflict' });
    expect(await c.event(fresh.runId, fresh.token, { type: 'step.started', step: 'slow' })).toEqual({ do: 'continue' });
  });

  test('everything said twice is answered as the first time and applied once', async () => {
    await spine.defineShop(slow);
    const run = await spine.trigger.manual(spine.pipeline, {}, ANN);
    await spine.coordinator.register({ id: 'r', name: 'r', pools: ['default'], slots: 1, version: '0' });
    const claim = await spine.coordinator.claim('r');
    if (!claim) throw new Error('nothing to claim');
    const say = (event: Parameters<typeof spine.coordinator.event>[2]) =>
      spine.coordinator.event(claim.runId, claim.token, event);
    const finish = { type: 'step.finished', step: 'slow', result: 'passed', reason: null, exitCode: 0 } as const;
    for (const event of [
      { type: 'step.started', step: 'slow' },
      { type: 'effect', effect: 'pushed' },
      finish,
    ] as const) {
      expect(await say(event)).toEqual(await say(event));
    }
    expect(runById(spine.db, run.id)).toMatchObject({ result: 'passed', steps: [{ attempt: 1 }] });
  });
});

describe('cancel and timeout', () => {
  test('cancelling a running build ends it as cancelled, and tells its runner at once', async () => {
    await spine.defineShop('steps: { slow: { image: busybox, run: [x] }, next: { image: busybox, run: [y] } }\n');
    const step = gate();
    spine.play('slow', step.script);
    await spine.startWorker();
    const run = await spine.trigger.manual(spine.pipeline, {}, ANN);
    await step.started;
    spine.coordinator.cancel(run.id, 'ann', 'cancelled by ann');
    expect(await spine.finished(run)).toMatchObject({
      result: 'cancelled',
      reason: 'cancelled by ann',
      steps: [{ result: 'cancelled' }, { result: 'skipped' }],
    });
    expect(() => spine.coordinator.cancel(run.id, 'ann', 'again')).toThrowError(/has finished/);
  });

  test('a build over its time fails by timeout, with a runner that is silent too', async () => {
    await spine.defineShop('timeout: 20s\nsteps: { slow: { image: busybox, run: [x] } }\n');
    const run = await spine.trigger.manual(spine.pipeline, {}, ANN);
    await spine.coordinator.register({ id: 'r', name: 'r', pools: ['default'], slots: 1, version: '0' });
    const claim = await spine.coordinator.claim('r');
    await spine.coordinator.event(run.id, claim?.token ?? '', { type: 'step.started', step: 'slow' });
    spine.clock.advance(20_000 + 15_000);
    expect(runById(spine.db, run.id)).toMatchObject({
      status: 'finished',
      result: 'failed',
      reason: expect.stringContaining('timed out after 20 s'),
    });
  });

  test('200 races of cancel and finish: one final state each', async () => {
    await spine.defineShop('steps: { quick: { image: busybox, run: [x] } }\n');
    await spine.startWorker(4);
    for (let i = 0; i < 200; i += 1) {
      const run = await spine.trigger.manual(spine.pipeline, {}, ANN);
      for (let turns = 0; turns < i % 23; turns += 1) await Promise.resolve();
      const before = runById(spine.db, run.id);
      if (before?.status !== 'finished') spine.coordinator.cancel(run.id, null, 'race');
      const end = await spine.finished(run);
      expect(['passed', 'cancelled']).toContain(end.result);
      expect(end.steps.every(({ status }) => status === 'finished')).toBe(true);
    }
  }, 120_000);
});

describe('one at a time', () => {
  test('30 promotions at once: never two hold the lock, and the newest wins', async () => {
    await spine.defineShop(undefined, ENVIRONMENTS);
    let inside = 0;
    let most = 0;
    await spine.startWorker(4);
    await spine.build();
    await spine.deployment('DEV', 1);
    spine.play('deploy', async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
      return { ...ok, output: { observed: [] } };
    });
    const asked = await Promise.all(
      Array.from({ length: 30 }, () => spine.promoter.promote(spine.environment('PRO'), { release: '1.1' }, ANN)),
    );
    const ended = await Promise.all(asked.map((run) => spine.finished(run)));
    expect(most).toBe(1);
    expect(ended.filter(({ result }) => result === 'passed').length).toBeGreaterThan(0);
    expect(stackState(spine.db, spine.environment('PRO').id, 'shop')).toMatchObject({
      lock: null,
      current: { deployment: 30 },
    });
  });

  test('the version of a release is used once; the second build that claims it fails and says what to do', async () => {
    await spine.defineShop('steps: { a: { image: busybox, run: [x] } }\nrelease: { version: "1", compose: c.yml }\n');
    await spine.startWorker();
    expect(await spine.build()).toMatchObject({ result: 'passed' });
    expect(await spine.build()).toMatchObject({ result: 'failed', reason: expect.stringContaining('exists already') });
  });
});

describe('mail', () => {
  test('first failure to the list and the authors, still failing only to new authors, fixed to all', async () => {
    await spine.defineShop(
      `${'steps: { unit: { image: busybox, run: [x] } }\n'}notify: { mail: { to: [team@example.com] } }\n`,
    );
    await spine.startWorker();
    const commitAndBuild = async (email: string) => {
      const before = builds(spine.db, spine.pipeline.id, { limit: 1 })[0]?.number ?? 0;
      spine.scm.commit({ 'a.txt': email + before }, { email });
      await spine.poll();
      const [run] = builds(spine.db, spine.pipeline.id, { limit: 1 });
      await spine.finished(run as never);
    };
    await commitAndBuild('one@example.com');
    expect(mails(spine)).toEqual([]);
    spine.play('unit', failing);
    await commitAndBuild('two@example.com');
    expect(mails(spine)).toEqual(['failed team@example.com', 'failed two@example.com']);
    await commitAndBuild('three@example.com');
    expect(mails(spine).slice(2)).toEqual(['failed three@example.com']);
    spine.play('unit', ok);
    await commitAndBuild('four@example.com');
    expect(mails(spine).slice(3).sort()).toEqual(
      ['four', 'three', 'two']
        .map((name) => `fixed ${name}@example.com`)
        .concat('fixed team@example.com')
        .sort(),
    );
  });
});
