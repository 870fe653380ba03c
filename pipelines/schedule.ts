/**
 * The slots of a schedule: when a cron expression is due by the clock on the wall of its zone.
 *
 * As in Vixie cron (https://man7.org/linux/man-pages/man8/cron.8.html, "Daylight saving time"), an expression whose hours are
 * given (`30 2 * * *`) is due once for each such local time: where clocks are put forward, at the first moment afterwards; where
 * they are put back, the first time only. One that goes by every hour (`0,30 * * * *`) follows real time.
 */
import { Cron } from 'croner';

export interface Slot {
  /** Its local time (or UTC, for expressions that follow real time): never comes twice. */
  name: string;
  /** Epoch ms. */
  at: number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The first slots after `after` (epoch ms), up to and including `until`, at most `limit`. */
export function slotsAfter(cron: string, zone: string, after: number, until: number, limit: number): Slot[] {
  const slots: Slot[] = [];
  const all = goesByTheHour(cron) ? realTimes(cron, zone, after) : localTimes(cron, zone, after);
  for (const slot of all) {
    if (slot.at > until || slots.length === limit) break;
    if (slot.at > after) slots.push(slot);
  }
  return slots;
}

export const nextSlots = (cron: string, zone: string, after: number, count: number): Slot[] =>
  slotsAfter(cron, zone, after, Number.POSITIVE_INFINITY, count);

/** Of five fields the second is the hour, of six the third. */
function goesByTheHour(cron: string): boolean {
  const fields = cron.trim().split(/\s+/);
  return (fields.at(-4) ?? '*').startsWith('*');
}

function* realTimes(cron: string, zone: string, after: number): Generator<Slot> {
  const clock = new Cron(cron, { timezone: zone, paused: true });
  for (let at = clock.nextRun(new Date(after)); at; at = clock.nextRun(at))
    yield { name: at.toISOString(), at: at.getTime() };
}

/** Local times are counted as if the zone were UTC, and only then looked up in the zone. */
function* localTimes(cron: string, zone: string, after: number): Generator<Slot> {
  const clock = new Cron(cron, { timezone: 'UTC', paused: true });
  // A local time in a gap is due up to some hours later than it says.
  const from = new Date(wallOf(after, zone) - 3 * HOUR);
  for (let wall = clock.nextRun(from); wall; wall = clock.nextRun(wall))
    yield { name: wall.toISOString().replace('.000Z', ''), at: instantOf(wall.getTime(), zone) };
}

/** The clock on the wall at an instant, as if it were UTC. */
const wallOf = (at: number, zone: string): number => at + offsetOf(at, zone);

/** The first instant at which the clock on the wall shows `wall` or, where it skips that, the first one after the gap. */
function instantOf(wall: number, zone: string): number {
  const before = offsetOf(wall - DAY, zone);
  const after = offsetOf(wall + DAY, zone);
  for (const offset of [Math.max(before, after), Math.min(before, after)])
    if (offsetOf(wall - offset, zone) === offset) return wall - offset;
  return endOfGap(wall - after, wall - before, zone);
}

/** The instant in (low, high] at which the offset changes. */
function endOfGap(low: number, high: number, zone: string): number {
  const old = offsetOf(low, zone);
  let [from, to] = [low, high];
  while (to - from > 1) {
    const middle = Math.floor((from + to) / 2);
    if (offsetOf(middle, zone) === old) from = middle;
    else to = middle;
  }
  return to;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Milliseconds that the zone is ahead of UTC. */
function offsetOf(at: number, zone: string): number {
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  formats.set(zone, format);
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const wall = Date.UTC(
    part.year ?? 0,
    (part.month ?? 1) - 1,
    part.day ?? 1,
    part.hour ?? 0,
    part.minute ?? 0,
    part.second ?? 0,
  );
  return wall - Math.floor(at / 1000) * 1000;
}
