/** Durations and sizes as people write them: `90s`, `1h30m`, `512m`. */

const MILLISECONDS = { h: 3_600_000, m: 60_000, s: 1000 };
const BYTES = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Milliseconds of `90s`, `30m`, `1h30m`, `1h30m10s`; null for anything else. */
export function parseDuration(text: string): number | null {
  const match = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?$/.exec(text);
  if (!match || text === '') return null;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  return Number(hours) * MILLISECONDS.h + Number(minutes) * MILLISECONDS.m + Number(seconds) * MILLISECONDS.s;
}

/** Bytes of `1048576`, `512k`, `512m`, `2g` (binary units, as Docker has them); null for anything else. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,12})(?:([kmg])b?)?$/i.exec(text);
  if (!match?.[1]) return null;
  const unit = match[2]?.toLowerCase() as keyof typeof BYTES | undefined;
  return Number(match[1]) * (unit ? BYTES[unit] : 1);
}
