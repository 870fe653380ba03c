/** What happens when configuration changes under runs that are on their way. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createVault } from '../../server/auth/vault.ts';
import { ClaimFactory } from '../../server/claims.ts';
import { holdersOfPipeline, savePipeline, setCredentials } from '../../server/store/pipelines.ts';
import { saveRegistry } from '../../server/store/projects.ts';
import { holdersOfUser } from '../../server/store/users.ts';
import { ANN, RELEASING, Spine } from './harness.ts';

let spine: Spine;
beforeEach(() => {
  spine = new Spine();
});
afterEach(() => spine.close());

test('a pipeline whose release is being deployed for the first time holds on', async () => {
  await spine.defineShop(RELEASING, [
    { name: 'DEV', promote: 'manual', approvals: { count: 1, allowRequester: false } },
  ]);
  await spine.startWorker();
  await spine.build();
  await spine.promoter.promote(spine.environment('DEV'), { release: '1.1' }, ANN);
  expect(holdersOfPipeline(spine.db, spine.pipeline)).toEqual(['deployment 1 to DEV is not finished']);
});

test('new credentials do not go to the host that a queued build was planned for', async () => {
  const vault = createVault(Buffer.alloc(32, 7));
  const claims = new ClaimFactory(spine.db, vault, 1 << 20);
  await spine.defineShop();
  const registry = { url: 'old.example', insecure: false, username: 'ann', password: 'for the old one' };
  saveRegistry(spine.db, vault, { projectId: 1, environmentId: null }, registry);
  setCredentials(spine.db, vault, spine.pipeline.id, { token: 'for the old one' });
  const run = await spine.trigger.manual(spine.pipeline, {}, ANN);
  expect(claims.make(run).credentials).toMatchObject({
    source: { token: 'for the old one' },
    registry: { password: 'for the old one' },
  });

  const source = { ...spine.pipeline.source, url: 'https://new.example/web.git' };
  savePipeline(spine.db, { ...spine.pipeline, source }, spine.clock.now());
  setCredentials(spine.db, vault, spine.pipeline.id, { token: 'for the new one' });
  const moved = { ...registry, url: 'new.example', password: 'for the new one' };
  saveRegistry(spine.db, vault, { projectId: 1, environmentId: null }, moved);
  expect(claims.make(run).credentials).toEqual({ source: null, sources: {}, registry: null });
});

test('an approver by name holds on: whoever got that name next would approve', async () => {
  await spine.defineShop(RELEASING, [
    { name: 'DEV' },
    { name: 'PRO', approvals: { count: 1, users: ['ann'], allowRequester: false } },
  ]);
  expect(holdersOfUser(spine.db, 'ann')).toEqual(['they are an approver of PRO in project shop']);
  expect(holdersOfUser(spine.db, 'bob')).toEqual([]);
});
