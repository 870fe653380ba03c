/**
 * Variables in compose values, by the rules of the Compose specification ("Interpolation"):
 * `$VAR ${VAR} ${VAR:-default} ${VAR-default} ${VAR:?error} ${VAR?error} ${VAR:+other} ${VAR+other}`, nested at will,
 * and `$$` for a dollar sign. An unset variable is empty.
 */
import { AppError, invalid } from '../errors.ts';

export type Lookup = (name: string) => string | undefined;

/** A lookup in plain values; null is as good as unset. */
export const lookupIn =
  (values: Record<string, string | null>): Lookup =>
  (name) =>
    Object.hasOwn(values, name) ? (values[name] ?? undefined) : undefined;

/** Fills in the variables of one value. Throws `invalid` for bad syntax and for a required variable that is missing. */
export function interpolate(value: string, lookup: Lookup): string {
  if (!value.includes('$')) return value;
  return evaluate(parseTemplate(value), lookup);
}

/** Fills in every string of a document (not the keys); errors bear the path of the value as their field. */
export function interpolateTree<T>(doc: T, lookup: Lookup): T {
  return walk(doc, lookup, '') as T;
}

function walk(node: unknown, lookup: Lookup, path: string): unknown {
  if (typeof node === 'string') return interpolateAt(node, lookup, path);
  if (Array.isArray(node)) return node.map((item, index) => walk(item, lookup, `${path}[${index}]`));
  if (node === null || typeof node !== 'object') return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, item]) => [key, walk(item, lookup, path === '' ? key : `${path}.${key}`)]),
  );
}

function interpolateAt(value: string, lookup: Lookup, path: string): string {
  try {
    return interpolate(value, lookup);
  } catch (thrown) {
    if (!(thrown instanceof AppError) || path === '') throw thrown;
    throw invalid(`${path}: ${thrown.message}`, path);
  }
}

/** A variable with its operator; `word` is what follows it, itself a template. */
interface Variable {
  name: string;
  operator: '' | '-' | ':-' | '?' | ':?' | '+' | ':+';
  word: Template;
}
type Template = (string | Variable)[];

function evaluate(template: Template, lookup: Lookup): string {
  return template.map((part) => (typeof part === 'string' ? part : fill(part, lookup))).join('');
}

function fill({ name, operator, word }: Variable, lookup: Lookup): string {
  const value = lookup(name);
  const present = operator.startsWith(':') ? value !== undefined && value !== '' : value !== undefined;
  switch (operator.at(-1)) {
    case '-':
      return present ? (value ?? '') : evaluate(word, lookup);
    case '+':
      return present ? evaluate(word, lookup) : '';
    case '?':
      if (present) return value ?? '';
      throw invalid(
        `the variable ${name} is required${word.length > 0 ? `: ${evaluate(word, lookup)}` : ' but not set'}`,
      );
    default:
      return value ?? '';
  }
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /:?[-?+]/y;
/** Values are written by people: nothing sensible nests deeper. */
const MAX_DEPTH = 16;

/** Splits a value into text and variables: defaults that are not used are not evaluated. */
function parseTemplate(value: string): Template {
  let at = 0;

  function match(pattern: RegExp): string {
    pattern.lastIndex = at;
    const found = pattern.exec(value)?.[0] ?? '';
    at += found.length;
    return found;
  }

  function bad(): never {
    throw invalid(`bad variable syntax in ${JSON.stringify(value)}: write \${NAME}, or $$ for a dollar sign`);
  }

  function template(depth: number): Template {
    if (depth > MAX_DEPTH) bad();
    const parts: Template = [];
    let text = '';
    const flush = () => {
      if (text !== '') parts.push(text);
      text = '';
    };
    while (at < value.length && !(depth > 0 && value[at] === '}')) {
      if (value[at] !== '$') text += value[at++];
      else if (value[at + 1] === '$') {
        text += '$';
        at += 2;
      } else {
        flush();
        at++;
        parts.push(variable(depth));
      }
    }
    flush();
    return parts;
  }

  function variable(depth: number): Variable {
    const braced = value[at] === '{';
    if (braced) at++;
    const name = match(NAME);
    if (name === '') bad();
    if (!braced) return { name, operator: '', word: [] };
    const operator = match(OPERATOR) as Variable['operator'];
    const word = operator === '' ? [] : template(depth + 1);
    if (value[at++] !== '}') bad();
    return { name, operator, word };
  }

  return template(0);
}
