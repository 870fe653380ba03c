/** The API on the real app and a real database: what is taken, what is given, and what is refused. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { hashPassword } from '../../server/auth/password.ts';
import { row, rows } from '../../server/store/db.ts';
import { setCurrent } from '../../server/store/stacks.ts';
import { saveUser } from '../../server/store/users.ts';
import { ARTIFACT, type Installation, install, REVISION } from '../fakes/services.ts';

const P = '/projects/shop';
const W = `${P}/pipelines/web`;
const ENGINE = { kind: 'compose', host: 'unix:///var/run/docker.sock' };
const SOURCE = { kind: 'git', url: 'https://git.example/web.git', branches: ['main'] };
const PASSWORD = 'a-Long-password-9';
let hash: string;
let slipway: Installation;

beforeAll(async () => {
  hash = await hashPassword(PASSWORD);
});
beforeEach(async () => {
  slipway = await install();
  await slipway.seedProject('shop');
});
afterEach(() => slipway.close());

const send = (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  slipway.raw(method, `/api/v1${path}`, body, slipway.adminToken, headers);
async function problem(method: string, path: string, body?: unknown) {
  const response = await send(method, path, body);
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  return (await response.json()) as {
    status: number;
    detail: string;
    field?: string;
    holders?: string[];
    errors?: unknown[];
  };
}
const login = (body: unknown, headers: Record<string, string> = {}) =>
  slipway.raw('POST', '/api/v1/session', body, null, headers);
const cookieOf = (response: Response) => response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
const addPerson = (name: string) => saveUser(slipway.db, { name, passwordHash: hash }, slipway.clock.now);
async function loggedIn(name = 'vera') {
  addPerson(name);
  return cookieOf(await login({ username: name, password: PASSWORD }));
}

describe('configuration', () => {
  test.each<[string, Record<string, unknown>]>([
    [P, { name: 'The shop' }],
    [`${P}/registry`, { url: '127.0.0.1:5000/team', insecure: true }],
    [
      `${P}/environments/TEST`,
      { order: 2, engine: ENGINE, after: 'DEV', variables: { PORT: '8080' }, timeout: '1h30m', promote: 'auto' },
    ],
    [W, { source: SOURCE, file: 'ci/slipway.yml', poll: '*/2 * * * * *' }],
  ])('PUT %s twice is the same as once, and GET gives it back', async (path, body) => {
    const first = await slipway.api('PUT', path, body);
    expect(await slipway.api('PUT', path, body)).toEqual(first);
    const { warning: _, ...shown } = first;
    expect(await slipway.api('GET', path)).toEqual(shown);
    expect(shown).toMatchObject({ ...body, ...('after' in body ? { after: ['DEV'] } : {}) });
  });

  test('write-only fields are never returned, kept when left out, and removed by null', async () => {
    const registry = (body: object) =>
      slipway.api('PUT', `${P}/registry`, { url: 'registry.example', username: 'ann', ...body });
    expect(await registry({ password: 'pass-w0rd-1' })).toMatchObject({ hasPassword: true });
    expect(await registry({})).toMatchObject({ hasPassword: true });
    expect(await registry({ password: null })).toMatchObject({ hasPassword: false });

    const source = (credentials: object) => slipway.api('PUT', W, { source: { ...SOURCE, ...credentials } });
    expect((await source({ credentials: { token: 'tok-en-1' } })).source.hasCredentials).toBe(true);
    expect((await source({})).source.hasCredentials).toBe(true);
    expect((await source({ credentials: null })).source.hasCredentials).toBe(false);

    const tls = (value: object) =>
      slipway.api('PUT', `${P}/environments/DEV`, { engine: { kind: 'compose', host: 'tcp://h:2376', ...value } });
    expect((await tls({ tls: { key: '-----BEGIN KEY tls-k3y' } })).engine.hasTls).toBe(true);
    expect((await tls({})).engine.hasTls).toBe(true);

    await registry({ password: 'pass-w0rd-1' });
    await slipway.api('PUT', W, {
      source: { ...SOURCE, credentials: { token: 'tok-en-1' } },
      hookSecret: 'h00k-secret',
    });
    const paths = [
      `${P}/registry`,
      W,
      `${P}/pipelines`,
      `${P}/environments`,
      `${P}/secrets`,
      '/audit',
      '/board',
      '/users/admin',
    ];
    const everything = (await Promise.all(paths.map((path) => slipway.api('GET', path))))
      .map((body) => JSON.stringify(body))
      .join();
    const stored = JSON.stringify([
      rows(slipway.db, 'SELECT * FROM registries'),
      rows(slipway.db, 'SELECT * FROM pipelines'),
      rows(slipway.db, 'SELECT * FROM secrets'),
      rows(slipway.db, 'SELECT * FROM environments'),
    ]);
    for (const value of ['pass-w0rd-1', 'tok-en-1', 'h00k-secret', 'tls-k3y', 'a secret value']) {
      expect(everything).not.toContain(value);
      expect(stored).not.toContain(value);
    }
  });

  test('kept credentials do not follow to another host', async () => {
    await slipway.api('PUT', W, { source: { ...SOURCE, credentials: { token: 'tok-en-1' } } });
    const moved = await problem('PUT', W, { source: { ...SOURCE, url: 'https://evil.example/web.git' } });
    expect(moved).toMatchObject({ status: 422, field: 'source.credentials' });
    await slipway.api('PUT', `${P}/registry`, { url: 'registry.example', username: 'ann', password: 'pass-w0rd-1' });
    expect(await problem('PUT', `${P}/registry`, { url: 'evil.example', username: 'ann' })).toMatchObject({
      field: 'password',
    });
  });

  test('a source that cannot be reached is a warning, not a refusal', async () => {
    slipway.services.sourceError = 'the repository refused the credentials';
    expect(await slipway.api('PUT', W, { source: SOURCE })).toMatchObject({
      warning: 'the repository refused the credentials',
    });
  });

  test.each<[string, unknown, string]>([
    [W, { source: { ...SOURCE, kind: 'cvs' } }, 'source.kind'],
    [W, { source: { ...SOURCE, url: 'ext::sh -c id' } }, 'source.url'],
    [W, { source: { ...SOURCE, url: 'file:///etc' } }, 'source.url'],
    [W, { source: { ...SOURCE, url: 'https://user:token@git.example/x' } }, 'source.url'],
    [W, { source: { kind: 'svn', url: 'svn://-oProxy=x/y', branches: ['trunk'] } }, 'source.url'],
    [W, { source: { ...SOURCE, branches: ['--exec=x'] } }, 'source.branches.0'],
    [W, { source: { ...SOURCE, credentials: { tokn: 'x' } } }, 'source.credentials.tokn'],
    [W, { source: { ...SOURCE, credentials: { secret: 'NONE' } } }, 'source.credentials.secret'],
    [W, { source: SOURCE, poll: '99 * * * *' }, 'poll'],
    [W, { source: SOURCE, poll: '0 0 31 2 *' }, 'poll'],
    [W, { source: SOURCE, file: '../../etc/passwd' }, 'file'],
    [W, { source: SOURCE, hookSecret: '' }, 'hookSecret'],
    [W, { source: SOURCE, definition: 'steps:\n  a: { imge: x, run: [y] }\n' }, 'definition'],
    [`${P}/environments/DEV`, { engine: { ...ENGINE, host: 'file:///x' } }, 'engine.host'],
    [`${P}/environments/DEV`, { engine: ENGINE, after: 'TSET' }, 'after'],
    [`${P}/environments/DEV`, { engine: ENGINE, after: 'DEV' }, 'after'],
    [`${P}/environments/DEV`, { engine: ENGINE, timeout: '-1' }, 'timeout'],
    [`${P}/environments/DEV`, { engine: ENGINE, timeout: '1e99s' }, 'timeout'],
    [`${P}/environments/DEV`, { engine: ENGINE, variables: { LD_PRELOAD: '/x' } }, 'variables.LD_PRELOAD'],
    [`${P}/environments/DEV`, { engine: ENGINE, approvals: { count: 1, users: ['nobody'] } }, 'approvals.users'],
    [`${P}/environments/D_V`, { engine: ENGINE }, 'environment'],
    [`${P}/registry`, { url: 'https://registry.example' }, 'url'],
    [`${P}/secrets/SHORT`, { value: '1234567' }, 'value'],
    [`${P}/secrets/BASH_ENV`, { value: '12345678' }, 'name'],
    [`${P}/members/somebody`, { role: 'owner' }, 'role'],
    ['/projects/Shop', { name: 'x' }, 'project'],
    ['/users/eve', { password: 'short' }, 'password'],
    [P, { name: 'x', nmae: 'y' }, 'nmae'],
  ])('PUT %s with %j names the field %s', async (path, body, field) => {
    const found = await problem('PUT', path, body);
    expect(found).toMatchObject({ status: 422, field });
    expect(found.detail).not.toMatch(/\bat .*\.ts/);
  });

  test('an unknown field comes with the nearest name', async () => {
    expect((await problem('PUT', `${P}/environments/DEV`, { engine: ENGINE, aftr: 'X' })).detail).toContain(
      'did you mean "after"',
    );
  });

  test('environments cannot come after each other in a circle', async () => {
    await slipway.api('PUT', `${P}/environments/PRO`, { engine: ENGINE, after: 'DEV' });
    expect(await problem('PUT', `${P}/environments/DEV`, { engine: ENGINE, after: 'PRO' })).toMatchObject({
      status: 422,
      field: 'after',
    });
  });
});

describe('deleting', () => {
  test('what is deployed or referred to is a conflict that says what holds it', async () => {
    await slipway.api('PUT', `${P}/environments/PRO`, { engine: ENGINE, after: 'DEV' });
    expect(await problem('DELETE', `${P}/environments/DEV`)).toMatchObject({
      status: 409,
      holders: ['environment PRO comes after it'],
    });
    const { id } = row<{ id: number }>(slipway.db, "SELECT id FROM environments WHERE name = 'PRO'") ?? { id: 0 };
    setCurrent(slipway.db, id, 'shop', {
      releaseId: 1,
      release: '1.0',
      deployment: 1,
      runId: 1,
      since: 0,
      services: [],
    });
    for (const path of [P, W, `${P}/environments/PRO`]) {
      expect(await problem('DELETE', path), path).toMatchObject({
        status: 409,
        detail: expect.stringContaining('PRO'),
      });
    }
    await slipway.api('PUT', W, { source: { ...SOURCE, credentials: { secret: 'TOKEN' } } });
    expect(await problem('DELETE', `${P}/secrets/TOKEN`)).toMatchObject({
      status: 409,
      detail: expect.stringContaining('web'),
    });
    expect(await problem('DELETE', '/users/admin')).toMatchObject({ status: 409 });
    const [stack] = (await slipway.api('GET', `${P}/environments/PRO`)).stacks;
    expect(stack.current).toMatchObject({ release: '1.0', images: [{ name: 'shop/web' }] });
  });

  test('what nothing holds goes', async () => {
    await slipway.api('DELETE', P);
    expect((await send('GET', P)).status).toBe(404);
  });
});

describe('sessions', () => {
  const post = (cookie: string, headers: Record<string, string>) =>
    slipway.raw('POST', '/api/v1/me/tokens', {}, null, { cookie, ...headers });

  test('a change by cookie must come from our own page, and be JSON', async () => {
    const cookie = await loggedIn();
    expect((await slipway.raw('GET', '/api/v1/me', undefined, null, { cookie })).status).toBe(200);
    expect((await post(cookie, {})).status).toBe(403);
    expect((await post(cookie, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await post(cookie, { origin: 'null' })).status).toBe(403);
    expect((await post(cookie, { origin: slipway.url, 'content-type': 'text/plain' })).status).toBe(415);
    expect((await post(cookie, { origin: slipway.url })).status).toBe(201);
    expect((await post(cookie, { 'sec-fetch-site': 'same-origin' })).status).toBe(201);
    expect((await post(cookie, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  });

  test('the cookie is new at each login, for us alone, and ends with the session', async () => {
    addPerson('vera');
    const planted = `slipway_session=${'x'.repeat(43)}`;
    const response = await login({ username: 'vera', password: PASSWORD }, { cookie: planted });
    expect(response.headers.getSetCookie()[0]).toMatch(/HttpOnly; SameSite=Strict$/);
    const cookie = cookieOf(response);
    expect(cookie).not.toBe(planted);
    const again = cookieOf(await login({ username: 'vera', password: PASSWORD }, { cookie }));
    const me = async (value: string) =>
      (await slipway.raw('GET', '/api/v1/me', undefined, null, { cookie: value })).status;
    expect([await me(planted), await me(cookie), await me(again)]).toEqual([401, 401, 200]);
    slipway.clock.now += 13 * 3_600_000;
    expect(await me(again)).toBe(401);
  });

  test('a login from a foreign page is refused', async () => {
    addPerson('vera');
    expect((await login({ username: 'vera', password: PASSWORD }, { origin: 'https://evil.example' })).status).toBe(
      403,
    );
  });

  test('after ten wrong passwords the eleventh is not looked at, also of users who do not exist', async () => {
    addPerson('vera');
    for (const username of ['vera', 'nobody']) {
      const statuses = [];
      for (let n = 0; n < 11; n++) statuses.push((await login({ username, password: `wrong ${n}` })).status);
      expect(statuses).toEqual([...Array(10).fill(401), 429]);
    }
    expect((await login({ username: 'vera', password: PASSWORD })).status).toBe(429);
  }, 30_000);

  test('nobody makes an administrator of themselves, or changes a password without the old one', async () => {
    const cookie = await loggedIn();
    const put = (body: unknown) =>
      slipway.raw('PUT', '/api/v1/users/vera', body, null, { cookie, origin: slipway.url });
    expect((await put({ admin: true })).status).toBe(403);
    expect((await put({ role: 'admin' })).status).toBe(422);
    expect((await put({ password: 'another-password' })).status).toBe(403);
    expect((await put({ password: 'another-password', currentPassword: PASSWORD })).status).toBe(200);
    expect((await login({ username: 'vera', password: 'another-password' })).status).toBe(200);
  });
});

describe('tokens', () => {
  test('are shown once, end when they expire or are revoked, and are not read from the query', async () => {
    const expires = new Date(slipway.clock.now + 60_000).toISOString();
    const made = await slipway.api('POST', '/me/tokens', { name: 'ci', scopes: ['read', 'write'], expires });
    expect(JSON.stringify(await slipway.api('GET', '/me/tokens'))).not.toContain(made.token);
    const me = async () => (await slipway.raw('GET', '/api/v1/me', undefined, made.token)).status;
    expect(await me()).toBe(200);
    expect((await slipway.raw('GET', `/api/v1/me?token=${made.token}&access_token=${made.token}`)).status).toBe(401);
    const longer = await slipway.raw('POST', '/api/v1/me/tokens', {}, made.token);
    expect(longer.status).toBe(403);
    slipway.clock.now += 61_000;
    expect(await me()).toBe(401);
    const other = await slipway.api('POST', '/me/tokens', {});
    await slipway.api('DELETE', `/me/tokens/${other.id}`);
    expect((await slipway.raw('GET', '/api/v1/me', undefined, other.token)).status).toBe(401);
  });
});

describe('requests', () => {
  test('a body that is too large, not JSON, or of another type', async () => {
    expect(await problem('PUT', P, JSON.stringify({ name: 'x'.repeat(1_100_000) }))).toMatchObject({ status: 413 });
    expect(await problem('PUT', P, '{"name": ')).toMatchObject({ status: 400 });
    expect(await problem('PUT', P, '"text"')).toMatchObject({ status: 400 });
    expect((await send('PUT', P, 'name=x', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415);
    expect((await send('PUT', P, 'name=x', { 'content-type': 'text/plain' })).status).toBe(415);
  });

  test.each([
    '/projects/shop%2f..%2fshop',
    '/projects/..%2f..%2fetc',
    '/projects/shop%00',
    '/projects/shop/environments/DEV%00',
    '/projects/shop/pipelines/web/builds/1/artifacts/..%2f..%2fsecret.key',
    '/projects/shop/pipelines/web/builds/1/artifacts/site/index.html%00.png',
    '/projects/shop/pipelines/web/builds/1e0',
    '/projects/shop/pipelines/web/builds/-1',
    '/Projects/shop',
    '//projects/shop',
  ])('GET %s is not found', async (path) => {
    expect((await send('GET', path)).status).toBe(404);
  });

  test('a path that cannot be decoded is a bad request', async () => {
    expect((await send('GET', '/projects/%zz')).status).toBe(400);
  });

  test.each(['limit=0', 'limit=201', 'limit=1;drop', 'before=x', 'sort=name', 'result=good'])(
    'GET builds?%s is refused',
    async (query) => {
      expect(await problem('GET', `${W}/builds?${query}`)).toMatchObject({ status: 422 });
    },
  );

  test('what breaks inside is an id, not a stack', async () => {
    slipway.services.sources.branches = async () => {
      throw new Error('the innermost secret');
    };
    const found = await problem('GET', `${W}/branches`);
    expect(found).toMatchObject({ status: 500, id: expect.any(String) });
    expect(JSON.stringify(found)).not.toContain('innermost');
  });

  test('refused attempts are in the audit, values are not', async () => {
    await send('PUT', `${P}/secrets/BASH_ENV`, { value: 'not to be seen' });
    const { items } = await slipway.api('GET', '/audit?limit=1');
    expect(items[0]).toMatchObject({
      actor: 'admin',
      project: 'shop',
      data: { fields: ['value'], refused: expect.any(String) },
    });
    expect(JSON.stringify(items)).not.toContain('not to be seen');
  });
});

describe('builds and deployments', () => {
  test('a build has its fields; the same Idempotency-Key gives the same build', async () => {
    const make = () => send('POST', `${W}/builds`, { branch: 'main' }, { 'idempotency-key': 'k1' });
    const [first, second] = [await make(), await make()];
    expect([first.status, second.status]).toEqual([201, 201]);
    const build = await first.json();
    expect(await second.json()).toEqual(build);
    expect(build).toMatchObject({
      number: 2,
      pipeline: 'web',
      revision: REVISION,
      queuedAt: '2030-01-01T00:00:00.000Z',
      release: null,
    });
    expect(JSON.stringify(build)).not.toContain('claim-token');
    expect((await slipway.api('GET', `${W}/builds?limit=1`)).next).toBe(2);
    expect((await slipway.api('GET', `${W}/builds?limit=1&before=2`)).items[0].number).toBe(1);
  });

  test('cancel and retry need no body', async () => {
    expect(await slipway.api('POST', `${W}/builds/1/cancel`)).toMatchObject({ result: 'cancelled' });
    expect((await send('POST', `${W}/builds/1/retry`)).status).toBe(201);
  });

  test('a log is plain text, in ranges, searched, and followed', async () => {
    const log = `${W}/builds/1/steps/unit/log`;
    const { id } = slipway.services.buildsMade[0] ?? { id: 0 };
    slipway.services.logText.set(`${id}/unit`, 'one\ntwo <b>\nthree\n');
    const whole = await send('GET', log);
    expect(whole.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(whole.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await whole.text()).toBe('one\ntwo <b>\nthree\n');
    const part = async (range: string) => {
      const response = await send('GET', log, undefined, { range });
      return [response.status, response.headers.get('content-range'), await response.text()];
    };
    expect(await part('bytes=0-3')).toEqual([206, 'bytes 0-3/18', 'one\n']);
    expect(await part('bytes=-6')).toEqual([206, 'bytes 12-17/18', 'three\n']);
    expect(await part('bytes=99-')).toEqual([416, 'bytes */18', '']);
    expect(await slipway.api('GET', `${log}?search=two`)).toMatchObject({ count: 1, lines: [{ line: 2 }] });
    expect(await (await send('GET', `${log}?follow=1&offset=4`)).text()).toBe('two <b>\nthree\n');
    expect((await send('GET', `${log}?attempt=2`)).status).toBe(404);
    expect((await send('GET', `${W}/builds/1/steps/none/log`)).status).toBe(404);
  });

  test('following a step that has not begun waits for it', async () => {
    const [run] = slipway.services.buildsMade;
    const step = run?.steps[0];
    if (!run || !step) throw new Error('no build');
    step.attempt = 0;
    step.status = 'waiting';
    slipway.services.logText.set(`${run.id}/unit`, 'begun\n');
    const { subscribe } = slipway.services.events;
    const asked = new Promise<void>((resolve) => {
      slipway.services.events.subscribe = (listener) => {
        resolve();
        return subscribe(listener);
      };
    });
    const followed = send('GET', `${W}/builds/1/steps/unit/log?follow=1`).then((response) => response.text());
    await asked;
    step.attempt = 1;
    step.status = 'running';
    // The fake's runs are not rows, so the event is about the run alone.
    slipway.db.pragma('foreign_keys = OFF');
    slipway.services.publish({ projectId: run.projectId, runId: run.id, type: 'run', data: {} });
    expect(await followed).toBe('begun\n');
  });

  test('an artifact is an attachment whatever it holds', async () => {
    const response = await send('GET', `${W}/builds/1/artifacts/site/index.html`);
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename=index.html');
    expect(await response.text()).toBe(ARTIFACT);
  });

  test('tests are counted', async () => {
    slipway.services.testsMade.push(
      { step: 'unit', suite: 's', name: 'a', result: 'passed', seconds: 1 },
      { step: 'unit', suite: 's', name: 'b', result: 'failed', seconds: 1, message: 'no', since: 1 },
    );
    expect(await slipway.api('GET', `${W}/builds/1/tests`)).toMatchObject({
      total: 2,
      passed: 1,
      failed: 1,
      skipped: 0,
      items: [{}, { since: 1 }],
    });
  });

  test('a promotion of an unknown release, of a blocked one, and its approval', async () => {
    const promote = (body: unknown) => problem('POST', `${P}/environments/DEV/deployments`, body);
    expect(await promote({ release: '9.9' })).toMatchObject({ status: 404 });
    const approved = await slipway.api('POST', `${P}/environments/DEV/deployments/1/approve`, {});
    expect(approved.approvals).toMatchObject([{ by: 'admin', decision: 'approved', comment: '' }]);
    await slipway.api('POST', `${P}/stacks/shop/releases/1.0/block`, { reason: 'broken' });
    expect(await promote({ release: '1.0' })).toMatchObject({ status: 409, gates: [{ gate: 'blocked' }] });
    expect(await problem('POST', `${P}/environments/DEV/rollback`, {})).toMatchObject({ status: 422, field: 'reason' });
  });
});

describe('the server', () => {
  test('answers health, metrics, OpenAPI and the schema of the file without a login', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/api/openapi.json', '/schema/slipway.json']) {
      expect((await slipway.raw('GET', path)).status, path).toBe(200);
    }
    expect(await (await slipway.raw('GET', '/metrics')).text()).toContain('slipway_queue_length 0');
    const document = JSON.parse(await (await slipway.raw('GET', '/api/openapi.json')).text());
    expect(
      document.paths['/api/v1/projects/{project}/pipelines/{pipeline}/builds'].post.responses['201'],
    ).toBeDefined();
    expect((await slipway.raw('GET', '/nothing')).headers.get('content-type')).toMatch(/problem\+json/);
  });

  test('every answer bears the security headers', async () => {
    const { headers } = await slipway.raw('GET', '/healthz');
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-powered-by')).toBeNull();
  });

  test('lint says where', async () => {
    expect(await slipway.api('POST', '/lint', { definition: 'steps:\n  a: { image: x, run: [y] }\n' })).toEqual({
      ok: true,
      errors: [],
    });
    const bad = await slipway.api('POST', '/lint', { definition: 'steps:\n  a: { imge: x, run: [y] }\n' });
    expect(bad).toMatchObject({ ok: false, errors: [{ line: 2, message: expect.stringContaining('image') }] });
  });

  test.each([REVISION.slice(0, 10), '1.0', `sha256:${'c'.repeat(64)}`])('search finds %s', async (q) => {
    expect((await slipway.api('GET', `/search?q=${q}`)).items).toMatchObject([{ project: 'shop', revision: REVISION }]);
  });

  test('search takes quotes for what they are', async () => {
    expect(await slipway.api('GET', `/search?q=${encodeURIComponent("' OR 1=1 --")}`)).toEqual({ items: [] });
  });
});

describe('events', () => {
  const stream = (headers: Record<string, string>, query = '', token = slipway.adminToken) =>
    slipway.raw('GET', `/api/v1/events${query}`, undefined, token, headers);
  async function readUntil(response: Response, wanted: RegExp) {
    let text = '';
    const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
    while (!wanted.test(text)) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
    await reader.cancel();
    return text;
  }
  const projectId = () => row<{ id: number }>(slipway.db, "SELECT id FROM projects WHERE slug = 'shop'")?.id ?? 0;
  const publish = (type: string) =>
    slipway.services.publish({ projectId: projectId(), runId: null, type, data: { number: 1 } });

  test('are replayed after an id and go on live', async () => {
    const first = publish('first');
    publish('second');
    const response = await stream({ 'last-event-id': String(first.id) });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    publish('third');
    const text = await readUntil(response, /event: third\n.*\n\n/);
    expect(text).not.toContain('event: first');
    expect(text).toMatch(/event: second\ndata: \{"number":1,"at":".*","project":"shop"\}/);
  });

  test('an id from the future is answered by a reset', async () => {
    expect(await readUntil(await stream({}, '?after=999'), /reset/)).toContain('event: reset');
  });

  test('are for members, and for pages of this server', async () => {
    expect((await stream({ origin: 'https://evil.example' })).status).toBe(403);
    const stranger = slipway.tokenFor('stranger');
    const response = await stream({}, '?after=0', stranger);
    publish('hidden');
    const { id } = row<{ id: number }>(slipway.db, "SELECT id FROM users WHERE name = 'stranger'") ?? { id: 0 };
    slipway.db.prepare('INSERT INTO members VALUES (?, ?, ?)').run(projectId(), id, 'viewer');
    publish('seen');
    expect(await readUntil(response, /event: seen/)).not.toContain('hidden');
  });
});
