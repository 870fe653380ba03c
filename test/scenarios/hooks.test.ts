/** The hook's call on the real app: what is taken, what is refused, and that what is refused has no effect. */
import { createHmac, randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { rows } from '../../server/store/db.ts';
import { type Installation, install } from '../fakes/services.ts';

const SECRET = 'the secret of web';
const ZERO = '0'.repeat(40);
const NEW = '7c2d9e4f1b6a385d0e7c4b9f2a1d6e8c5b3f0a94';
const PUSH = { ref: 'refs/heads/main', before: ZERO, after: NEW, deleted: false };

type Headers = Record<string, string | undefined>;

let slipway: Installation;
beforeEach(async () => {
  slipway = await install();
  await slipway.seedProject('shop');
  const source = { kind: 'git', url: 'https://git.example/web.git', branches: ['main'] };
  await slipway.api('PUT', '/projects/shop/pipelines/web', { source, hookSecret: SECRET });
  await slipway.api('PUT', '/projects/shop/pipelines/other', { source, hookSecret: 'the secret of other' });
  await slipway.api('PUT', '/projects/shop/pipelines/open', { source });
  await slipway.seedProject('bank');
  await slipway.api('PUT', '/projects/bank/pipelines/web', { source, hookSecret: 'the secret of bank' });
});
afterEach(() => slipway.close());

const hmac = (text: string | Buffer, secret = SECRET, by = 'sha256') =>
  createHmac(by, secret).update(text).digest('hex');
const accepted = () => slipway.services.hooked;
const audited = () => rows<{ actor: string }>(slipway.db, "SELECT actor FROM audit WHERE actor LIKE '% hook'");

async function send(
  body: string | Buffer,
  headers: Headers = {},
  { project = 'shop', pipeline = 'web', kind = 'github' } = {},
): Promise<{ status: number; body: { accepted?: boolean; message?: string; detail?: string; field?: string } }> {
  const all: Headers = {
    'content-type': 'application/json',
    'x-github-event': 'push',
    'x-github-delivery': randomUUID(),
    'x-hub-signature-256': `sha256=${hmac(body)}`,
    ...headers,
  };
  const response = await fetch(`${slipway.url}/hooks/${kind}/${project}/${pipeline}`, {
    method: 'POST',
    headers: Object.entries(all).filter((header): header is [string, string] => header[1] !== undefined),
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  return { status: response.status, body: (await response.json()) as never };
}

test('a push that is signed is taken', async () => {
  expect(await send(JSON.stringify(PUSH))).toMatchObject({ status: 202, body: { accepted: true } });
  expect(accepted()).toHaveLength(1);
});

test('a branch that is deleted is taken, too: the repository is looked at', async () => {
  const gone = { ...PUSH, before: NEW, after: ZERO, deleted: true };
  expect(await send(JSON.stringify(gone))).toMatchObject({ status: 202, body: { accepted: true } });
});

test('a ping is answered, and nothing is looked at', async () => {
  const ping = await send(JSON.stringify({ zen: 'Keep it simple' }), { 'x-github-event': 'ping' });
  expect(ping).toMatchObject({ status: 202, body: { accepted: false, message: expect.stringContaining('works') } });
  expect(accepted()).toEqual([]);
});

test('a hook of another repository is taken, with a word about it', async () => {
  const repository = { clone_url: 'https://elsewhere.example/quite/different.git' };
  const { body } = await send(JSON.stringify({ ...PUSH, repository }));
  expect(body).toMatchObject({ accepted: true, message: expect.stringContaining('elsewhere.example') });
});

test('an empty or short secret is refused when it is saved', async () => {
  const source = { kind: 'git', url: 'https://git.example/web.git', branches: ['main'] };
  for (const hookSecret of ['', 'short'])
    expect(
      (await slipway.raw('PUT', '/api/v1/projects/shop/pipelines/web', { source, hookSecret }, slipway.adminToken))
        .status,
    ).toBe(422);
});

describe('is 401 without any effect, but for a line in the audit log', () => {
  const text = JSON.stringify(PUSH);
  const none: Headers = { 'x-hub-signature-256': '' };
  test.each<[string, Headers, { project?: string; pipeline?: string; kind?: string }]>([
    ['an empty signature', none, {}],
    ['none at all', { 'x-hub-signature-256': undefined }, {}],
    ['none, but the secret as bearer', { 'x-hub-signature-256': undefined, authorization: `Bearer ${SECRET}` }, {}],
    ['one of another project', { 'x-hub-signature-256': `sha256=${hmac(text, 'the secret of bank')}` }, {}],
    ['one that would be right in another project', {}, { project: 'bank' }],
    ['a short one', { 'x-hub-signature-256': 'sha256=ab' }, {}],
    ['one by SHA-1', { ...none, 'x-hub-signature': `sha1=${hmac(text, SECRET, 'sha1')}` }, {}],
    ['one of another pipeline', { 'x-hub-signature-256': `sha256=${hmac(text, 'the secret of other')}` }, {}],
    ['two of them', { 'x-hub-signature-256': `sha256=${hmac(text)}, sha256=${hmac(text)}` }, {}],
    ['one for a pipeline without a secret', {}, { pipeline: 'open' }],
    ['one by the empty secret', { 'x-hub-signature-256': `sha256=${hmac(text, '')}` }, { pipeline: 'open' }],
    ['the token of GitLab, wrong', { 'x-gitlab-token': 'the secret of wef' }, { kind: 'gitlab' }],
    ['GitHub’s way at GitLab’s door', {}, { kind: 'gitlab' }],
  ])('%s', async (_what, headers, at) => {
    const { status, body } = await send(text, headers, at);
    expect(status).toBe(401);
    expect(body.detail).not.toContain(SECRET);
    expect(accepted()).toEqual([]);
    expect(audited()).toHaveLength(1);
  });

  test('a pipeline that does not exist looks like one with another secret', async () => {
    const [missing, wrong] = [await send(text, {}, { pipeline: 'missing' }), await send(text, none)];
    expect(missing).toEqual(wrong);
  });

  test('refusals are written down once a minute at most', async () => {
    for (let count = 0; count < 5; count += 1) await send(text, none);
    expect(audited()).toHaveLength(1);
  });
});

describe('is refused, though it is signed', () => {
  test.each<[string, string | Buffer, Headers, number]>([
    ['what is not JSON', '{', {}, 422],
    ['10,000 levels of JSON', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, {}, 422],
    ['a ref that is a list', JSON.stringify({ ...PUSH, ref: ['refs/heads/main'] }), {}, 422],
    ['a key __proto__', '{"ref":"refs/heads/main","__proto__":{"admin":true}}', {}, 422],
    ['another media type', JSON.stringify(PUSH), { 'content-type': 'text/plain' }, 415],
    ['no id of the delivery', JSON.stringify(PUSH), { 'x-github-delivery': '' }, 422],
  ])('%s', async (_what, body, headers, status) => {
    expect(await send(body, headers)).toMatchObject({ status });
    expect(accepted()).toEqual([]);
  });

  test('more than 25 MB, and a gzip bomb: at once, and without keeping it', async () => {
    const bomb = gzipSync(Buffer.alloc(40 * 1024 * 1024));
    expect(await send(bomb, { 'content-encoding': 'gzip' })).toMatchObject({ status: 413 });
    expect(await announced(26 * 1024 * 1024)).toBe(413);
    expect(accepted()).toEqual([]);
  });
});

/** The status of a hook that says it has so many bytes, and sends none of them. */
function announced(length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': length };
    const sending = request(`${slipway.url}/hooks/github/shop/web`, { method: 'POST', headers }, (response) => {
      resolve(response.statusCode ?? 0);
      sending.destroy();
    });
    sending.once('error', reject);
    sending.flushHeaders();
  });
}

test('the events of a registry are taken with the secret as bearer, and refused without', async () => {
  const event = {
    action: 'push',
    target: {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      repository: 'shop/base',
      tag: 'stable',
      digest: `sha256:${NEW}${'0'.repeat(24)}`,
    },
  };
  const body = JSON.stringify({ events: [{ id: 'one', ...event }] });
  const type = 'application/vnd.docker.distribution.events.v1+json';
  const at = { kind: 'registry' };
  expect(await send(body, { 'content-type': type, authorization: 'Bearer wrong' }, at)).toMatchObject({ status: 401 });
  expect(await send(body, { 'content-type': type, authorization: `Bearer ${SECRET}` }, at)).toMatchObject({
    status: 202,
    body: { accepted: true },
  });
  expect(accepted()).toHaveLength(1);
});

test('a kind that there is not is 404, and lists those that there are', async () => {
  const { status, body } = await send(JSON.stringify(PUSH), {}, { kind: 'bitbucket' });
  expect(status).toBe(404);
  expect(body.detail).toContain('github, gitlab, gitea, svn, registry');
});
