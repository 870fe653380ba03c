/** Text from outside (commits, logs, names) made fit for a mail, and the wording that several mails share. */
import { stripVTControlCharacters } from 'node:util';
import type { Result } from '../../pipelines/model.ts';

/** Control characters but tab and line feed, and the marks that reorder text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be removed
const unprintable = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]/g;

/** Operating system commands: links, titles, clipboards. With what they carry, ended or not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be removed
const commands = /\u001b[\]PX^_][^\u0007\u001b\n]*(?:\u0007|\u001b\\)?/g;

export const printable = (text: string): string =>
  stripVTControlCharacters(text.replace(commands, '')).replace(unprintable, '');

/** At most `limit` characters, the last one an ellipsis where something was cut. Never half a surrogate pair. */
export function clip(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const points = [...text];
  return points.length <= limit
    ? text
    : `${points
        .slice(0, limit - 1)
        .join('')
        .trimEnd()}…`;
}

/** One line, clipped: nothing in it can begin a header or a line of its own. */
export const oneLine = (text: string, limit: number): string =>
  clip(printable(text.replace(/\s+/g, ' ')).trim(), limit);

/** The first line of a commit message. */
export const subjectOf = (message: string, limit = 80): string =>
  oneLine(message.trimStart().split('\n', 1)[0] ?? '', limit);

/** `shop-api` of project `shop` needs no prefix; `api` does. */
export const within = (project: string, name: string): string =>
  name === project || name.startsWith(`${project}-`) ? name : `${project}/${name}`;

/** A Git sha shortened, an SVN revision as people write it. */
export const shortRevision = (revision: string): string =>
  /^\d+$/.test(revision) ? `r${revision}` : revision.slice(0, 8);

export const shortDigest = (digest: string): string => `@${digest.replace(/^sha256:/, '').slice(0, 12)}`;

export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (ms < 1000) return '< 1 s';
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** One vocabulary everywhere: a shape and a word, never colour alone. */
export const marks = {
  passed: '✓',
  failed: '✗',
  errored: '!',
  cancelled: '⊘',
  skipped: '–',
  running: '◔',
  queued: '◌',
} as const;

export const wordOf: Record<Result, string> = {
  passed: 'PASSED',
  failed: 'FAILED',
  errored: 'ERRORED',
  cancelled: 'CANCELLED',
};
