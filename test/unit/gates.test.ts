import { describe, expect, test } from 'vitest';
import { approvalRefusal, closedGates, evaluateGates, frozenUntil, type GateInput } from '../../pipelines/gates.ts';
import type { Environment } from '../../pipelines/model.ts';

const NOW = Date.parse('2026-03-04T10:00:00Z');
const PRO = {
  name: 'PRO',
  after: ['TEST'],
  branches: null,
  approvals: null,
  freezes: [],
} as unknown as Environment;

const judge = (
  change: Partial<GateInput> = {},
  environment: Partial<Environment> = {},
  deployment: Partial<GateInput['deployment']> = {},
) =>
  closedGates(
    evaluateGates({
      now: NOW,
      environment: { ...PRO, ...environment },
      release: { version: '2.0', branch: 'main', blocked: null },
      deployment: {
        number: 3,
        trigger: 'promote',
        approvals: [],
        requestedBy: 'ann',
        at: null,
        override: null,
        stack: 'shop',
        ...deployment,
      },
      passedIn: new Set(['TEST']),
      current: 2,
      lockedBy: null,
      missing: [],
      ...change,
    }),
  );

const approval = (by: string, baseline: number | null) => ({
  by,
  decision: 'approved' as const,
  comment: '',
  at: NOW,
  baseline,
});

describe('gates', () => {
  test('all open', () => expect(judge()).toEqual([]));

  test('a blocked release is refused, rollback or not', () => {
    const blocked = { release: { version: '2.0', branch: 'main', blocked: { by: 'eve', reason: 'data loss', at: 0 } } };
    for (const trigger of ['promote', 'rollback'] as const) {
      expect(judge(blocked, {}, { trigger })).toMatchObject([
        { gate: 'blocked', waits: false, message: expect.stringContaining('data loss') },
      ]);
    }
  });

  test('a release that has not passed the environment before is refused', () => {
    expect(judge({ passedIn: new Set() })).toMatchObject([
      { gate: 'after', waits: false, message: expect.stringContaining('TEST') },
    ]);
  });

  test('an override opens that gate alone, and bears its reason', () => {
    const override = { by: 'root', reason: 'hotfix' };
    expect(judge({ passedIn: new Set() }, {}, { override })).toEqual([]);
    const blocked = { version: '2.0', branch: 'main', blocked: { by: 'eve', reason: 'data loss', at: 0 } };
    expect(judge({ passedIn: new Set(), release: blocked }, {}, { override })).toMatchObject([{ gate: 'blocked' }]);
  });

  test('a release whose images the registry has lost is refused, by their names; one nobody could ask about is not', () => {
    expect(judge({ missing: ['shop/web@sha256:1'] })).toMatchObject([
      { gate: 'digests', waits: false, message: expect.stringContaining('shop/web@sha256:1') },
    ]);
    expect(judge({ missing: null })).toEqual([]);
  });

  test.each([
    ['release/2.0', ['release/*'], true],
    ['release/2/0', ['release/*'], false],
    ['main', ['release/*', 'main'], true],
    ['mainx', ['main'], false],
    ['m.in', ['m.in'], true],
    ['main', ['m.in'], false],
  ])('branch %s into %j: %s', (branch, branches, may) => {
    expect(judge({ release: { version: '2.0', branch, blocked: null } }, { branches }).length === 0).toBe(may);
  });

  test('approvals are waited for, count once a person, and only for what runs now', () => {
    const approvals = { count: 2, allowRequester: false };
    expect(judge({}, { approvals })).toMatchObject([{ gate: 'approvals', waits: true }]);
    expect(judge({}, { approvals }, { approvals: [approval('a', 2), approval('b', 2)] })).toEqual([]);
    const stale = judge({}, { approvals }, { approvals: [approval('a', 1), approval('b', 2)] });
    expect(stale[0]?.message).toMatch(/1 of 2.*so far b.*no longer counts/);
  });

  test('a rollback waits for nobody but the lock', () => {
    const environment = {
      approvals: { count: 2, allowRequester: false },
      branches: ['x'],
      freezes: [{ name: 'f', from: '2026-01-01T00:00:00Z', until: '2027-01-01T00:00:00Z' }],
    };
    expect(judge({ passedIn: new Set() }, environment, { trigger: 'rollback' })).toEqual([]);
    expect(judge({ lockedBy: 9 }, environment, { trigger: 'rollback' })).toMatchObject([{ gate: 'lock', waits: true }]);
  });

  test('not before its time', () => {
    expect(judge({}, {}, { at: NOW + 1 })).toMatchObject([{ gate: 'at', waits: true }]);
    expect(judge({}, {}, { at: NOW })).toEqual([]);
  });
});

describe('freeze windows', () => {
  const once = { name: 'launch', from: '2026-03-04T09:00:00Z', until: '2026-03-04T11:00:00Z' };
  const nightly = { name: 'night', cron: '0 22 * * *', timezone: 'Asia/Shanghai', duration: 10 * 3_600_000 };

  test('once: inside, at its end, and before', () => {
    expect(frozenUntil(once, NOW)).toBe(Date.parse(once.until));
    expect(frozenUntil(once, Date.parse(once.until))).toBeNull();
    expect(frozenUntil(once, Date.parse(once.from) - 1)).toBeNull();
  });

  test('recurring, in its own zone: 22:00 to 08:00 in Shanghai', () => {
    expect(frozenUntil(nightly, Date.parse('2026-03-04T14:00:00Z'))).toBe(Date.parse('2026-03-05T00:00:00Z'));
    expect(frozenUntil(nightly, Date.parse('2026-03-04T23:59:59Z'))).toBe(Date.parse('2026-03-05T00:00:00Z'));
    expect(frozenUntil(nightly, Date.parse('2026-03-05T00:00:00Z'))).toBeNull();
    expect(frozenUntil(nightly, Date.parse('2026-03-04T10:00:00Z'))).toBeNull();
  });
});

describe('who may approve', () => {
  const rule = { count: 1, users: ['olga'], roles: ['release-manager' as const], allowRequester: false };
  test.each([
    ['olga', null, false, null],
    ['rita', 'release-manager' as const, false, null],
    ['root', null, true, null],
    ['dave', 'developer' as const, false, 'Only olga or any release-manager can approve here.'],
    ['ann', 'release-manager' as const, false, 'Your own request cannot be approved by yourself: ask somebody else.'],
  ])('%s (%s)', (name, role, admin, why) => expect(approvalRefusal(rule, { name, role, admin }, 'ann')).toBe(why));
});
