import { compileGlob } from './glob.ts';

/**
 * Whether `value` (a branch, a path, an author) is meant by `patterns`: globs in order, the last that matches decides,
 * and `!` takes out again. A list that only takes out starts from everything.
 */
export function matchesAny(patterns: readonly string[], value: string): boolean {
  let matched = patterns.length > 0 && patterns.every((pattern) => pattern.startsWith('!'));
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    if (matched !== negated) continue;
    if (compileGlob(negated ? pattern.slice(1) : pattern)(value)) matched = !negated;
  }
  return matched;
}

/** Characters of a commit message that are looked at. */
const MESSAGE_LIMIT = 500;
/** Steps that a search may take at worst. */
const MAX_COST = MESSAGE_LIMIT ** 3;

/** Whether a commit message passes `on.message`: a regular expression, or `!` and one that must not match. */
export function matchesMessage(pattern: string, message: string): boolean {
  const negated = pattern.startsWith('!');
  const found = new RegExp(negated ? pattern.slice(1) : pattern, 'u').test(message.slice(0, MESSAGE_LIMIT));
  return found !== negated;
}

/** Why `pattern` cannot be used with `matchesMessage`, or null. */
export function faultOfMessagePattern(pattern: string): string | null {
  const source = pattern.startsWith('!') ? pattern.slice(1) : pattern;
  if (source === '' || source.length > 200) return 'expected a regular expression of 1 to 200 characters';
  try {
    new RegExp(source, 'u');
  } catch {
    return 'expected a regular expression';
  }
  if (/\\[1-9k]|\(\?(?!:)/.test(source)) return 'back references and look-around are not possible here';
  if (costOf(source) > MAX_COST) {
    return 'this expression could search for too long: use fewer "*", "+", "?" and "|", and none on a group with others inside';
  }
  return null;
}

/**
 * An upper bound of the ways in which a (valid) expression can match, which is what a backtracking search may have to
 * try: every choice multiplies. A repeated group that holds a choice, as in `(a+)+`, is without bound.
 */
function costOf(source: string): number {
  // Each open group: the product of its present alternative, and the sum of those before.
  const groups = [{ product: MESSAGE_LIMIT, before: 0 }];
  const tokens = source.match(/\\.|\[(?:\\.|[^\]\\])*\]|\(\?:|[()|]|[*+?]\??|\{\d+(?:,\d*)?\}\??|\P{Cs}/gu) ?? [];
  let inner = 1;
  for (const token of tokens) {
    const group = groups.at(-1) ?? { product: Number.POSITIVE_INFINITY, before: 0 };
    const ways = waysOf(token);
    if (token.startsWith('(')) {
      groups.push({ product: 1, before: 0 });
    } else if (token === '|') {
      group.before += group.product;
      group.product = groups.length === 1 ? MESSAGE_LIMIT : 1;
    } else if (token === ')') {
      groups.pop();
      inner = group.before + group.product;
      const outer = groups.at(-1);
      if (outer) outer.product *= inner;
      continue;
    } else if (ways !== null) {
      group.product *= inner > 1 && !token.startsWith('?') ? Number.POSITIVE_INFINITY : ways;
    }
    inner = 1;
  }
  return groups.reduce((total, group) => total + group.before + group.product, 0);
}

/** How often a quantifier lets its atom match; null for any other token. */
function waysOf(token: string): number | null {
  if (/^[*+]/.test(token)) return MESSAGE_LIMIT;
  if (token.startsWith('?')) return 2;
  const range = /^\{(\d+)(,?)(\d*)\}/.exec(token);
  if (!range) return null;
  if (!range[2]) return 1;
  return range[3] ? Number(range[3]) - Number(range[1]) + 1 : MESSAGE_LIMIT;
}
