/** What the steps of a stage are read with, and the few verbs that all of it uses. */

import type { Draft, Step } from './draft.ts';
import type { Call, Place, Statement, Value } from './groovy.ts';
import { lookup } from './lookup.ts';
import { noteOf, type Scope, toText } from './scope.ts';

export interface Context {
  draft: Draft;
  scope: Scope;
  step: Step;
  /** Lines that each command needs before it, such as `cd web`. */
  before: string[];
  /** The image of `container('x')` or `docker.image('x').inside`. */
  image: string | null;
  /** Container → image, of a Kubernetes agent. */
  containers: ReadonlyMap<string, string>;
}

/** Leaves a comment where the statement stood. */
export const drop = (context: Context, place: Place, why: string): void => {
  context.step.items.push({ kind: 'note', note: noteOf(context.scope, place, why) });
};

/** The opening line of a block whose content is carried over. */
export const opening = (statement: Place): Place => ({
  line: statement.line,
  source: (statement.source.split('\n')[0] ?? '').trim(),
});

/** `name` by name, or where it is the only value that is not named. */
export const argument = (call: Call, name: string): Value | undefined => call.named.get(name) ?? call.args[0];

export const textArgument = (call: Call, name: string, scope?: Scope): string | null =>
  toText(argument(call, name), scope);

/** Statements that are calls of this name, in a block. */
export const callsOf = (statements: readonly Statement[] | null, name: string): Call[] =>
  (statements ?? []).filter((each): each is Call => each.kind === 'call' && each.name === name);

export const itemsOf = (value: Value | undefined): Value[] =>
  value === undefined ? [] : value.kind === 'list' ? value.items : [value];

const UNITS: Record<string, number> = {
  MILLISECONDS: 0.001,
  SECONDS: 1,
  MINUTES: 60,
  HOURS: 3600,
  DAYS: 86_400,
};

/** `timeout(time: 30, unit: 'MINUTES')` → `30m`; at most the 24 hours that Slipway knows. */
export function durationOf(call: Call): string | null {
  const unit = lookup(UNITS, textArgument({ ...call, args: [] }, 'unit') ?? 'MINUTES');
  const time = Number(textArgument(call, 'time') ?? Number.NaN);
  if (unit === undefined || !Number.isFinite(time) || call.named.has('activity')) return null;
  const seconds = Math.min(86_400, Math.max(1, Math.round(time * unit)));
  if (seconds % 3600 === 0) return `${seconds / 3600}h`;
  return seconds % 60 === 0 ? `${seconds / 60}m` : `${seconds}s`;
}
