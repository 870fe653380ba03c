/** Credentials of Jenkins become secrets that a step names. The values have to be given to Slipway anew. */
import { faultOfSecretName } from '../../pipelines/values.ts';
import { type Context, drop, itemsOf } from './context.ts';
import type { Call, Value } from './groovy.ts';
import { noteOf, type Scope, toText } from './scope.ts';

/** `withCredentials([string(credentialsId: 'x', variable: 'TOKEN')])`: adds the variables to the secrets of the step. */
export function bindCredentials(call: Call, context: Context): void {
  for (const binding of itemsOf(call.args[0] ?? call.named.get('bindings'))) {
    const named = entriesOf(binding);
    const id = toText(named.get('credentialsId')) ?? 'that Jenkins knows';
    const names = [...named]
      .filter(([key]) => /variable$/i.test(key))
      .map(([, value]) => toText(value))
      .filter((name): name is string => name !== null);
    if (names.length === 0) {
      drop(context, call, 'give the step its secrets by name: secrets: [NAME]');
      continue;
    }
    const isFile = binding.kind === 'call' && /file|sshUserPrivateKey|certificate/i.test(binding.name);
    for (const name of names) addSecret(name, context);
    const what = isFile ? 'In Jenkins it was the path of a file: here it is what was in the file. ' : '';
    context.step.above.push(
      noteOf(
        context.scope,
        { line: call.line, source: `credentials ${id}` },
        `${what}${define(names.map(secretName))}`,
      ),
    );
  }
}

const entriesOf = (binding: Value): Map<string, Value> =>
  binding.kind === 'call' ? binding.named : binding.kind === 'map' ? binding.entries : new Map();

export const define = (names: readonly string[]): string =>
  `set ${names.length > 1 ? 'the secrets' : 'the secret'} ${names.join(', ')} of the project: PUT /api/v1/projects/PROJECT/secrets/${names[0]}`;

/** Secrets have names in upper case. */
export const secretName = (name: string): string => {
  const upper = name.toUpperCase().replace(/\W/g, '_');
  return faultOfSecretName(upper) === null ? upper : `JENKINS_${upper}`.slice(0, 128);
};

function addSecret(name: string, { step, scope, before }: Context): void {
  step.secrets.add(secretName(name));
  scope.known.add(name);
  if (secretName(name) !== name) before.push(`export ${name}="$${secretName(name)}"`);
}

/** The variables that `environment { NAME = credentials('id') }` sets. */
export const variablesOf = (name: string): string[] => [name, `${name}_USR`, `${name}_PSW`];

/** Declares the variables of a credential, so that commands may name them. */
export const knowCredential = (name: string, scope: Scope): void => {
  for (const variable of variablesOf(name)) scope.known.add(variable);
};
