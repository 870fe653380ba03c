/** `${name}` in the file's own values. Scripts are never substituted into: they get environment variables. */
import { suggestion } from './nearest.ts';

/** Known everywhere; a step with a matrix also has `matrix.<key>`. */
export const VARIABLES = [
  'number',
  'version',
  'revision',
  'short',
  'branch',
  'tag',
  'project',
  'pipeline',
  'date',
] as const;

const REFERENCE = /\$\$\{|\$\{([^}]*)\}?/g;

/**
 * Fills in every `${name}`; `$${` stays as `${`. What is not in `variables` is replaced by what `onUnknown`, called
 * with the name, answers.
 */
export function substitute(
  value: string,
  variables: Readonly<Record<string, string>>,
  onUnknown: (name: string) => string,
): string {
  return value.replace(REFERENCE, (found, name: string | undefined) => {
    if (name === undefined) return '${';
    const known = found.endsWith('}') && Object.hasOwn(variables, name) ? variables[name] : undefined;
    return known ?? onUnknown(name);
  });
}

/** The first name in `value` that is none of `names`, as a sentence; null where all are known. */
export function unknownVariable(value: string, names: readonly string[]): string | null {
  const known = Object.fromEntries(names.map((name) => [name, '']));
  let fault: string | null = null;
  substitute(value, known, (name) => {
    fault ??= `unknown variable "\${${name}}"${suggestion(name, names)}${name.includes('$') ? '' : ' (write $${ for a plain ${)'}`;
    return '';
  });
  return fault;
}

/** A text as a legal image tag: other characters become `-`, at most 128 of them. `release/1.4` → `release-1.4`. */
export function asTag(text: string): string {
  const tag = text.replace(/[^A-Za-z0-9_.-]+/g, '-').replace(/^[.-]+/, '');
  return tag.slice(0, 128) || 'none';
}
