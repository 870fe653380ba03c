import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDuration } from '../../pipelines/duration.ts';
import type { Environment } from '../../pipelines/model.ts';
import * as present from '../../server/present.ts';

test('a duration is written as it is read', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000_000 }),
      (seconds) => parseDuration(present.duration(seconds * 1000)) === seconds * 1000,
    ),
  );
  expect(present.duration(5_400_000)).toBe('1h30m');
});

test('a page says where to go on when it is full', () => {
  const show = (count: number) =>
    present.page(
      Array.from({ length: count }, (_, n) => 10 - n),
      2,
      (n) => n,
      String,
    );
  expect(show(2)).toEqual({ items: ['10', '9'], next: 9 });
  expect(show(1)).toEqual({ items: ['10'] });
  expect(show(0)).toEqual({ items: [] });
});

test('an environment bears durations as text and nothing of its TLS', () => {
  const environment: Environment = {
    id: 1,
    projectId: 1,
    name: 'PRO',
    order: 3,
    engine: { kind: 'compose', host: 'tcp://pro:2376', tls: { key: 'the key' } },
    after: ['TEST'],
    promote: 'manual',
    branches: null,
    approvals: { count: 2, allowRequester: false, expires: 86_400_000 },
    freezes: [{ name: 'night', cron: '0 22 * * *', duration: 28_800_000 }],
    variables: {},
    registry: null,
    pool: 'default',
    url: null,
    timeout: 900_000,
    keep: 10,
    policy: [],
  };
  const shown = present.environment(environment, { hasTls: true, registry: null, stacks: [] });
  expect(shown).toMatchObject({
    engine: { kind: 'compose', host: 'tcp://pro:2376', hasTls: true },
    approvals: { count: 2, expires: '24h' },
    freezes: [{ name: 'night', duration: '8h' }],
    timeout: '15m',
  });
  expect(JSON.stringify(shown)).not.toContain('the key');
});
