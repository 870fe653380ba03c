/** What stands in `steps { }`: commands are carried over, the rest is left as comments at its place. */

import { branchesOf, toShellCondition } from './conditions.ts';
import { argument, type Context, drop, durationOf, itemsOf, opening, textArgument } from './context.ts';
import { bindCredentials } from './credentials.ts';
import { isCommand, newStep } from './draft.ts';
import type { Call, Statement } from './groovy.ts';
import { lookup } from './lookup.ts';
import { keepMail } from './mail.ts';
import { isReport, keepGlobs } from './reports.ts';
import { toFileValue, toScript, toText, toWord } from './scope.ts';
import { addCommand } from './shell.ts';
import { SILENT, WHY } from './why.ts';

type Handler = (call: Call, context: Context) => void;

export function readCommands(statements: readonly Statement[], context: Context): void {
  for (const statement of statements) readCommand(statement, context);
}

function readCommand(statement: Statement, context: Context): void {
  if (statement.kind === 'call') readCall(statement, context);
  else if (statement.kind === 'if') readIf(statement, context);
  else if (statement.kind === 'try') {
    readCommands([...statement.body, ...statement.last.filter(isReport)], context);
    drop(context, statement.rest, 'what to do after a failure is not carried over: a failed command ends the step');
  } else if (statement.kind === 'assign' && toText(statement.value) !== null) {
    context.scope.constants.set(statement.name, toText(statement.value) ?? '');
  } else drop(context, statement, 'Groovy is not run: do it in a command');
}

function readCall(call: Call, context: Context): void {
  const handler = lookup(HANDLERS, call.name);
  if (SILENT.has(call.name)) {
    readCommands(call.block ?? [], context);
    return;
  }
  if (handler) {
    handler(call, context);
    return;
  }
  if (call.name.startsWith('docker.')) {
    readDocker(call, context);
    return;
  }
  const why = lookup(WHY, call.name) ?? 'there is no such step: do it in a command';
  // A wrapper that we do not know does not change what is in it.
  if (call.block && (/^(.*\.)?(with|use)[A-Z]/.test(call.name) || Object.hasOwn(WHY, call.name))) {
    drop(context, opening(call), why);
    readCommands(call.block, context);
    return;
  }
  drop(context, call, why);
}

const HANDLERS: Record<string, Handler> = {
  sh: (call, context) => {
    const script = toScript(argument(call, 'script'), context.scope);
    if (script === null || script.trim() === '')
      return drop(context, call, 'Groovy fills in what it computes: write the command with variables of the shell');
    const mayFail = toText(call.named.get('returnStatus')) === 'true';
    addCommand(context, mayFail && !script.includes('\n') ? `${script.trim()} || true` : script);
  },
  echo: say,
  print: say,
  println: say,
  bat: (call, context) => windows(call, context),
  powershell: (call, context) => windows(call, context),
  pwsh: (call, context) => windows(call, context),
  error: (call, context) => {
    const word = toWord(argument(call, 'message'), context.scope);
    if (word === null) return drop(context, call, 'end the step with: exit 1');
    addCommand(context, `echo ${word} >&2; exit 1`);
  },
  sleep: (call, context) => {
    const unit = call.named.get('unit') ?? { kind: 'string', parts: ['SECONDS'] };
    const time = durationOf({ ...call, named: new Map([...call.named, ['unit', unit]]) });
    if (time === null) drop(context, call, 'use sleep of the shell');
    else addCommand(context, `sleep ${time}`);
  },
  dir: (call, context) => {
    const folder = toWord(argument(call, 'path'), context.scope);
    if (folder === null || !call.block) return drop(context, call, 'use cd in a command');
    readCommands(call.block, { ...context, before: [...context.before, `cd ${folder}`] });
  },
  ws: (call, context) => {
    drop(context, opening(call), 'every build has a workspace of its own');
    readCommands(call.block ?? [], context);
  },
  withEnv: (call, context) => {
    const lines: string[] = [];
    for (const item of itemsOf(argument(call, 'overrides'))) {
      const word = toWord(item, context.scope);
      const [, name, rest] = /^(["']?)?([A-Za-z_]\w*)=/.exec(word ?? '') ? splitAssignment(word as string) : [];
      if (name === undefined) drop(context, call, 'set it with export in a command');
      else {
        lines.push(`export ${name}=${rest}`);
        context.scope.known.add(name);
      }
    }
    readCommands(call.block ?? [], { ...context, before: [...context.before, ...lines] });
  },
  withCredentials: (call, context) => {
    const inside = { ...context, before: [...context.before] };
    bindCredentials(call, inside);
    readCommands(call.block ?? [], inside);
  },
  timeout: (call, context) => {
    const duration = durationOf(call);
    if (duration === null || context.step.timeout !== null)
      drop(context, opening(call), 'a step has one timeout: use the command timeout');
    else context.step.timeout = duration;
    readCommands(call.block ?? [], context);
  },
  retry: (call, context) => {
    const times = Number(textArgument(call, 'count') ?? Number.NaN);
    if (!(times > 1) || context.step.retry > 0) drop(context, opening(call), 'use a loop in a command');
    else context.step.retry = Math.min(10, times - 1);
    readCommands(call.block ?? [], context);
  },
  catchError: (call, context) => tolerant(call, context),
  warnError: (call, context) => tolerant(call, context),
  container: (call, context) => {
    const name = textArgument(call, 'name') ?? '';
    const image = context.containers.get(name) ?? null;
    if (image === null)
      drop(context, opening(call), `which image the container ${name} has is not said here: write it as "image"`);
    readCommands(call.block ?? [], { ...context, image: image ?? context.image });
  },
  withDockerContainer: (call, context) => {
    readCommands(call.block ?? [], { ...context, image: textArgument(call, 'image') ?? context.image });
  },
  nodejs: (call, context) => {
    context.step.tools.set('nodejs', textArgument(call, 'nodeJSInstallationName') ?? '');
    readCommands(call.block ?? [], context);
  },
  withMaven: (call, context) => {
    for (const tool of ['maven', 'jdk']) {
      const name = toText(call.named.get(tool));
      if (name !== null) context.step.tools.set(tool, name);
    }
    readCommands(call.block ?? [], context);
  },
  junit: (call, context) => keepGlobs(call, context, 'testResults', context.step.junit),
  archiveArtifacts: (call, context) => keepGlobs(call, context, 'artifacts', context.step.artifacts),
  archive: (call, context) => keepGlobs(call, context, 'includes', context.step.artifacts),
  step: (call, context) => readBuildStep(call, context),
  checkout: (call, context) => {
    const what = call.args[0];
    if (what?.kind === 'code' && what.source === 'scm') return;
    drop(context, call, 'the source is set on the pipeline; further ones are "sources" of this file');
  },
  mail: (call, context) => mailOf(call, context),
  emailext: (call, context) => mailOf(call, context),
  input: (call, context) => {
    drop(context, call, 'approvals belong to an environment (its gates); the step waits for a build started by hand');
    if (context.step.when.trigger.length === 0) context.step.when.trigger.push('manual');
  },
};

function say(call: Call, context: Context): void {
  const word = toWord(argument(call, 'message'), context.scope);
  if (word === null) drop(context, call, 'Groovy fills in what it computes: echo it in a command');
  else addCommand(context, `echo ${word}`);
}

function mailOf(call: Call, context: Context): void {
  if (!keepMail(call, context, ['failed', 'fixed'])) drop(context, call, 'mail is sent on failures: see "notify"');
}

/** `"A=x ${B}"` → `A` and `"x ${B}"`. */
function splitAssignment(word: string): [string, string, string] {
  const [, open = '', name = '', rest = ''] = /^(["']?)([A-Za-z_]\w*)=([\s\S]*)$/.exec(word) ?? [];
  return [word, name, rest === open ? "''" : `${open}${rest}`];
}

function tolerant(call: Call, context: Context): void {
  context.step.allowFailure = true;
  readCommands(call.block ?? [], context);
}

/** Of commands for Windows, those that are the same everywhere can be kept. */
function windows(call: Call, context: Context): void {
  const script = toScript(argument(call, 'script'), context.scope)?.trim() ?? '';
  const portable = /^(mvn|gradle|npm|npx|node|yarn|go|dotnet|docker|python|cargo)( [\w@:=./"-]+)+$/.test(script);
  if (!portable) {
    drop(context, call, 'steps run in Linux containers: write it for sh');
    return;
  }
  addCommand(context, script);
}

/** `step([$class: 'JUnitResultArchiver', testResults: '…'])`, the way of old. */
function readBuildStep(call: Call, context: Context): void {
  const map = call.args[0]?.kind === 'map' ? call.args[0].entries : call.named;
  const named = new Map(map);
  const type = toText(named.get('$class')) ?? '';
  const as = lookup({ JUnitResultArchiver: 'junit', ArtifactArchiver: 'archiveArtifacts', Mailer: 'mail' }, type);
  if (as === undefined) {
    drop(context, call, 'there is no such step: do it in a command');
    return;
  }
  if (as === 'mail') named.set('to', named.get('recipients') ?? { kind: 'string', parts: [''] });
  readCall({ ...call, name: as, args: [], named }, context);
}

function readDocker(call: Call, context: Context): void {
  const { next } = call;
  const inside = call.name === 'docker.image' && next?.name === 'inside' && next.block;
  const image = toFileValue(call.args[0], context.scope);
  if (inside && image !== null) {
    readCommands(next?.block ?? [], { ...context, image });
    return;
  }
  if (call.block) {
    drop(context, opening(call), 'image steps ("build:") push to the registry of the project by themselves');
    readCommands(call.block, context);
    return;
  }
  drop(context, call, 'an image step fits: build: {image: NAME, context: .}; it pushes, too');
}

type If = Extract<Statement, { kind: 'if' }>;

function readIf(statement: If, context: Context): void {
  const { condition } = statement;
  if (condition === 'isUnix()') {
    readCommands(statement.yes, context);
    return;
  }
  if (condition === '!isUnix()') {
    readCommands(statement.no, context);
    return;
  }
  const booleans = booleansOf(context);
  const test = toShellCondition(condition, context.scope, booleans);
  const [yes, no] = [sideOf(statement.yes, context), sideOf(statement.no, context)];
  if (test === null || yes === null || no === null || yes === '') {
    const branches = branchesOf(condition);
    const hint = branches ? `make it a step with "when: {branch: [${branches.join(', ')}]}"` : 'write it in the shell';
    drop(context, statement, `Groovy is not run: ${hint}`);
    return;
  }
  const other = no === '' ? '' : `\nelse\n${indent(no)}`;
  addCommand(context, `if ${test}; then\n${indent(yes)}${other}\nfi`);
}

/** A side of an `if` that is commands and nothing else, as a script. */
function sideOf(statements: readonly Statement[], context: Context): string | null {
  const step = newStep('', null);
  const mail = { to: new Set<string>(), on: new Set<string>() };
  readCommands(statements, { ...context, draft: { ...context.draft, mail }, step, before: [] });
  const scripts = step.items.filter(isCommand);
  const more = mail.to.size + step.secrets.size + step.junit.size + step.artifacts.size + step.when.trigger.length;
  const plain = scripts.length === step.items.length && more === 0 && step.timeout === null && !step.allowFailure;
  // The text between here-document marks cannot be moved to the right.
  const fits = scripts.every(({ image, script }) => image === context.image && !script.includes('<<'));
  return plain && fits ? scripts.map(({ script }) => script).join('\n') : null;
}

const indent = (text: string): string => text.replace(/^(?=.)/gm, '  ');

export const booleansOf = ({ draft }: Pick<Context, 'draft'>): Set<string> =>
  new Set([...draft.parameters].filter(([, { type }]) => type === 'boolean').map(([name]) => name.toUpperCase()));
