/** Jenkins' cron: `H` for "some fixed moment of your own", `@daily`, a time zone as the first line. */

import { faultOfCron, faultOfTimezone } from '../../pipelines/values.ts';
import { lookup } from './lookup.ts';

export interface JenkinsCron {
  /** The first line that says a time; null where none can be used. */
  cron: string | null;
  /** That line, as it was. */
  original: string;
  timezone: string | null;
  /** The other lines. */
  rest: string[];
}

/** The least and the most of each field. Days of the month end with 28, as they do for Jenkins' H. */
const RANGES = [
  [0, 59],
  [0, 23],
  [1, 28],
  [1, 12],
  [0, 6],
] as const;
const NAMED: Record<string, string> = {
  '@hourly': 'H * * * *',
  '@daily': 'H H * * *',
  '@midnight': 'H H(0-2) * * *',
  '@weekly': 'H H * * H',
  '@monthly': 'H H H * *',
  '@yearly': 'H H H H *',
  '@annually': 'H H H H *',
};

/** The same text always gets the same times; other jobs, by their `seed`, others. */
export function readCron(text: string, seed: string): JenkinsCron {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const zones = lines.filter((line) => line.startsWith('TZ='));
  const [original = '', ...rest] = lines.filter((line) => !line.startsWith('TZ='));
  const zone = zones[0]?.slice(3) ?? null;
  const known = zone !== null && faultOfTimezone(zone) === null;
  return {
    cron: original === '' ? null : concrete(original, seed),
    original,
    timezone: known ? zone : null,
    rest: [...(known ? zones.slice(1) : zones), ...rest],
  };
}

function concrete(line: string, seed: string): string | null {
  const fields = (lookup(NAMED, line.toLowerCase()) ?? line).split(/\s+/);
  if (fields.length !== 5) return null;
  const cron = fields.map((field, index) => unhashed(field, index, seed)).join(' ');
  return faultOfCron(cron) === null ? cron : null;
}

function unhashed(field: string, index: number, seed: string): string {
  const [least, most] = RANGES[index] as readonly [number, number];
  const number = hash(`${index} ${seed}`);
  return field.replace(/H(?:\((\d+)-(\d+)\))?(?:\/(\d+))?/g, (_all, from?: string, to?: string, every?: string) => {
    const first = from === undefined ? least : Number(from);
    const last = to === undefined ? most : Number(to);
    const step = Number(every ?? 0);
    if (step > 0) return `${first + (number % Math.min(step, last - first + 1))}-${last}/${step}`;
    return String(first + (number % Math.max(1, last - first + 1)));
  });
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return value;
}
