/** `environment { }` and constants. */
import { faultOfEnvName } from '../../pipelines/values.ts';
import { textArgument } from './context.ts';
import { knowCredential } from './credentials.ts';
import type { Draft, Step } from './draft.ts';
import type { Statement } from './groovy.ts';
import type { Note } from './notes.ts';
import { noteOf, type Scope, toFileValue, toText, toWord } from './scope.ts';

interface Target {
  env: Map<string, string>;
  notes: Note[];
  /** Null for the whole job. */
  step: Step | null;
}

export function readEnvironment(statements: readonly Statement[], draft: Draft, scope: Scope, target: Target): void {
  for (const statement of statements) {
    const note = (why: string) => target.notes.push(noteOf(scope, statement, why));
    if (statement.kind !== 'assign') {
      note('Groovy is not run');
      continue;
    }
    const { name, value } = statement;
    if (value.kind === 'call' && value.name === 'credentials') {
      const id = textArgument(value, 'id', scope) ?? value.source;
      knowCredential(name, scope);
      const line = statement.line + scope.firstLine - 1;
      draft.credentials.push({ name, text: `${name} = credentials('${id}')`, line, step: target.step });
      continue;
    }
    const text = toFileValue(value, scope);
    const word = toWord(value, scope);
    if (text !== null && faultOfEnvName(name) === null && name !== 'PATH') {
      target.env.set(name, text);
      scope.plain.set(name, text);
      scope.known.add(name);
    } else if (word !== null && value.kind !== 'call') {
      note(`only a step knows this value: where it is needed, begin with: export ${name}=${word}`);
      scope.known.add(name);
    } else {
      note('Groovy is not run: set it in the commands that need it');
      scope.computed.add(name);
    }
  }
}

/** Texts that a name is given for good; anything else that a name is given is for Groovy to know. */
export function readConstant(statement: Statement, scope: Scope): boolean {
  if (statement.kind !== 'assign') return false;
  const text = toText(statement.value, scope);
  if (text === null || text === 'null') {
    scope.computed.add(statement.name);
    return false;
  }
  scope.constants.set(statement.name, text);
  return true;
}
