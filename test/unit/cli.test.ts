import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeApi, startFakeApi } from '../fakes/api-server.ts';

const root = path.resolve(import.meta.dirname, '../..');
let api: FakeApi;
let folder: string;

beforeAll(async () => {
  api = await startFakeApi();
  folder = mkdtempSync(path.join(os.tmpdir(), 'slipway-cli-'));
});
afterAll(async () => {
  await api.close();
  rmSync(folder, { recursive: true });
});

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

async function slipway(args: string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<Ended> {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('SLIPWAY_')));
  const child = spawn(process.execPath, ['--import', 'tsx', path.join(root, 'server/cli/main.ts'), ...args], {
    cwd: root,
    env: { ...clean, SLIPWAY_URL: api.url, SLIPWAY_TOKEN: 'sw-token', ...options.env },
  });
  child.stdin.end(options.input ?? '');
  const [[code], out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]);
  return { code: code as number | null, out, err };
}

const step = (name: string, status: string, result: string | null) => ({
  name,
  status,
  result,
  startedAt: status === 'waiting' ? null : `2026-01-01T00:00:0${name.length}Z`,
});
const build = (changes: object = {}) => ({
  number: 7,
  status: 'queued',
  result: null,
  reason: null,
  trigger: 'manual',
  branch: 'main',
  revision: '9f3c1a7b',
  release: null,
  steps: [],
  ...changes,
});
const deployment = (changes: object = {}) => ({
  ...build(),
  stack: 'shop',
  release: '2.4.1',
  gates: [],
  restored: null,
  ...changes,
});
const BUILDS = '/projects/shop/pipelines/api/builds';
const DEPLOYMENTS = '/projects/shop/environments/PRO/deployments';
const closed = { gate: 'after', open: false, waits: false, message: '2.4.1 has not passed TEST' };
const waiting = { gate: 'approvals', open: false, waits: true, message: '0 of 1 approvals: omar may approve' };

describe('usage', { timeout: 60_000 }, () => {
  it('help ends with 0 and names every command', async () => {
    const { code, out } = await slipway(['-h']);
    expect(code).toBe(0);
    for (const name of [
      'server',
      'lint',
      'build',
      'logs',
      'promote',
      'approve',
      'rollback',
      'status',
      'user',
      'token',
    ]) {
      expect(out).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
    }
  });

  it.each([
    ['promot'],
    ['build', '-p', 'shop'],
    ['promote', 'shop'],
    ['logs', 'shop'],
    ['approve', 'shop', 'PRO', 'x'],
  ])('slipway %s %s is wrong usage, and ends with 2', async (...args) => {
    const { code, err, out } = await slipway(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).not.toMatch(/^\s+at /m);
  });
});

describe('lint', { timeout: 60_000 }, () => {
  const file = (content: string): string => {
    const name = path.join(folder, 'slipway.yml');
    writeFileSync(name, content);
    return name;
  };

  it('passes a good file, without a server', async () => {
    const { code, out } = await slipway(['lint', file('steps:\n  a: { image: x, run: [y] }\n')], {
      env: { SLIPWAY_URL: '' },
    });
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining('is fine') });
  });

  it('says where and what is wrong', async () => {
    const name = file('steps:\n  a: { imge: x, run: [y] }\n');
    const { code, out } = await slipway(['lint', name]);
    expect(code).toBe(1);
    expect(out).toMatch(/slipway\.yml:2:\d+ .*image/);
    expect(JSON.parse((await slipway(['lint', name, '--json'])).out)).toMatchObject({
      ok: false,
      errors: [{ line: 2 }],
    });
  });

  it('tries the filters on the newest revisions of a pipeline', async () => {
    const revision = (id: string, reason: string | null) => ({
      revision: id.repeat(40),
      author: 'Ann',
      message: 'a change\n\nmore of it',
      builds: reason === null,
      reason,
    });
    const items = [revision('a', null), revision('b', 'on.paths: no change in web/**')];
    api.on('POST /projects/shop/pipelines/api/filters', { body: { branch: 'main', items } });
    const text = 'on: { paths: ["web/**"] }\nsteps:\n  a: { image: x, run: [y] }\n';
    const { code, out } = await slipway(['lint', file(text), '--against', 'shop/api', '-n', '2']);
    expect(code).toBe(0);
    expect(out).toContain('1 of the last 2 revisions of main would have been built');
    expect(out).toMatch(/✓ +aaaaaaaaaaaa +Ann +a change\n– +bbbbbbbbbbbb +Ann +a change +on\.paths: no change/);
    expect(api.asked.at(-1)?.body).toEqual({ definition: text, limit: 2 });
    expect(await slipway(['lint', file(text), '--against', 'shop'])).toMatchObject({ code: 2 });
  });

  it('a file that is not there is wrong usage', async () => {
    expect(await slipway(['lint', 'nowhere.yml'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('nowhere.yml: ENOENT'),
    });
  });
});

describe('build', { timeout: 60_000 }, () => {
  it('starts one with its parameters', async () => {
    api.on(`POST ${BUILDS}`, { status: 201, body: build() });
    const args = ['build', '-p', 'shop', '-w', 'api', '-b', 'release/2', '--param', 'level=full', '--param', 'a=b=c'];
    expect(await slipway(args)).toMatchObject({ code: 0, out: 'shop/api#7 ◌ queued\n' });
    expect(api.asked.at(-1)).toMatchObject({
      body: { branch: 'release/2', parameters: { level: 'full', a: 'b=c' } },
      headers: { authorization: 'Bearer sw-token' },
    });
  });

  it('waits, tells of each step, and ends with 1 where it fails', async () => {
    api.on(`POST ${BUILDS}`, { status: 201, body: build() });
    api.on(
      `GET ${BUILDS}/7`,
      { body: build({ status: 'running', steps: [step('unit', 'running', null)] }) },
      {
        body: build({
          status: 'finished',
          result: 'failed',
          reason: 'unit failed',
          steps: [step('unit', 'finished', 'failed')],
        }),
      },
    );
    const { code, out } = await slipway(['build', '-p', 'shop', '-w', 'api', '--wait']);
    expect(code).toBe(1);
    expect(out.split('\n').slice(0, 4)).toEqual([
      'shop/api#7 ◌ queued',
      '  ◔ running unit',
      '  ✗ failed unit',
      'shop/api#7 ✗ failed: unit failed',
    ]);
  });

  it('prints one JSON value', async () => {
    api.on(`POST ${BUILDS}`, { status: 201, body: build() });
    api.on(`GET ${BUILDS}/7`, { body: build({ status: 'finished', result: 'passed' }) });
    const { code, out } = await slipway(['build', '-p', 'shop', '-w', 'api', '--wait', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ number: 7, result: 'passed' });
  });
});

describe('logs', { timeout: 60_000 }, () => {
  beforeEach(() => {
    api.on('GET /projects/shop/pipelines', { body: { items: [{ name: 'api' }] } });
    api.on('GET /projects/shop/environments', { body: { items: [{ name: 'PRO' }] } });
  });

  it('prints those of a deployment, too, and says what there is', async () => {
    api.on(`GET ${DEPLOYMENTS}/7`, { body: deployment({ steps: [step('deploy', 'finished', 'failed')] }) });
    api.on(`GET ${DEPLOYMENTS}/7/steps/deploy/log`, { body: 'web is unhealthy\n' });
    expect(await slipway(['logs', 'shop/PRO#7'])).toMatchObject({ code: 0, out: '── deploy\nweb is unhealthy\n' });
    expect(await slipway(['logs', 'shop/QA#7'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('it has api, PRO'),
    });
  });

  it('follows the steps of a build in the order in which they began, and takes up a broken stream', async () => {
    const steps = [step('compile', 'finished', 'passed'), step('unit', 'finished', 'passed')];
    api.on(`GET ${BUILDS}/7`, { body: build({ status: 'finished', result: 'passed', steps }) });
    api.on(`GET ${BUILDS}/7/steps/unit/log?follow=1`, { body: 'one\ntw', broken: true }, { status: 206, body: 'o\n' });
    api.on(`GET ${BUILDS}/7/steps/compile/log?follow=1`, { body: 'compiled\n' });
    const { code, out, err } = await slipway(['logs', '-f', 'shop/api#7']);
    expect({ code, out }).toEqual({ code: 0, out: '── unit\none\ntwo\n── compile\ncompiled\n' });
    expect(err).toContain('✓ passed');
    expect(api.asked.find(({ headers }) => headers.range === 'bytes=6-')).toBeDefined();
  });

  it('takes the latest build where no number is given, and names the steps there are', async () => {
    api.on(`GET ${BUILDS}`, { body: { items: [build()] } });
    api.on(`GET ${BUILDS}/7`, { body: build({ steps: [step('unit', 'waiting', null)] }) });
    const { code, err } = await slipway(['logs', 'shop/api', 'lint']);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('its steps are unit') });
  });
});

describe('promote, approve, rollback', { timeout: 60_000 }, () => {
  it('names the gates that a promotion waits for', async () => {
    api.on(`POST ${DEPLOYMENTS}`, { status: 201, body: deployment({ status: 'waiting', gates: [waiting] }) });
    const { code, out } = await slipway(['promote', 'shop', '2.4.1', 'PRO', '--note', 'sale']);
    expect(code).toBe(0);
    expect(out).toBe('shop 2.4.1 → PRO #7 ✋ waiting\n  ✋ waiting 0 of 1 approvals: omar may approve\n');
  });

  it('ends with 3 and names every closed gate where it is refused', async () => {
    const problem = { status: 409, title: 'Conflict', detail: '2.4.1 may not go to PRO', gates: [closed] };
    api.on(`POST ${DEPLOYMENTS}`, { status: 409, body: problem });
    const { code, err } = await slipway(['promote', 'shop', '2.4.1', 'PRO']);
    expect(code).toBe(3);
    expect(err).toBe('slipway: 2.4.1 may not go to PRO\n  ✗ after: 2.4.1 has not passed TEST\n');
    const { out } = await slipway(['promote', 'shop', '2.4.1', 'PRO', '--json']);
    expect(JSON.parse(out).error).toMatchObject({ status: 409, gates: [closed] });
  });

  it('approves and waits for the end', async () => {
    api.on(`POST ${DEPLOYMENTS}/7/approve`, { body: {} });
    api.on(
      `GET ${DEPLOYMENTS}/7`,
      { body: deployment({ status: 'running' }) },
      { body: deployment({ status: 'finished', result: 'passed' }) },
    );
    expect(await slipway(['approve', 'shop', 'PRO', '7', '--wait'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('✓ passed'),
    });
  });

  it('rolls back with a reason', async () => {
    api.on('POST /projects/shop/environments/PRO/rollback', { status: 201, body: deployment({ release: '2.4.0' }) });
    expect(await slipway(['rollback', 'shop', 'PRO', '--reason', 'carts'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('2.4.0 → PRO'),
    });
    expect(api.asked.at(-1)?.body).toEqual({ reason: 'carts' });
  });
});

describe('status', { timeout: 60_000 }, () => {
  it('shows what runs where, and what is on its way', async () => {
    const services = [{ name: 'web', replicas: 1, healthy: 1 }];
    const current = { release: '2.4.0', since: new Date(Date.now() - 7_200_000).toISOString(), images: [], services };
    api.on('GET /projects', { body: { items: [{ slug: 'shop', name: 'Shop' }] } });
    api.on('GET /projects/shop/environments', {
      body: {
        items: [
          { name: 'DEV', stacks: [{ name: 'shop', current: { ...current, release: '2.4.1' }, hold: null }] },
          { name: 'PRO', stacks: [{ name: 'shop', current, hold: { by: 'rita', reason: 'rolled back' } }] },
        ],
      },
    });
    api.on('GET /projects/shop/environments/DEV/deployments', {
      body: { items: [deployment({ status: 'finished', result: 'passed' })] },
    });
    api.on(`GET ${DEPLOYMENTS}`, { body: { items: [deployment({ status: 'waiting', gates: [waiting] })] } });
    const { code, out } = await slipway(['status']);
    expect(code).toBe(0);
    expect(out).toBe(
      [
        'shop   DEV           PRO',
        'shop   ✓ 2.4.1 2 h   ✓ 2.4.0 2 h',
        '  ✋ waiting shop 2.4.1 → PRO #7: 0 of 1 approvals: omar may approve',
        '  ↩ on hold shop in PRO: rolled back (rita)',
        '',
      ].join('\n'),
    );
  });
});

describe('people', { timeout: 60_000 }, () => {
  it('adds a user with a password that is shown once', async () => {
    api.on('PUT /users/rita', { status: 201, body: { name: 'rita' } });
    const { code, out } = await slipway(['user', 'add', 'rita', '--admin']);
    const body = api.asked.at(-1)?.body as { admin: boolean; password: string };
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining(body.password) });
    expect(body.admin).toBe(true);
  });

  it('does not change a user who is there already', async () => {
    api.on('GET /users/omar', { body: { name: 'omar' } });
    expect(await slipway(['user', 'add', 'omar'])).toMatchObject({ code: 3, err: expect.stringContaining('already') });
  });

  it('makes the first token with a password from standard input', async () => {
    api.on('POST /session', { headers: { 'set-cookie': 'slipway=abc; HttpOnly' }, body: {} });
    api.on('POST /me/tokens', { status: 201, body: { token: 'sw-new' } });
    const { code, out } = await slipway(['token', 'create', '-u', 'admin'], {
      input: 'one-time\n',
      env: { SLIPWAY_TOKEN: '' },
    });
    expect({ code, out }).toEqual({ code: 0, out: 'sw-new\n' });
    expect(api.asked.at(-2)?.body).toEqual({ username: 'admin', password: 'one-time' });
    expect(api.asked.at(-1)?.headers).toMatchObject({ cookie: 'slipway=abc', origin: api.url });
  });
});

describe('the server', { timeout: 60_000 }, () => {
  it('that is away ends with 4', async () => {
    const { code, err } = await slipway(['status'], { env: { SLIPWAY_URL: 'http://127.0.0.1:9' } });
    expect({ code, err }).toEqual({ code: 4, err: expect.stringContaining('cannot reach http://127.0.0.1:9') });
  });

  it('that wants a token ends with 3 and says how to get one', async () => {
    api.on('GET /projects/locked/environments', {
      status: 401,
      body: { status: 401, title: 'Unauthorized', detail: 'log in' },
    });
    const { code, err } = await slipway(['status', 'locked'], { env: { SLIPWAY_TOKEN: '' } });
    expect({ code, err }).toEqual({ code: 3, err: expect.stringContaining('SLIPWAY_TOKEN') });
  });

  it('that is something else is told from ours', async () => {
    api.on('GET /projects/other/environments', { body: '<html>' });
    expect(await slipway(['status', 'other'])).toMatchObject({
      code: 4,
      err: expect.stringContaining('not as Slipway does'),
    });
  });
});
