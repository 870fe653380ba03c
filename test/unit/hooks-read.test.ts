import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../pipelines/errors.ts';
import { isRefName } from '../../server/hooks/event.ts';
import { HOOK_KINDS, type HookEvent, type HookKind, readHook } from '../../server/hooks/read.ts';
import { problemOf } from '../../server/problem.ts';

const SECRET = 'correct horse 6\\battery';
const NOW = Date.UTC(2026, 4, 4, 9, 30);
const DELIVERY = '72d3162e-cc78-11e3-81ab-4c9367dc0958';
const NEW = '7c2d9e4f1b6a385d0e7c4b9f2a1d6e8c5b3f0a94';
const ZERO = '0'.repeat(40);

type Body = Record<string, unknown>;

const fixture = (name: string): Body =>
  JSON.parse(readFileSync(path.join(import.meta.dirname, '../fixtures/hooks', `${name}.json`), 'utf8'));
/** As a Gitea sent it, byte by byte, for the secret `SECRET`. */
function recorded(name: string): { headers: IncomingHttpHeaders; raw: Buffer } {
  const { headers, body } = fixture(`gitea/${name}`);
  return { headers: headers as IncomingHttpHeaders, raw: Buffer.from(body as string) };
}
const giteaPush: Body = JSON.parse(recorded('push').raw.toString());
const sign = (raw: string | Buffer, secret = SECRET): string => createHmac('sha256', secret).update(raw).digest('hex');
const bytes = (body: unknown): Buffer => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));

/** A hook as its sender sends it, rightly signed. */
function sent(kind: HookKind, event: string, body: unknown): { headers: IncomingHttpHeaders; raw: Buffer } {
  const raw = bytes(body);
  const own: Record<HookKind, IncomingHttpHeaders> = {
    github: {
      'x-github-event': event,
      'x-github-delivery': DELIVERY,
      'x-hub-signature': `sha1=${createHmac('sha1', SECRET).update(raw).digest('hex')}`,
      'x-hub-signature-256': `sha256=${sign(raw)}`,
    },
    gitea: { 'x-gitea-event': event, 'x-gitea-delivery': DELIVERY, 'x-gitea-signature': sign(raw) },
    gitlab: { 'x-gitlab-event': event, 'idempotency-key': DELIVERY, 'x-gitlab-token': SECRET },
    svn: { 'x-slipway-delivery': DELIVERY, 'x-slipway-signature': `sha256=${sign(raw)}` },
  };
  return { raw, headers: { 'content-type': 'application/json', ...own[kind] } };
}

function read(kind: HookKind, event: string, body: unknown, headers: IncomingHttpHeaders = {}): HookEvent {
  const hook = sent(kind, event, body);
  return readHook(kind, { ...hook.headers, ...headers }, hook.raw, SECRET, NOW);
}

const statusOf = (action: () => unknown): number | undefined => {
  try {
    action();
    return undefined;
  } catch (error) {
    return problemOf(error)?.status ?? 500;
  }
};

const samples: Record<HookKind, [event: string, body: unknown]> = {
  github: ['push', fixture('github/push')],
  gitea: ['push', giteaPush],
  gitlab: ['Push Hook', fixture('gitlab/push')],
  svn: ['', { repository: '/srv/svn/shop', revision: 4821 }],
};
const signatureHeader: Record<HookKind, string> = {
  github: 'x-hub-signature-256',
  gitea: 'x-gitea-signature',
  gitlab: 'x-gitlab-token',
  svn: 'x-slipway-signature',
};

describe('GitHub', () => {
  it('tells of a push', () => {
    expect(read('github', 'push', fixture('github/push'))).toEqual({
      delivery: DELIVERY,
      event: 'push',
      kind: 'push',
      refs: [
        { kind: 'pushed', ref: 'refs/heads/master', before: null, after: '6113728f27ae82c7b1a177c8d03f9e96e0adf246' },
      ],
      repositories: [
        'https://github.com/Codertocat/Hello-World',
        'git://github.com/Codertocat/Hello-World.git',
        'git@github.com:Codertocat/Hello-World.git',
        'https://github.com/Codertocat/Hello-World.git',
      ],
    });
  });

  it('tells of a deletion, by push and by delete', () => {
    const ref = 'refs/tags/simple-tag';
    expect(read('github', 'push', fixture('github/push-deleted'))).toMatchObject({
      kind: 'delete',
      refs: [{ kind: 'deleted', ref, before: '6113728f27ae82c7b1a177c8d03f9e96e0adf246' }],
    });
    expect(read('github', 'delete', fixture('github/delete'))).toMatchObject({
      kind: 'delete',
      refs: [{ kind: 'deleted', ref, before: null }],
    });
  });

  it('tells of a pull request', () => {
    expect(read('github', 'pull_request', fixture('github/pull-request'))).toMatchObject({
      kind: 'pull-request',
      refs: [
        {
          number: 2,
          action: 'updated',
          ref: 'refs/pull/2/head',
          head: 'ec26c3e57ca3a959ca5aad62de7213c562f8c821',
          base: 'refs/heads/master',
          fork: false,
        },
      ],
    });
  });

  it.each([
    ['opened', 'opened'],
    ['reopened', 'opened'],
    ['closed', 'closed'],
    ['labeled', 'other'],
    ['constructor', 'other'],
  ])('takes the action %s for %s', (action, expected) => {
    const body = { ...fixture('github/pull-request'), action };
    expect(read('github', 'pull_request', body).refs).toMatchObject([{ action: expected }]);
  });

  it.each([
    ['another repository', { id: 1 }],
    ['a repository that is gone', null],
  ])('takes %s for a fork', (_, repo) => {
    const body = fixture('github/pull-request');
    (body.pull_request as { head: Body }).head.repo = repo;
    expect(read('github', 'pull_request', body).refs).toMatchObject([{ fork: true }]);
  });

  it('tells a ping, and what concerns no build', () => {
    expect(read('github', 'ping', fixture('github/ping'))).toMatchObject({ kind: 'ping', refs: [] });
    expect(read('github', 'star', { action: 'created' })).toMatchObject({ kind: 'other', event: 'star' });
    const notes = { ref: 'refs/notes/commits', before: ZERO, after: NEW };
    expect(read('github', 'push', notes)).toMatchObject({ kind: 'other', refs: [] });
  });

  it('reads a form, which is signed as it is sent', () => {
    const form = `payload=${encodeURIComponent(JSON.stringify(fixture('github/push'))).replaceAll('%20', '+')}`;
    const type = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    expect(read('github', 'push', form, type)).toMatchObject({ kind: 'push' });
    for (const wrong of ['payload=%', `${form}&payload=1`, 'x=1', 'payload=%ff', ''])
      expect(
        statusOf(() => read('github', 'push', wrong, type)),
        wrong.slice(0, 20),
      ).toBe(422);
  });

  it('takes ids of SHA-256 repositories', () => {
    const body = { ref: 'refs/heads/main', before: '0'.repeat(64), after: 'a'.repeat(64) };
    expect(read('github', 'push', body).refs).toMatchObject([{ before: null, after: 'a'.repeat(64) }]);
  });
});

describe('Gitea', () => {
  const MAIN = { kind: 'pushed', ref: 'refs/heads/main' };
  const BEFORE = '3195b889e8dd58ba082927e29ddbf7aee4b4f60e';
  const AFTER = '94b16c75cc4d8ae7a1a40c586cdafb22b8f323ce';
  const ODD = 'refs/heads/feature/a;b$(id)';

  it.each<[string, string, object[]]>([
    ['push', 'push', [{ ...MAIN, before: BEFORE, after: AFTER }]],
    ['push-as-form', 'push', [{ ...MAIN, before: BEFORE, after: AFTER }]],
    ['push-new-branch', 'push', [{ kind: 'pushed', ref: ODD, before: null }]],
    ['push-deleted-tag', 'delete', [{ kind: 'deleted', ref: 'refs/tags/v1.0' }]],
    ['delete', 'delete', [{ kind: 'deleted', ref: ODD, before: null }]],
    ['create', 'other', []],
    ['test-delivery', 'ping', []],
    ['pull-request-opened', 'pull-request', [{ number: 1, action: 'opened', ref: 'refs/pull/1/head', fork: false }]],
    ['pull-request-updated', 'pull-request', [{ number: 1, action: 'updated', base: 'refs/heads/main', fork: false }]],
    ['pull-request-of-fork', 'pull-request', [{ number: 2, action: 'opened', ref: 'refs/pull/2/head', fork: true }]],
  ])('sent %s: a %s', (name, kind, refs) => {
    const { headers, raw } = recorded(name);
    expect(readHook('gitea', headers, raw, SECRET, NOW)).toMatchObject({
      kind,
      refs,
      repositories: expect.arrayContaining([expect.stringMatching(/\/dev\/shop\.git$/)]),
    });
    const wrong = { ...headers, 'x-gitea-signature': sign(raw, 'another secret') };
    for (const at of [wrong, { ...headers, 'x-gitea-signature': undefined, 'x-hub-signature-256': undefined }])
      expect(statusOf(() => readHook('gitea', at, raw, SECRET, NOW))).toBe(401);
    expect(statusOf(() => readHook('gitea', headers, Buffer.concat([raw, Buffer.from(' ')]), SECRET, NOW))).toBe(401);
  });

  it('signs the JSON inside a form', () => {
    const json = JSON.stringify(giteaPush);
    const form = `payload=${encodeURIComponent(json)}`;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(read('gitea', 'push', form, { ...headers, 'x-gitea-signature': sign(json) }).kind).toBe('push');
    expect(statusOf(() => read('gitea', 'push', form, headers))).toBe(401);
    expect(statusOf(() => read('gitea', 'push', 'payload=%', headers))).toBe(422);
  });

  it('may be signed as GitHub signs, where its own signature is not there', () => {
    const hub = { 'x-hub-signature-256': `sha256=${sign(bytes(giteaPush))}` };
    const { raw, headers } = sent('gitea', 'push', giteaPush);
    const { 'x-gitea-signature': _, ...others } = headers;
    expect(readHook('gitea', { ...others, ...hub }, raw, SECRET, NOW).kind).toBe('push');
    expect(statusOf(() => readHook('gitea', { ...headers, ...hub, 'x-gitea-signature': '' }, raw, SECRET, NOW))).toBe(
      401,
    );
  });
});

describe('GitLab', () => {
  it('tells of a push, with and without the map of the project', () => {
    expect(read('gitlab', 'Push Hook', fixture('gitlab/push'))).toEqual({
      delivery: DELIVERY,
      event: 'push',
      kind: 'push',
      refs: [
        {
          kind: 'pushed',
          ref: 'refs/heads/master',
          before: '95790bf891e76fee5e1747ab589903a6a1f80f22',
          after: 'da1560886d4f094c3e6c9ef40349f7d38b5d27d7',
        },
      ],
      repositories: [
        'http://example.com/mike/diaspora',
        'git@example.com:mike/diaspora.git',
        'http://example.com/mike/diaspora.git',
      ],
    });
    expect(read('gitlab', 'Push Hook', fixture('gitlab/push-7'))).toMatchObject({
      refs: [{ ref: 'refs/heads/master', after: '352e6fe2ea42d394a21dc7995df2116e86bb0684' }],
      repositories: expect.arrayContaining(['http://nodev/stridertester/privproject1.git']),
    });
  });

  it('tells of a tag that is made and one that is deleted', () => {
    expect(read('gitlab', 'Tag Push Hook', fixture('gitlab/tag-push'))).toMatchObject({
      kind: 'push',
      refs: [{ kind: 'pushed', ref: 'refs/tags/v1.0.0', before: null }],
    });
    expect(read('gitlab', 'Tag Push Hook', fixture('gitlab/tag-deleted'))).toMatchObject({
      kind: 'delete',
      refs: [{ ref: 'refs/tags/v1.0.0', before: NEW }],
    });
  });

  it('tells of a merge request, also of a fork', () => {
    const body = fixture('gitlab/merge-request');
    const request = {
      number: 2,
      action: 'updated',
      ref: 'refs/merge-requests/2/head',
      head: '0ab96a10266b95b4b533dcfd98738015fbe70889',
      base: 'refs/heads/master',
    };
    expect(read('gitlab', 'Merge Request Hook', body).refs).toEqual([
      { kind: 'pull-request', ...request, fork: false },
    ]);
    Object.assign(body.object_attributes as Body, { source_project_id: 3 });
    expect(read('gitlab', 'Merge Request Hook', body).refs).toMatchObject([{ ...request, fork: true }]);
  });

  it.each([
    ['open', {}, 'opened'],
    ['reopen', {}, 'opened'],
    ['merge', {}, 'closed'],
    ['update', { oldrev: undefined }, 'other'],
    ['approved', {}, 'other'],
    [undefined, {}, 'other'],
  ])('takes the action %s with %j for %s', (action, changes, expected) => {
    const body = fixture('gitlab/merge-request');
    Object.assign(body.object_attributes as Body, { action, ...changes });
    expect(read('gitlab', 'Merge Request Hook', body).refs).toMatchObject([{ action: expected }]);
  });

  it('takes what concerns no build', () => {
    expect(read('gitlab', 'Note Hook', { object_kind: 'note' })).toMatchObject({ kind: 'other', event: 'note' });
    expect(read('gitlab', 'System Hook', { event_name: 'user_create' })).toMatchObject({ kind: 'other' });
    expect(statusOf(() => read('gitlab', 'Push Hook', {}))).toBe(422);
  });

  it('is named by the best id that its version sends', () => {
    const { raw, headers } = sent('gitlab', 'Push Hook', fixture('gitlab/push'));
    const { 'idempotency-key': _, ...older } = headers;
    const delivery = (more: IncomingHttpHeaders, body = raw) =>
      readHook('gitlab', { ...older, ...more }, body, SECRET, NOW).delivery;
    const uuid = { 'x-gitlab-event-uuid': DELIVERY };
    expect(delivery(uuid)).toMatch(new RegExp(`^${DELIVERY}:[0-9a-f]{40}$`));
    expect(delivery(uuid)).not.toBe(delivery(uuid, bytes(fixture('gitlab/tag-deleted'))));
    expect(delivery({})).toMatch(/^[0-9a-f]{40}$/);
  });
});

describe('GitLab with a signing token', () => {
  const key = Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64');
  const secret = `whsec_${key.toString('base64')}`;
  const raw = bytes(fixture('gitlab/push'));
  const seconds = NOW / 1000;
  const v1 = (id: string, timestamp: number | string) =>
    `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(raw).digest('base64')}`;
  const signed = (changes: IncomingHttpHeaders = {}): IncomingHttpHeaders => ({
    'content-type': 'application/json',
    'x-gitlab-event': 'Push Hook',
    'idempotency-key': 'another-key',
    'webhook-id': DELIVERY,
    'webhook-timestamp': String(seconds),
    'webhook-signature': v1(DELIVERY, seconds),
    ...changes,
  });

  it('knows the example of the specification', () => {
    const example = Buffer.from('{"test": 2432232314}');
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
      'content-type': 'application/json',
    };
    // The signature is right: only the body is not GitLab's.
    const at = (now: number) => statusOf(() => readHook('gitlab', headers, example, secret, now));
    expect(at(1614265330_000)).toBe(422);
    expect(at(1614265330_000 + 301_000)).toBe(401);
  });

  it('is named by the id that was signed', () => {
    expect(readHook('gitlab', signed(), raw, secret, NOW)).toMatchObject({ delivery: DELIVERY, kind: 'push' });
  });

  it('may have several signatures', () => {
    const several = `v1,${'A'.repeat(43)}= v1a,xyz ${v1(DELIVERY, seconds)}`;
    expect(readHook('gitlab', signed({ 'webhook-signature': several }), raw, secret, NOW).kind).toBe('push');
  });

  it.each<[string, IncomingHttpHeaders]>([
    ['an old time', { 'webhook-timestamp': String(seconds - 301), 'webhook-signature': v1(DELIVERY, seconds - 301) }],
    [
      'a time to come',
      { 'webhook-timestamp': String(seconds + 301), 'webhook-signature': v1(DELIVERY, seconds + 301) },
    ],
    ['another time than was signed', { 'webhook-timestamp': String(seconds - 1) }],
    ['a time that is none', { 'webhook-timestamp': 'NaN', 'webhook-signature': v1(DELIVERY, 'NaN') }],
    ['another id than was signed', { 'webhook-id': 'another' }],
    ['no id', { 'webhook-id': '', 'webhook-signature': v1('', seconds) }],
    ['an empty signature', { 'webhook-signature': '' }],
    ['a signature of another version', { 'webhook-signature': v1(DELIVERY, seconds).replace('v1,', 'v2,') }],
    ['a wrong signature beside the right token', { 'webhook-signature': 'v1,x', 'x-gitlab-token': secret }],
  ])('is refused with %s', (_, changes) => {
    expect(statusOf(() => readHook('gitlab', signed(changes), raw, secret, NOW))).toBe(401);
  });

  it('is taken four minutes late', () => {
    expect(readHook('gitlab', signed(), raw, secret, NOW + 240_000).kind).toBe('push');
  });

  it('may be sent with a secret token as well, and the pipeline know only that', () => {
    const headers = signed({ 'x-gitlab-token': SECRET });
    expect(readHook('gitlab', headers, raw, SECRET, NOW).delivery).toBe('another-key');
  });
});

describe('SVN', () => {
  it('tells of a commit', () => {
    const body = { repository: '/srv/svn/shop', revision: 4821, paths: ['trunk/price.ts'] };
    expect(read('svn', '', body)).toEqual({
      delivery: DELIVERY,
      event: 'commit',
      kind: 'push',
      refs: [{ kind: 'revision', revision: 4821, paths: ['trunk/price.ts'] }],
      repositories: ['/srv/svn/shop'],
    });
    expect(read('svn', '', { repository: 'x', revision: 1 }).refs).toMatchObject([{ paths: [] }]);
  });

  it.each([0, -1, 1.5, '12', 1e99, null])('refuses the revision %j', (revision) => {
    expect(() => read('svn', '', { repository: 'x', revision })).toThrow(/^revision: /);
  });
});

describe.each(HOOK_KINDS)('who sends a hook of %s', (kind) => {
  const [event, body] = samples[kind];
  const { raw, headers } = sent(kind, event, body);
  const name = signatureHeader[kind];
  const right = String(headers[name]);
  const attempt = (signature: unknown, secret = SECRET, content = raw) =>
    statusOf(() => readHook(kind, { ...headers, [name]: signature } as IncomingHttpHeaders, content, secret, NOW));

  it('is known by the signature', () => {
    expect(attempt(right)).toBeUndefined();
    expect(attempt(right, 'another secret')).toBe(401);
  });

  it.each<[string, unknown]>([
    ['missing', undefined],
    ['empty', ''],
    ['short', right.slice(0, -1)],
    ['long', `${right}0`],
    ['doubled', `${right}, ${right}`],
    ['an array', [right]],
    ['an array of two', [right, right]],
    ['wrong', right.replace(/.$/, (last) => (last === '0' ? '1' : '0'))],
    ['SHA-1', `sha1=${createHmac('sha1', SECRET).update(raw).digest('hex')}`],
    ['SHA-1 with a wrong label', `sha256=${createHmac('sha1', SECRET).update(raw).digest('hex')}`],
    ['of nothing', `sha256=${sign('')}`],
    ['the label alone', 'sha256='],
  ])('is not known where it is %s', (_, signature) => {
    expect(attempt(signature)).toBe(401);
  });

  it('is never known without a secret', () => {
    expect(attempt(kind === 'gitlab' ? '' : right.replace(/[0-9a-f]{64}/, sign(raw, '')), '')).toBe(401);
  });

  it('is asked before the body is looked at', () => {
    expect(attempt('wrong', SECRET, Buffer.from('{'))).toBe(401);
    expect(attempt(undefined, SECRET, Buffer.alloc(1_000_000, '['))).toBe(401);
  });

  it('is not told what was wrong', () => {
    const message = (signature: string | undefined) => {
      try {
        return readHook(kind, { ...headers, [name]: signature }, raw, SECRET, NOW);
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(message('')).toBe(message(undefined));
    expect(message('')).not.toContain(SECRET);
  });
});

describe.each(HOOK_KINDS)('a body of %s', (kind) => {
  const [event, sample] = samples[kind];
  const refused = (body: unknown): AppError => {
    try {
      read(kind, event, body);
    } catch (error) {
      if (error instanceof AppError) return error;
      throw error;
    }
    throw new Error('was not refused');
  };

  it.each<[string, unknown]>([
    ['empty', ''],
    ['cut off', JSON.stringify(sample).slice(0, -1)],
    ['null', 'null'],
    ['a list', []],
    ['a number', '1'],
    ['XML', '<xml/>'],
  ])('is invalid where it is %s', (_, body) => {
    expect(refused(body).code).toBe('invalid');
  });

  it('is invalid where it is not UTF-8', () => {
    const raw = Buffer.concat([Buffer.from('{"ref":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    const headers = { ...sent(kind, event, raw.toString('latin1')).headers };
    headers[signatureHeader[kind]] = kind === 'gitlab' ? SECRET : `${kind === 'gitea' ? '' : 'sha256='}${sign(raw)}`;
    expect(statusOf(() => readHook(kind, headers, raw, SECRET, NOW))).toBe(422);
  });

  it.each([
    ['lists', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['maps', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`],
    ['lists without an end', '['.repeat(10_000_000)],
  ])('is refused quickly where it has 10,000 levels of %s', (_, body) => {
    expect(refused(body).message).toContain('deeper than 100');
  });

  it('may have brackets in texts, and a hundred levels', () => {
    const extra = { text: `"\\${'['.repeat(1000)}`, deep: JSON.parse('['.repeat(98) + ']'.repeat(98)) };
    expect(read(kind, event, { ...(sample as Body), extra }).kind).toBe('push');
    expect(refused({ ...(sample as Body), deep: JSON.parse('['.repeat(100) + ']'.repeat(100)) }).code).toBe('invalid');
  });

  it.each(['"__proto__":{"a":1}', '"\\u005f_proto__":{}', '"x":[{"__proto__":1}]', '"__pr\\u006Fto__":1'])(
    'may not have the key %s',
    (member) => {
      expect(refused(`{${member},${JSON.stringify(sample).slice(1)}`).message).toContain('__proto__');
    },
  );

  it('may have a text about __proto__', () => {
    expect(read(kind, event, { ...(sample as Body), message: 'fix "__proto__"' }).kind).toBe('push');
  });

  it('must come with an id', () => {
    for (const id of [undefined, '', 'short', 'a b c d e f g h', 'x'.repeat(129), '12345678\n']) {
      const name = {
        github: 'x-github-delivery',
        gitea: 'x-gitea-delivery',
        gitlab: 'idempotency-key',
        svn: 'x-slipway-delivery',
      };
      if (kind === 'gitlab' && id === undefined) continue;
      expect(
        statusOf(() => read(kind, event, sample, { [name[kind]]: id })),
        id,
      ).toBe(422);
    }
  });

  it('must say that it is JSON', () => {
    for (const type of [undefined, '', 'text/plain', 'application/jsonp', 'multipart/form-data'])
      expect(
        statusOf(() => read(kind, event, sample, { 'content-type': type })),
        type,
      ).toBe(415);
    expect(read(kind, event, sample, { 'content-type': 'Application/JSON; charset=utf-8' }).kind).toBe('push');
  });
});

describe.each(['github', 'gitea', 'gitlab'] as const)('a push of %s', (kind) => {
  const [event, sample] = samples[kind];
  const push = (changes: Body) => () => read(kind, event, { ...(sample as Body), ...changes });

  it.each<[string, Body]>([
    ['ref', { ref: undefined }],
    ['ref', { ref: ['refs/heads/main'] }],
    ['ref', { ref: { toString: 1 } }],
    ['ref', { ref: 'main' }],
    ['ref', { ref: 'refs/heads/' }],
    ['ref', { ref: 'refs/heads/a..b' }],
    ['ref', { ref: 'refs/heads/--upload-pack=x y' }],
    ['ref', { ref: `refs/heads/${'x'.repeat(1000)}` }],
    ['after', { after: undefined }],
    ['after', { after: [NEW] }],
    ['after', { after: 'HEAD' }],
    ['after', { after: `${NEW}\n` }],
    ['after', { after: NEW.slice(1) }],
    ['before', { before: 0 }],
    ['before', { before: null }],
  ])('names the field %s of %j', (field, changes) => {
    expect(push(changes)).toThrow(expect.objectContaining({ code: 'invalid', field }));
  });

  it('may be of a branch with an odd name', () => {
    for (const name of ["a'b$(id)", 'a;b', '`id`', '-u', 'äöü', 'refs/heads/x', 'a"b'])
      expect(push({ ref: `refs/heads/${name}` })().refs).toMatchObject([{ ref: `refs/heads/${name}` }]);
  });

  it('may name no repository, or strange ones', () => {
    for (const repository of [
      undefined,
      null,
      [],
      'x',
      { clone_url: ['x'], git_http_url: 1, html_url: 'a\nb', ssh_url: 'x'.repeat(501) },
    ])
      expect(push({ repository, project: repository })().repositories).toEqual([]);
  });
});

describe('names of refs', () => {
  it.each(['refs/heads/a', 'refs/tags/v1.0', 'refs/heads/a/b', 'refs/heads/a@b', 'refs/heads/-'])(
    'allow %s',
    (name) => {
      expect(isRefName(name)).toBe(true);
    },
  );

  it.each([
    'heads/a',
    'refs/',
    'refs/heads/a b',
    'refs/heads/a\\b',
    'refs/heads/a?',
    'refs/heads/a*',
    'refs/heads/a[b',
    'refs/heads/a~1',
    'refs/heads/a^',
    'refs/heads/a:b',
    'refs/heads/.a',
    'refs/heads/a/.b',
    'refs/heads/a.lock',
    'refs/heads/a.lock/b',
    'refs/heads/a.',
    'refs/heads/a/',
    'refs/heads//a',
    'refs/heads/a@{1}',
    'refs/heads/a\u0000',
    'refs/heads/a\u007f',
    'refs/heads/\ud800',
  ])('refuse %j', (name) => {
    expect(isRefName(name)).toBe(false);
  });
});
