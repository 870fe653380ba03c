/** What a name in a Jenkinsfile stands for, and strings with such names as shell text or as values of a pipeline file. */

import { faultOfEnvName } from '../../pipelines/values.ts';
import type { Place, Value } from './groovy.ts';
import type { Part } from './groovy-tokens.ts';
import { lookup } from './lookup.ts';
import type { Note } from './notes.ts';

export interface Scope {
  /** `def NAME = 'text'` at any level. */
  constants: Map<string, string>;
  /** Constants that became environment variables, since commands use them. */
  asEnv: Set<string>;
  /** Names that are environment variables in every step, or in some: parameters, `environment`, axes. */
  known: Set<string>;
  /** Parameter → the variable that commands get it in. */
  parameters: Map<string, string>;
  /** Values of `environment` that are plain. */
  plain: Map<string, string>;
  /** Axis → its key in `matrix:`. */
  axes: Map<string, string>;
  /** Names that Groovy computes. */
  computed: Set<string>;
  /** What the lines of this text are counted from. */
  firstLine: number;
}

export const newScope = (firstLine = 1): Scope => ({
  constants: new Map(),
  asEnv: new Set(),
  known: new Set(),
  parameters: new Map(),
  plain: new Map(),
  axes: new Map(),
  computed: new Set(),
  firstLine,
});

export const noteOf = (scope: Scope, place: Place, why: string): Note => ({
  line: place.line + scope.firstLine - 1,
  text: place.source,
  why,
});

/** What Jenkins sets, as a value of a pipeline file. */
export const FILE_VALUES: Record<string, string> = {
  BUILD_NUMBER: '${number}',
  BUILD_ID: '${number}',
  BUILD_DISPLAY_NAME: '#${number}',
  BRANCH_NAME: '${branch}',
  TAG_NAME: '${tag}',
  JOB_NAME: '${pipeline}',
  JOB_BASE_NAME: '${pipeline}',
  BUILD_TAG: '${pipeline}-${number}',
  SVN_REVISION: '${revision}',
};
/** What Jenkins sets, as a variable of Slipway: these names cannot be set in a pipeline file, or only a step knows the value. */
export const SHELL_VALUES: Record<string, string> = {
  GIT_COMMIT: 'SLIPWAY_REVISION',
  GIT_BRANCH: 'SLIPWAY_BRANCH',
  GIT_LOCAL_BRANCH: 'SLIPWAY_BRANCH',
  WORKSPACE: 'SLIPWAY_WORKSPACE',
};
/** What Jenkins sets and Slipway does not. */
export const GONE = new Set(
  (
    'BUILD_URL JENKINS_URL JENKINS_HOME JOB_URL RUN_DISPLAY_URL NODE_NAME NODE_LABELS EXECUTOR_NUMBER GIT_URL SVN_URL ' +
    'CHANGE_ID CHANGE_TARGET CHANGE_BRANCH CHANGE_AUTHOR CHANGE_URL CHANGE_TITLE GIT_PREVIOUS_COMMIT ' +
    'GIT_PREVIOUS_SUCCESSFUL_COMMIT BUILD_CAUSE BUILD_USER BUILD_TIMESTAMP'
  ).split(' '),
);

/** The environment variable that `env.X`, `params.X` or `X` means to a command, or null where Groovy computes the value. */
export function variableOf(code: string, scope: Scope): string | null {
  const [, , name] = /^(env|params|environment)(?:\.|\[['"])(\w+)(?:['"]\])?$/.exec(code) ?? [];
  if (name !== undefined) return scope.parameters.get(name) ?? (code.startsWith('params') ? name.toUpperCase() : name);
  if (code === 'currentBuild.number') return 'BUILD_NUMBER';
  if (code === 'pwd()') return 'WORKSPACE';
  if (!/^\w+$/.test(code)) return null;
  if (scope.constants.has(code)) return usesConstant(code, scope) ? code : null;
  const parameter = scope.parameters.get(code);
  if (parameter !== undefined) return parameter;
  if (scope.computed.has(code)) return null;
  const known = scope.known.has(code) || Object.hasOwn(FILE_VALUES, code) || Object.hasOwn(SHELL_VALUES, code);
  return known || /^[A-Z][A-Z0-9_]+$/.test(code) ? code : null;
}

/** A constant that the shell would read otherwise than Groovy wrote it cannot travel as a variable. */
function usesConstant(name: string, scope: Scope): boolean {
  const fits = !/["'\\`$*?~\n]/.test(scope.constants.get(name) ?? '') && faultOfEnvName(name) === null;
  if (fits) scope.asEnv.add(name);
  return fits;
}

const partsOf = (value: Value | undefined): Part[] | null => {
  if (value?.kind === 'string') return value.parts;
  if (value?.kind === 'literal') return [value.value];
  if (value?.kind === 'code' || value?.kind === 'call') return [{ code: value.source }];
  return null;
};

/** A script for `sh`: what Groovy would fill in, the shell does. Null where Groovy would have to compute. */
export function toScript(value: Value | undefined, scope: Scope): string | null {
  let script = '';
  let quotes = '';
  for (const part of partsOf(value) ?? [{ code: '?' }]) {
    const name = typeof part === 'string' ? null : variableOf(part.code, scope);
    const text = typeof part === 'string' ? part : scope.constants.get(part.code);
    // Within '…' the shell fills in nothing, where Groovy did.
    if (name !== null) script += quotes === "'" ? `'"\${${name}}"'` : `\${${name}}`;
    else if (text === undefined) return null;
    else {
      script += text;
      quotes = openQuote(text, quotes);
    }
  }
  return script;
}

/** What quotes are open behind `text`, where `quote` was open before it. */
function openQuote(text: string, quote: string): string {
  let open = quote;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] as string;
    if (char === '\\' && open !== "'") at++;
    else if (open === '' && (char === "'" || char === '"')) open = char;
    else if (char === open) open = '';
  }
  return open;
}

/** One word for the shell. */
export function toWord(value: Value | undefined, scope: Scope): string | null {
  const parts = partsOf(value);
  if (!parts) return null;
  if (parts.every((part) => typeof part === 'string')) return quote(parts.join(''));
  let word = '';
  for (const part of parts) {
    const name = typeof part === 'string' ? null : variableOf(part.code, scope);
    const text = typeof part === 'string' ? part : scope.constants.get(part.code);
    if (name !== null) word += `\${${name}}`;
    else if (text === undefined) return null;
    else word += text.replace(/[\\"$`]/g, '\\$&');
  }
  return `"${word}"`;
}

export const quote = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** A text in which `${` stands for itself. */
export const escapeValue = (text: string): string => text.replaceAll('${', () => '$${');

/** A value of the pipeline file: `env`, a glob, a mail address. Null where only a step knows it. */
export function toFileValue(value: Value | undefined, scope: Scope): string | null {
  const parts = partsOf(value);
  if (!parts) return null;
  let text = '';
  for (const part of parts) {
    const filled = typeof part === 'string' ? escapeValue(part) : fileValueOf(part.code, scope);
    if (filled === null) return null;
    text += filled;
  }
  return text;
}

function fileValueOf(code: string, scope: Scope): string | null {
  const constant = scope.constants.get(code);
  if (constant !== undefined) return escapeValue(constant);
  const name = variableOf(code, scope);
  if (name === null) return null;
  const axis = scope.axes.get(name);
  if (axis !== undefined) return `\${matrix.${axis}}`;
  if (lookup(SHELL_VALUES, name) === 'SLIPWAY_REVISION') return '${revision}';
  if (lookup(SHELL_VALUES, name) === 'SLIPWAY_BRANCH') return '${branch}';
  return scope.plain.get(name) ?? lookup(FILE_VALUES, name) ?? null;
}

/** A text without names in it; null for anything else. */
export function toText(value: Value | undefined, scope?: Scope): string | null {
  const parts = partsOf(value);
  if (!parts) return null;
  const texts = parts.map((part) => (typeof part === 'string' ? part : scope?.constants.get(part.code)));
  return texts.includes(undefined) ? null : texts.join('');
}
