/** `when { }`: as `when:` of the step where that can say it, else as a test before the commands. */

import { booleansOf } from './commands.ts';
import { branchesOf, toShellCondition } from './conditions.ts';
import { type Context, callsOf, textArgument } from './context.ts';
import type { Call, Statement } from './groovy.ts';
import { lookup } from './lookup.ts';
import { noteOf, quote, toText } from './scope.ts';

const TRIGGERS: Record<string, string> = {
  TimerTrigger: 'schedule',
  TimerTriggerCause: 'schedule',
  SCMTrigger: 'poll',
  SCMTriggerCause: 'poll',
  UserIdCause: 'manual',
  UpstreamCause: 'upstream',
};
/** They say when it is looked, not what for. */
const ORDER = new Set(['beforeAgent', 'beforeInput', 'beforeOptions']);

/** What one condition asks of the branch, the changed paths and the trigger. `never` can be left out of "any of". */
interface Asked {
  branch?: string[];
  paths?: string[];
  trigger?: string[];
}

/** A step whose condition is lost must not run by itself: it may be a deployment. */
export function applyWhen(block: Call, context: Context): void {
  for (const condition of block.block ?? []) {
    if (condition.kind === 'call' && ORDER.has(condition.name)) continue;
    if (!applyCondition(condition, context)) {
      const { step, scope } = context;
      const why =
        'this condition is not carried over: until there is another, only builds started by hand run the step';
      step.above.push(noteOf(scope, condition, why));
      if (step.when.trigger.length === 0) step.when.trigger.push('manual');
    }
  }
}

function applyCondition(condition: Statement, context: Context): boolean {
  if (condition.kind === 'call' && condition.name === 'allOf') {
    return (condition.block ?? []).every((each) => applyCondition(each, context));
  }
  const asked = askedOf(condition, context);
  if (asked && add(asked, context)) return true;
  const test = testOf(condition, context);
  if (test === null) return false;
  const line = condition.line + context.scope.firstLine - 1;
  const script = `${test} || exit 0 # ${context.draft.origin}:${line}: when`;
  context.step.items.push({ kind: 'command', script, image: context.image });
  return true;
}

/** Two conditions of a kind would have to hold at once, which a list cannot say. */
function add(asked: Asked, { step }: Context): boolean {
  const keys = ['branch', 'paths', 'trigger'] as const;
  if (keys.some((key) => asked[key] && step.when[key].length > 0)) return false;
  for (const key of keys) step.when[key].push(...(asked[key] ?? []));
  return true;
}

function askedOf(condition: Statement, context: Context): Asked | null {
  if (condition.kind !== 'call') return null;
  const text = textArgument(condition, 'pattern', context.scope) ?? '';
  const comparator = toText(condition.named.get('comparator')) ?? 'GLOB';
  if (comparator === 'REGEXP') return null;
  switch (condition.name) {
    case 'branch':
      return text === '' ? null : { branch: [text] };
    case 'tag':
      return text === '' ? null : { branch: [`refs/tags/${text}`] };
    case 'buildingTag':
      return { branch: ['refs/tags/**'] };
    case 'changeRequest':
      return condition.named.size > 0 ? null : { branch: ['refs/pull/**', 'refs/merge-requests/**'] };
    case 'changeset':
      return text === '' ? null : { paths: [text] };
    case 'triggeredBy': {
      const trigger = lookup(TRIGGERS, text.split('$').at(-1) ?? '');
      return trigger === undefined || trigger === 'upstream' ? null : { trigger: [trigger] };
    }
    case 'expression': {
      const branch = branchesOf(bodyOf(condition));
      return branch && { branch };
    }
    case 'anyOf':
      return anyOf(condition, context);
    case 'not':
      return not(condition, context);
    default:
      return null;
  }
}

function anyOf(condition: Call, context: Context): Asked | null {
  const all = (condition.block ?? []).map((each) => askedOf(each, context));
  const kinds = new Set(all.flatMap((asked) => Object.keys(asked ?? { none: [] })));
  // A list of either only where all of them ask the same thing.
  if (kinds.size !== 1 || all.includes(null)) return null;
  return {
    ...(kinds.has('branch') && { branch: all.flatMap((asked) => asked?.branch ?? []) }),
    ...(kinds.has('paths') && { paths: all.flatMap((asked) => asked?.paths ?? []) }),
    ...(kinds.has('trigger') && { trigger: all.flatMap((asked) => asked?.trigger ?? []) }),
  };
}

function not(condition: Call, context: Context): Asked | null {
  const [inner, more] = condition.block ?? [];
  if (inner?.kind !== 'call' || more) return null;
  // No build is ever caused by another pipeline.
  if (inner.name === 'triggeredBy' && lookup(TRIGGERS, textArgument(inner, 'pattern') ?? '') === 'upstream') return {};
  if (inner.name === 'buildingTag' || inner.name === 'changeRequest') return { branch: ['**'] };
  const branch = askedOf(inner, context)?.branch;
  return branch && !branch.some((each) => each.startsWith('!')) ? { branch: branch.map((each) => `!${each}`) } : null;
}

/** What stands between the braces. */
const bodyOf = (call: Call): string =>
  call.source.slice(call.source.indexOf('{') + 1, call.source.lastIndexOf('}')).trim();

function testOf(condition: Statement, context: Context): string | null {
  if (condition.kind !== 'call') return null;
  const inner = (mark: string): string | null => {
    const tests = (condition.block ?? []).map((each) => testOf(each, context));
    if (tests.length === 0 || tests.includes(null)) return null;
    return tests.length === 1 ? (tests[0] ?? null) : `{ ${tests.join(` ${mark} `)}; }`;
  };
  switch (condition.name) {
    case 'anyOf':
      return inner('||');
    case 'allOf':
      return inner('&&');
    case 'not': {
      const test = inner('&&');
      return test && `! ${test}`;
    }
    case 'expression':
      return toShellCondition(bodyOf(condition), context.scope, booleansOf(context));
    case 'environment': {
      const name = textArgument(condition, 'name') ?? '';
      const value = toText(condition.named.get('value'));
      return value === null || !/^\w+$/.test(name) ? null : `[ "\${${name}:-}" = ${quote(value)} ]`;
    }
    case 'branch': {
      const branch = textArgument(condition, 'pattern') ?? '*';
      return /[*?[]/.test(branch) ? null : `[ "$SLIPWAY_BRANCH" = ${quote(branch)} ]`;
    }
    case 'triggeredBy': {
      const trigger = lookup(TRIGGERS, textArgument(condition, 'cause') ?? '');
      return trigger === undefined ? null : `[ "$SLIPWAY_TRIGGER" = ${trigger} ]`;
    }
    default:
      return null;
  }
}

export const whensOf = (block: readonly Statement[]): Call[] => callsOf(block, 'when');
