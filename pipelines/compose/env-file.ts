/** Env files, by the rules of the Compose specification ("Env file syntax"). */

import { AppError, invalid } from '../errors.ts';
import { interpolate, type Lookup, lookupIn } from './interpolate.ts';

const LINE = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*(?:([=:])(.*))?$/s;
const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t' };

/**
 * Reads `KEY=value` lines. Unquoted and "quoted" values may use variables (also those above them in the file), 'quoted'
 * ones are taken as they are; quoted values may span lines. `KEY` alone is null: its value comes from outside.
 */
export function parseEnvFile(text: string, file: string, lookup: Lookup, raw = false): Record<string, string | null> {
  const values: Record<string, string | null> = {};
  const above = lookupIn(values);
  const find: Lookup = (name) => lookup(name) ?? above(name);
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? '';
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const where = `${file}:${at + 1}`;
    const [, name = '', separator, rest = ''] = LINE.exec(line) ?? [];
    if (name === '') throw invalid(`${where}: expected KEY=value`, file);
    if (separator === undefined) values[name] = null;
    else if (raw) values[name] = rest;
    else {
      let value = rest.trim();
      const quote = value.charAt(0);
      if (quote === '"' || quote === "'") {
        while (closing(value, quote) < 0) {
          if (++at >= lines.length) throw invalid(`${where}: the quote is not closed`, file);
          value += `\n${lines[at]}`;
        }
        const inner = value.slice(1, closing(value, quote));
        values[name] = quote === "'" ? inner : doubleQuoted(inner, find, where);
      } else {
        values[name] = fill(value.replace(/(^|\s+)#.*$/, '').trimEnd(), find, where);
      }
    }
  }
  return values;
}

/** `.env` beside a compose file: default values below `outer`, which it may use. `text` is null where there is no file. */
export function withDefaults(outer: Lookup, text: string | null, file: string): Lookup {
  if (text === null) return outer;
  const values = lookupIn(parseEnvFile(text, file, outer));
  return (name) => outer(name) ?? values(name);
}

function closing(value: string, quote: string): number {
  for (let at = 1; at < value.length; at++) {
    if (value[at] === '\\' && quote === '"') at++;
    else if (value[at] === quote) return at;
  }
  return -1;
}

function doubleQuoted(inner: string, lookup: Lookup, where: string): string {
  const unescaped = inner.replace(/\\(.)/gs, (_, char: string) => (char === '$' ? '$$' : (ESCAPES[char] ?? char)));
  return fill(unescaped, lookup, where);
}

function fill(value: string, lookup: Lookup, where: string): string {
  try {
    return interpolate(value, lookup);
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    throw invalid(`${where}: ${thrown.message}`, where);
  }
}
