import { describe, expect, test } from 'vitest';
import { nextSlots, slotsAfter } from '../../pipelines/schedule.ts';

const at = (iso: string) => Date.parse(iso);
const times = (cron: string, zone: string, after: string, count: number) =>
  nextSlots(cron, zone, at(after), count).map((slot) => new Date(slot.at).toISOString().slice(0, 16));

/** Berlin puts clocks forward at 2026-03-29T01:00Z (02:00 → 03:00) and back at 2026-10-25T01:00Z (03:00 → 02:00). */
describe('the slots of a schedule', () => {
  test.each([
    [
      'a time in the gap is due at its end',
      '30 2 * * *',
      '2026-03-28T12:00Z',
      ['2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    [
      'all times in the gap are due, each once',
      '15,45 2 * * *',
      '2026-03-28T12:00Z',
      ['2026-03-29T01:00', '2026-03-29T01:00', '2026-03-30T00:15'],
    ],
    ['the edge of the gap', '0 3 * * *', '2026-03-28T12:00Z', ['2026-03-29T01:00', '2026-03-30T01:00']],
    [
      'a time that comes twice is due the first time',
      '30 2 * * *',
      '2026-10-24T12:00Z',
      ['2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      'hours given as a range come once each',
      '30 1-3 * * *',
      '2026-10-24T20:00Z',
      ['2026-10-24T23:30', '2026-10-25T00:30', '2026-10-25T02:30', '2026-10-26T00:30'],
    ],
    [
      'every half hour follows real time where clocks go back',
      '*/30 * * * *',
      '2026-10-24T23:40Z',
      ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'],
    ],
    [
      'every half hour follows real time where clocks go forward',
      '*/30 * * * *',
      '2026-03-29T00:10Z',
      ['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30'],
    ],
    ['a month without such a day is left out', '0 0 31 * *', '2026-03-31T12:00Z', ['2026-05-30T22:00']],
    ['six fields', '30 15 2 * * *', '2026-01-01T00:00Z', ['2026-01-01T01:15']],
  ])('%s', (_what, cron, after, expected) => {
    expect(times(cron, 'Europe/Berlin', after, expected.length)).toEqual(expected);
  });

  test('zones of half hours, with a gap of half an hour', () => {
    // Lord Howe puts clocks forward by 30 minutes at 2026-10-03T15:30Z (02:00 → 02:30).
    expect(times('15 2 * * *', 'Australia/Lord_Howe', '2026-10-02T12:00Z', 3)).toEqual([
      '2026-10-02T15:45',
      '2026-10-03T15:30',
      '2026-10-04T15:15',
    ]);
  });

  test('a zone without daylight saving', () => {
    expect(times('0 2 * * *', 'Asia/Shanghai', '2026-06-01T00:00Z', 2)).toEqual([
      '2026-06-01T18:00',
      '2026-06-02T18:00',
    ]);
  });

  test('names never come twice, and are those of the local clock', () => {
    const slots = slotsAfter('30 2 * * *', 'Europe/Berlin', at('2026-01-01T00:00Z'), at('2026-12-31T00:00Z'), 1000);
    expect(slots).toHaveLength(364);
    expect(new Set(slots.map(({ name }) => name)).size).toBe(slots.length);
    expect(slots[0]?.name).toBe('2026-01-01T02:30:00');
  });

  test('however the time since is cut into pieces, the slots are the same', () => {
    for (const cron of ['30 2 * * *', '15,45 2 * * *', '*/30 * * * *', '30 1-3 * * *']) {
      for (const [from, to] of [
        ['2026-03-28T20:00Z', '2026-03-29T20:00Z'],
        ['2026-10-24T20:00Z', '2026-10-25T20:00Z'],
      ] as const) {
        const whole = slotsAfter(cron, 'Europe/Berlin', at(from), at(to), 1000);
        const pieces = [];
        for (let moment = at(from); moment < at(to); moment += 7 * 60_000) {
          const until = Math.min(moment + 7 * 60_000, at(to));
          pieces.push(...slotsAfter(cron, 'Europe/Berlin', moment, until, 1000));
        }
        expect(pieces).toEqual(whole);
      }
    }
  });

  test('nothing is due when the time asked for has not come', () => {
    expect(slotsAfter('0 2 * * *', 'UTC', at('2026-01-01T03:00Z'), at('2026-01-02T01:59Z'), 10)).toEqual([]);
  });
});
