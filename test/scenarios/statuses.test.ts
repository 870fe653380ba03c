/** Commit statuses: from the moves of builds to a forge on loopback, and the setting that asks for them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BuildRun } from '../../pipelines/model.ts';
import { createVault } from '../../server/auth/vault.ts';
import { post } from '../../server/forge/post.ts';
import type { ForgeKind } from '../../server/forge/target.ts';
import type { Sender } from '../../server/sender.ts';
import { createStatusSender } from '../../server/statuses.ts';
import { rows } from '../../server/store/db.ts';
import { savePipeline, setCredentials, setStatusToken } from '../../server/store/pipelines.ts';
import { saveProject } from '../../server/store/projects.ts';
import { setStatus } from '../../server/store/statuses.ts';
import { type Installation, install } from '../fakes/services.ts';
import { LOOPBACK_TLS, startForge, type TestForge } from '../fixtures/forge-server.ts';
import { ANN, failing, gate, ok, Spine } from './harness.ts';

const TOKEN = 'forge-t0ken-0123456789';
const UNIT = 'steps: { unit: { image: busybox, run: [test] } }\n';
const HOUR = 3_600_000;
const vault = createVault(Buffer.alloc(32, 7));

describe('what forges are told', () => {
  let spine: Spine;
  let forge: TestForge;
  let senders: Sender[];
  let logged: { text: string; fields: Record<string, unknown> }[];
  let waiting: (() => void)[];

  beforeEach(async () => {
    spine = new Spine();
    forge = await startForge(TOKEN);
    senders = [];
    logged = [];
    waiting = [];
  });
  afterEach(async () => {
    for (const sender of senders) await sender.stop();
    await spine.close();
    await forge.stop();
  });

  function startSender(caFile: string | null = null): Sender {
    const log = (fields: object, text: string) => {
      logged.push({ text, fields: fields as Record<string, unknown> });
      for (const look of waiting.splice(0)) look();
    };
    const sender = createStatusSender({
      db: spine.db,
      vault,
      publicUrl: () => 'https://ci.example/',
      post: (request, signal) => post(request, { signal, caFile }),
      clock: spine.clock,
      logger: { info: log, warn: log },
    });
    senders.push(sender);
    spine.ledger.onCommit(() => sender.kick());
    sender.start();
    return sender;
  }

  /** Resolves once the sender has said or done so. */
  async function until(is: () => boolean): Promise<void> {
    while (!is()) await new Promise<void>((look) => waiting.push(look));
  }

  /** Resolves once so many reports have failed. */
  async function failed(n: number): Promise<string[]> {
    const errors = () =>
      logged.filter(({ text }) => text === 'commit status not sent').map(({ fields }) => String(fields.error));
    await until(() => errors().length >= n);
    return errors();
  }

  const unsent = () =>
    rows<{ state: string; attempts: number }>(spine.db, 'SELECT state, attempts FROM statuses WHERE sent_at IS NULL');
  const wasTried = (state: string) => unsent().some((each) => each.state === state && each.attempts > 0);

  async function define(kind: ForgeKind = 'github', branches = ['main']): Promise<void> {
    const { db, clock } = spine;
    const source = { kind: 'git' as const, url: `${forge.url}/acme/shop.git`, branches };
    saveProject(db, 'shop', 'Shop', clock.now());
    const rest = { projectId: 1, name: 'web', file: 'slipway.yml', definition: null, poll: null };
    const { id } = savePipeline(db, { ...rest, source }, clock.now());
    setStatus(db, id, { kind, url: null }, clock.now());
    setStatusToken(db, vault, id, TOKEN);
    spine.scms.at(source.url).commit({ 'slipway.yml': UNIT });
    await spine.poller.firstSight(spine.pipeline);
  }

  const repository = () => spine.scms.at(spine.pipeline.source.url);
  const states = () => forge.statuses.map(({ state }) => state);
  const manual = (): Promise<BuildRun> => spine.trigger.manual(spine.pipeline, {}, ANN);

  test.each<[ForgeKind, string, string]>([
    ['github', '/api/v3/repos/acme/shop/statuses/', 'failure'],
    ['gitlab', '/api/v4/projects/acme%2Fshop/statuses/', 'failed'],
    ['gitea', '/api/v1/repos/acme/shop/statuses/', 'failure'],
  ])('%s: pending, then what became of it, with a link', async (kind, at, word) => {
    await define(kind);
    startSender();
    const passing = await manual();
    await forge.accepted(1);
    await spine.startWorker();
    await spine.finished(passing);
    await forge.accepted(2);
    const link = 'https://ci.example/p/shop/web/1';
    const rest = { path: `${at}${passing.revision}`, context: 'slipway/shop/web', link };
    expect(forge.statuses).toMatchObject([
      { ...rest, state: 'pending', description: '#1 is queued' },
      { ...rest, state: 'success', description: expect.stringMatching(/^#1 passed in /) },
    ]);
    expect(forge.statuses.map(({ ref }) => ref)).toEqual(Array(2).fill(kind === 'gitlab' ? 'main' : undefined));
    spine.play('unit', {
      ...failing,
      output: { tests: [1, 2].map((n) => ({ suite: 's', name: `t${n}`, result: 'failed', seconds: 1 })) },
    });
    await spine.build();
    expect(await forge.told(word)).toMatchObject({ description: '#2 failed: unit, 2 tests' });
    await until(() => unsent().length === 0);
    expect(spine.pipeline.status?.error).toBeNull();
  });

  test('a cancelled build is told, too', async () => {
    await define('gitlab');
    startSender();
    const run = await manual();
    await forge.accepted(1);
    spine.coordinator.cancel(run.id, 'ann', 'my-pr1vate-reason');
    await forge.accepted(2);
    expect(forge.statuses.at(-1)).toMatchObject({ state: 'canceled', description: '#1 was cancelled' });
  });

  test('so are builds of tags and of pull requests', async () => {
    await define('gitlab', ['main', 'refs/tags/v*', 'refs/merge-requests/**']);
    repository().commit({ 'slipway.yml': UNIT }, { branch: 'refs/tags/v1' });
    repository().commit({ 'slipway.yml': UNIT }, { branch: 'refs/merge-requests/7/head' });
    startSender();
    expect(await spine.poll()).toBe(2);
    await spine.startWorker();
    await forge.accepted(2);
    await Promise.all(rows<{ id: number }>(spine.db, 'SELECT id FROM runs').map((run) => spine.until(run, isOver)));
    const finals = (await forge.accepted(4)).filter(({ state }) => state === 'success');
    expect(finals.map(({ ref }) => ref).sort()).toEqual(['v1', undefined]);
  });

  test('a pipeline without the setting tells nobody', async () => {
    await define();
    setStatus(spine.db, spine.pipeline.id, null, spine.clock.now());
    startSender();
    await spine.startWorker();
    await spine.build();
    expect(rows(spine.db, 'SELECT * FROM statuses')).toEqual([]);
    expect(forge.requests).toEqual([]);
  });

  test('a server error is tried again, later and later', async () => {
    await define();
    forge.answer({ status: 500 }, { status: 502 }, { status: 429, headers: { 'retry-after': '300' } });
    startSender();
    await manual();
    expect(await failed(1)).toEqual(['build #1: GitHub answers 500; it is tried again']);
    expect(spine.pipeline.status?.error).toBe('build #1: GitHub answers 500; it is tried again');
    spine.clock.advance(10_000);
    await failed(2);
    spine.clock.advance(20_000);
    await failed(3);
    spine.clock.advance(299_000);
    expect(forge.requests).toHaveLength(3);
    spine.clock.advance(1_000);
    expect((await forge.accepted(1))[0]).toMatchObject({ state: 'pending' });
    await spine.startWorker();
    await forge.accepted(2);
    expect(states()).toEqual(['pending', 'success']);
  });

  test('a forge that is away is told once it is back, and only what is still true', async () => {
    await define();
    await forge.stop();
    startSender();
    await spine.startWorker();
    await spine.build();
    expect((await failed(1))[0]).toMatch(/GitHub cannot be reached \(ECONN/);
    await until(() => wasTried('success'));
    await forge.restart();
    spine.clock.advance(10_000);
    await forge.accepted(1);
    expect(states()).toEqual(['success']);
  });

  test('after a day it is given up, and the error stays', async () => {
    await define();
    await forge.stop();
    startSender();
    await manual();
    await failed(1);
    await forge.restart();
    spine.clock.jump(24 * HOUR);
    spine.clock.advance(HOUR);
    senders[0]?.kick();
    expect(forge.requests).toEqual([]);
    expect(spine.pipeline.status?.error).toContain('cannot be reached');
  });

  test('a token that is refused is final, visible, and nowhere in clear; a new one is tried at once', async () => {
    await define();
    const wrong = 'wr0ng-t0ken-0123456789';
    setStatusToken(spine.db, vault, spine.pipeline.id, wrong);
    const sender = startSender();
    await manual();
    expect(await failed(1)).toEqual(['build #1: GitHub does not accept the token (401)']);
    expect(spine.pipeline.status).toMatchObject({ error: 'build #1: GitHub does not accept the token (401)' });
    spine.clock.advance(12 * HOUR);
    sender.kick();
    expect(forge.requests).toHaveLength(1);

    const files = readdirSync(spine.folder).filter((name) => name.startsWith('slipway.db'));
    expect(files.length).toBeGreaterThan(0);
    const kept = files.map((name) => readFileSync(path.join(spine.folder, name), 'latin1')).join('');
    for (const secret of [wrong, TOKEN, Buffer.from(wrong).toString('base64')]) {
      expect(kept).not.toContain(secret);
      expect(JSON.stringify([logged, spine.errors, spine.pipeline])).not.toContain(secret);
    }

    setStatusToken(spine.db, vault, spine.pipeline.id, TOKEN);
    setStatus(spine.db, spine.pipeline.id, { kind: 'github', url: null }, spine.clock.now());
    sender.kick();
    await until(() => unsent().length === 0);
    expect(states()).toEqual(['pending']);
    expect(spine.pipeline.status?.error).toBeNull();
  });

  test('a redirection is not followed, and a long answer is not read to its end', async () => {
    const other = await startForge(TOKEN);
    await define();
    const big = 'x'.repeat(8 * 1024 * 1024);
    forge.answer({ status: 307, headers: { location: `${other.url}/api/v3/` } }, { status: 404, body: big });
    startSender();
    await manual();
    expect((await failed(1))[0]).toContain('answers 307, a redirection');
    await manual();
    expect((await failed(2))[1]).toContain('knows no such repository or commit');
    expect(other.requests).toEqual([]);
    await other.stop();
  });

  test('a forge that does not answer is given ten seconds, and delays no build', async () => {
    await define();
    const held = forge.hold();
    startSender();
    await spine.startWorker();
    expect(await spine.build()).toMatchObject({ result: 'passed' });
    const { go } = await held;
    spine.clock.advance(10_000);
    expect((await failed(1))[0]).toContain('does not answer in time');
    go();
    await forge.told('success');
  });

  test('what ends a build waits for what is being sent of it', async () => {
    await define();
    const held = forge.hold();
    startSender();
    await spine.startWorker();
    await spine.build();
    const { go } = await held;
    senders[0]?.kick();
    expect(forge.requests).toHaveLength(1);
    go();
    await forge.accepted(2);
    expect(states()).toEqual(['pending', 'success']);
  });

  test('a restart in between loses none', async () => {
    await define();
    const held = forge.hold();
    const first = startSender();
    const run = await manual();
    const { go } = await held;
    await first.stop();
    go();
    await spine.startWorker();
    await spine.finished(run);
    startSender();
    await forge.told('success');
    await until(() => unsent().length === 0);
  });

  test('of two builds of a commit the newer one has the last word', async () => {
    await define();
    startSender();
    const [one, two] = [await manual(), await manual()];
    await forge.accepted(2);
    const running = gate();
    spine.play('unit', (step, context) => (context.claim.runId === one.id ? running.script(step, context) : failNow()));
    const failNow = async () => failing;
    await spine.startWorker(2);
    await spine.finished(two);
    await forge.told('failure');
    await until(() => unsent().length === 0);
    running.open(ok);
    await spine.finished(one);
    senders[0]?.kick();
    expect(states()).toEqual(['pending', 'pending', 'failure']);
    expect(unsent()).toEqual([]);
  });

  test('what was not sent of a build is dropped when its commit is built again', async () => {
    await define();
    await forge.stop();
    startSender();
    await spine.startWorker();
    spine.play('unit', failing);
    const one = await spine.build();
    await until(() => wasTried('failure'));
    spine.play('unit', ok);
    const two = await spine.trigger.retry(one, spine.pipeline, ANN);
    await spine.finished(two);
    await until(() => wasTried('success'));
    expect(unsent()).toHaveLength(1);
    await forge.restart();
    spine.clock.advance(10_000);
    await forge.accepted(1);
    expect(states()).toEqual(['success']);
    expect(forge.statuses[0]?.link).toBe('https://ci.example/p/shop/web/2');
  });

  test('the token of the source does, but goes to the host of the source only', async () => {
    await define();
    setStatusToken(spine.db, vault, spine.pipeline.id, null);
    setCredentials(spine.db, vault, spine.pipeline.id, { token: TOKEN });
    const elsewhere = await startForge(TOKEN);
    startSender();
    await manual();
    await forge.accepted(1);
    setStatus(spine.db, spine.pipeline.id, { kind: 'github', url: elsewhere.url }, spine.clock.now());
    await manual();
    expect(await failed(1)).toEqual(['build #2: there is no token to set commit statuses with']);
    expect(elsewhere.requests).toEqual([]);
    await elsewhere.stop();
  });

  test("an intranet's own CA is trusted where it is set", async () => {
    await forge.stop();
    forge = await startForge(TOKEN, LOOPBACK_TLS);
    await define('gitea');
    const caFile = path.join(spine.folder, 'ca.pem');
    writeFileSync(caFile, LOOPBACK_TLS.cert);
    const sender = startSender();
    await manual();
    expect((await failed(1))[0]).toContain('set with SLIPWAY_CA_FILE');
    await sender.stop();
    startSender(caFile);
    spine.clock.advance(10_000);
    await forge.accepted(1);
  });
});

const isOver = (run: { status: string }) => run.status === 'finished';

describe('the setting', () => {
  const W = '/projects/shop/pipelines/web';
  const SOURCE = { kind: 'git', url: 'https://git.example/acme/shop.git', branches: ['main'] };
  let slipway: Installation;

  beforeEach(async () => {
    slipway = await install();
    await slipway.seedProject('shop');
  });
  afterEach(() => slipway.close());

  const put = async (status: unknown, source: object = {}) =>
    (await slipway.api('PUT', W, { source: { ...SOURCE, ...source }, status })).status;
  const refusal = async (status: unknown, source: object = {}) => {
    const body = { source: { ...SOURCE, ...source }, status };
    const response = await slipway.raw('PUT', `/api/v1${W}`, body, slipway.adminToken);
    return { status: response.status, ...((await response.json()) as { field?: string; detail: string }) };
  };

  test('is kept when left out, shows no token, and is removed by null', async () => {
    expect(await put(undefined)).toBeNull();
    const shown = { kind: 'gitea', url: 'https://git.example', hasToken: true, error: null };
    expect(await put({ kind: 'gitea', token: TOKEN })).toEqual(shown);
    expect(await put(undefined)).toEqual(shown);
    expect(await put({ kind: 'gitea' })).toEqual(shown);
    const url = 'https://git.example/git/';
    expect(await put({ kind: 'gitlab', url })).toEqual({ ...shown, kind: 'gitlab', url: 'https://git.example/git' });
    const all = JSON.stringify([await slipway.api('GET', W), rows(slipway.db, 'SELECT * FROM pipelines')]);
    expect(all).not.toContain(TOKEN);
    expect(await put(null)).toBeNull();
    expect(await put(undefined)).toBeNull();
    expect(rows(slipway.db, 'SELECT status_token_sealed AS sealed FROM pipelines')).toEqual([{ sealed: null }]);
  });

  test('needs a token, which may be that of the source', async () => {
    expect(await refusal({ kind: 'github' })).toMatchObject({ status: 422, field: 'status.token' });
    const password = { credentials: { username: 'ann', password: 'pass-w0rd' } };
    expect(await refusal({ kind: 'github' }, password)).toMatchObject({ status: 422, field: 'status.token' });
    expect(await put({ kind: 'github' }, { credentials: { secret: 'TOKEN' } })).toMatchObject({ hasToken: false });
    expect(await put({ kind: 'github', token: null }, { credentials: { token: TOKEN } })).toMatchObject({
      hasToken: false,
    });
    const elsewhere = { kind: 'github', url: 'https://evil.example' };
    expect(await refusal(elsewhere)).toMatchObject({ status: 422, field: 'status.token' });
  });

  test('a kept token does not follow to another host', async () => {
    await put({ kind: 'github', token: TOKEN });
    const elsewhere = { kind: 'github', url: 'https://evil.example' };
    expect(await refusal(elsewhere)).toMatchObject({ status: 422, field: 'status.token' });
    const moved = { url: 'https://evil.example/acme/shop.git' };
    expect(await refusal(undefined, moved)).toMatchObject({ status: 422, field: 'status.token' });
    expect(await put({ ...elsewhere, token: TOKEN })).toMatchObject({ url: 'https://evil.example' });
  });

  test.each<[unknown, object, string]>([
    [{ kind: 'github', token: TOKEN }, { kind: 'svn', url: 'https://svn.example/shop', branches: ['trunk'] }, 'status'],
    [{ kind: 'github', token: TOKEN }, { url: 'https://git.example/shop.git' }, 'status'],
    [{ kind: 'gitea', token: TOKEN }, { url: 'git@git.example:acme/web/shop.git' }, 'status'],
    [{ kind: 'bitbucket', token: TOKEN }, {}, 'status.kind'],
    [{ kind: 'github', token: 'two words' }, {}, 'status.token'],
    [{ kind: 'github', token: 'x\r\nhost: y' }, {}, 'status.token'],
    [{ kind: 'github', token: TOKEN, url: 'ssh://git.example' }, {}, 'status.url'],
    [{ kind: 'github', token: TOKEN, url: 'https://ann:pw@git.example' }, {}, 'status.url'],
    [{ kind: 'github', token: TOKEN, url: 'https://git.example?x=1' }, {}, 'status.url'],
    [{ kind: 'github', token: TOKEN, tokn: 'x' }, {}, 'status.tokn'],
  ])('%j of %j is refused', async (status, source, field) => {
    expect(await refusal(status, source)).toMatchObject({ status: 422, field });
    expect((await slipway.api('GET', W)).status).toBeNull();
  });

  test('a source that moves to SVN must take its leave', async () => {
    await put({ kind: 'github', token: TOKEN });
    const svn = { kind: 'svn', url: 'https://svn.example/shop', branches: ['trunk'] };
    expect(await refusal(undefined, svn)).toMatchObject({ status: 422, field: 'status' });
    expect(await put(null, svn)).toBeNull();
  });
});
