/**
 * Globs, matched in time bounded by the lengths of pattern and path. Both are written by whoever may push, and the regular
 * expression that a library makes of `*a*a*a*a*b` backtracks for hours.
 *
 * `*` and `?` stay within a part of the path, `**` stands for any number of parts, `{a,b}` for either, `[a-z]` for one
 * character where `classes` are asked for; `\` takes the next character as it is.
 */
import { invalid } from './errors.ts';

export type Matches = (path: string) => boolean;

/** What `{…}` may expand to: far more than anybody writes. */
const MAX_ALTERNATIVES = 500;
const TOO_MANY = `this pattern has more than ${MAX_ALTERNATIVES} alternatives`;

/** Throws `invalid` where `faultOfGlob` has something to say. */
export function compileGlob(pattern: string, { classes = false } = {}): Matches {
  const expanded = expand(pattern);
  if (!expanded) throw invalid(`${pattern.slice(0, 80)}: ${TOO_MANY}`);
  const alternatives = expanded.map((each) => compileParts(each.replace(/^(\.\/)+/, ''), classes));
  return (path) => {
    const parts = path.split('/').map((part) => [...part]);
    return alternatives.some((wanted) => matchSequence(wanted, parts, isGlobstar, matchPart));
  };
}

/** Why a pattern cannot be used, or null. */
export function faultOfGlob(pattern: string): string | null {
  return expand(pattern) === null ? TOO_MANY : null;
}

type Token = '*' | ((char: string) => boolean);
type Part = '**' | Token[];

const isGlobstar = (part: Part): boolean => part === '**';
const matchPart = (wanted: Part, part: readonly string[]): boolean =>
  wanted !== '**' &&
  matchSequence(
    wanted,
    part,
    (token) => token === '*',
    (token, char) => token !== '*' && token(char),
  );

/** Greedy: of all wildcards only the last one met is ever tried again, since an earlier one could gain nothing. */
function matchSequence<P, V>(
  pattern: readonly P[],
  values: readonly V[],
  isWild: (each: P) => boolean,
  matchOne: (each: P, value: V) => boolean,
): boolean {
  let at = 0;
  let wild = -1;
  let taken = 0;
  for (let index = 0; index < values.length; ) {
    const each = pattern[at] as P;
    if (at < pattern.length && isWild(each)) {
      wild = at++;
      taken = index;
    } else if (at < pattern.length && matchOne(each, values[index] as V)) {
      at++;
      index++;
    } else if (wild >= 0) {
      at = wild + 1;
      index = ++taken;
    } else return false;
  }
  return pattern.slice(at).every(isWild);
}

function compileParts(pattern: string, classes: boolean): Part[] {
  const parts = pattern.split('/').map((part): Part => (part === '**' ? part : tokensOf(part, classes)));
  // A folder is not part of what is below it.
  return parts.length > 1 && parts.at(-1) === '**' ? [...parts.slice(0, -1), ['*'], '**'] : parts;
}

function tokensOf(part: string, classes: boolean): Token[] {
  const lexemes = part.match(classes ? /\\.|\[[!^]?\]?[^\]]*\]|\*+|./gsu : /\\.|\*+|./gsu) ?? [];
  return lexemes.map((lexeme): Token => {
    if (lexeme.startsWith('*')) return '*';
    if (lexeme === '?') return () => true;
    if (lexeme.length > 1 && lexeme.startsWith('[')) return classOf(lexeme);
    const literal = lexeme.length > 1 && lexeme.startsWith('\\') ? lexeme.slice(1) : lexeme;
    return (char) => char === literal;
  });
}

/** `[abc]`, `[a-z]`, `[!a]`. */
function classOf(text: string): (char: string) => boolean {
  const negated = /^\[[!^]/.test(text);
  const ranges = [...text.slice(negated ? 2 : 1, -1).matchAll(/(.)-(.)|(.)/gsu)].map(
    ([, from, to, one]) => [from ?? one ?? '', to ?? one ?? ''] as const,
  );
  return (char) => ranges.some(([from, to]) => from <= char && char <= to) !== negated;
}

/** Every reading of the braces; null for too many. Braces without a comma, or without an end, stand for themselves. */
function expand(pattern: string): string[] | null {
  const done: string[] = [];
  const open = [pattern];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const braces = innermostBraces(next);
    if (!braces) done.push(next);
    else for (const choice of braces.choices) open.push(`${braces.before}${choice}${braces.after}`);
    if (done.length + open.length > MAX_ALTERNATIVES) return null;
  }
  return done;
}

function innermostBraces(pattern: string): { before: string; choices: string[]; after: string } | null {
  let from = -1;
  let commas: number[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === '\\') at++;
    else if (char === '{') {
      from = at;
      commas = [];
    } else if (char === ',' && from >= 0) commas.push(at);
    else if (char === '}' && from >= 0) {
      if (commas.length > 0) {
        const cuts = [from, ...commas, at];
        const choices = cuts.slice(1).map((cut, index) => pattern.slice((cuts[index] ?? 0) + 1, cut));
        return { before: pattern.slice(0, from), choices, after: pattern.slice(at + 1) };
      }
      from = -1;
    }
  }
  return null;
}
