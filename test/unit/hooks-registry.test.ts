import { describe, expect, it } from 'vitest';
import { readRegistryHook } from '../../server/hooks/registry.ts';
import { problemOf } from '../../server/problem.ts';

const SECRET = 'let-me-in-please';
const DISTRIBUTION = 'application/vnd.docker.distribution.events.v1+json';
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`;

const event = (target: object, action = 'push') => ({
  id: '320678d8-ca14-430f-8bb6-4ca139cd83f7',
  timestamp: '2026-05-04T09:30:00Z',
  action,
  target: { size: 708, length: 708, url: 'http://registry:5000/v2/shop/web/manifests/x', ...target },
  request: { id: '6df24a34', addr: '10.0.0.7:3112', host: 'registry:5000', method: 'PUT', useragent: 'docker/27' },
  actor: {},
  source: { addr: 'registry:5000', instanceID: 'a53db899' },
});
const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const harbor = (changes: object = {}, resource: object = {}) => ({
  type: 'PUSH_ARTIFACT',
  occur_at: 1777886400,
  operator: 'admin',
  event_data: {
    resources: [{ digest: digest('c'), tag: 'v1', resource_url: 'harbor.example.com/shop/web:v1', ...resource }],
    repository: {
      date_created: 1777886000,
      name: 'web',
      namespace: 'shop',
      repo_full_name: 'shop/web',
      repo_type: 'private',
    },
  },
  ...changes,
});

const read = (body: unknown, headers: Record<string, string> = {}) =>
  readRegistryHook(
    { 'content-type': DISTRIBUTION, authorization: `Bearer ${SECRET}`, ...headers },
    Buffer.from(JSON.stringify(body)),
    SECRET,
  );
const statusOf = (action: () => unknown): number | undefined => {
  try {
    action();
    return undefined;
  } catch (error) {
    return problemOf(error)?.status ?? 500;
  }
};

describe('a distribution registry', () => {
  it('tells which images were pushed', () => {
    const events = [
      event({ mediaType: MANIFEST, digest: digest('a'), repository: 'shop/web', tag: '1.4.2' }),
      event({ mediaType: 'application/vnd.oci.image.index.v1+json', digest: digest('b'), repository: 'shop/api' }),
      event({ mediaType: 'application/octet-stream', digest: digest('d'), repository: 'shop/web' }),
      event({ mediaType: MANIFEST, digest: digest('a'), repository: 'shop/web', tag: '1.4.2' }, 'pull'),
      // A deletion has neither media type nor digest in some versions.
      event({ repository: 'shop/web' }, 'delete'),
    ];
    expect(read({ events })).toEqual([
      { repository: 'shop/web', tag: '1.4.2', digest: digest('a') },
      { repository: 'shop/api', tag: null, digest: digest('b') },
    ]);
    expect(read({ events: [] })).toEqual([]);
  });

  it.each<[string, object]>([
    ['target.repository', { repository: '../etc' }],
    ['target.repository', { repository: ['shop/web'] }],
    ['target.digest', { digest: 'sha256:abc' }],
    ['target.digest', { digest: undefined }],
    ['target.tag', { tag: '--rm' }],
  ])('is refused with a wrong %s', (field, changes) => {
    const wrong = event({ mediaType: MANIFEST, digest: digest('a'), repository: 'shop/web', tag: 'v1', ...changes });
    expect(() => read({ events: [wrong] })).toThrow(expect.objectContaining({ code: 'invalid', field }));
  });

  it('is refused where its events are no list', () => {
    for (const events of [null, {}, 'x', [null], [1]])
      expect(
        statusOf(() => read({ events })),
        String(events),
      ).toBe(422);
  });
});

describe('Harbor', () => {
  const bare = { 'content-type': 'application/json', authorization: SECRET };

  it('tells which images were pushed', () => {
    expect(read(harbor(), bare)).toEqual([{ repository: 'shop/web', tag: 'v1', digest: digest('c') }]);
    expect(read(harbor({}, { tag: digest('c') }), bare)).toMatchObject([{ tag: null }]);
  });

  it('tells other things, too', () => {
    expect(read(harbor({ type: 'PULL_ARTIFACT', event_data: {} }), bare)).toEqual([]);
    for (const body of [null, [], {}, harbor({ type: 1 }), harbor({ event_data: null }), harbor({}, { digest: 'x' })])
      expect(statusOf(() => read(body, bare))).toBe(422);
  });
});

describe('who sends it', () => {
  it.each([
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${SECRET}x`,
    SECRET.slice(1),
    `Basic ${SECRET}`,
    `Bearer ${SECRET}, Bearer ${SECRET}`,
  ])('is not known by %j', (authorization) => {
    expect(statusOf(() => read({ events: [] }, { authorization }))).toBe(401);
  });

  it('is never known without a secret, and asked first', () => {
    expect(statusOf(() => readRegistryHook({ authorization: 'Bearer ' }, Buffer.from('{'), ''))).toBe(401);
    expect(statusOf(() => readRegistryHook({}, Buffer.from('{'), SECRET))).toBe(401);
  });
});
