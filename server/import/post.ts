/** `post { }`: reports, artifacts and mail are kept; what runs after a success goes on as commands. */

import { readCommands } from './commands.ts';
import { type Context, drop, textArgument } from './context.ts';
import { isCommand, newStep, type Step } from './draft.ts';
import type { Call, Statement } from './groovy.ts';
import { lookup } from './lookup.ts';
import { keepMail } from './mail.ts';
import { classOf, isReport } from './reports.ts';
import { quote } from './scope.ts';
import { SILENT, WHY } from './why.ts';

const OCCASIONS: Record<string, string[]> = {
  failure: ['failed'],
  unsuccessful: ['failed'],
  unstable: ['failed'],
  regression: ['failed'],
  fixed: ['fixed'],
  changed: ['failed', 'fixed'],
  success: ['passed'],
  always: ['failed', 'fixed', 'passed'],
  cleanup: ['failed', 'fixed', 'passed'],
};
const AFTER: Record<string, string> = {
  always: 'nothing runs after a step that has failed: use trap of the shell',
  cleanup: 'nothing runs after a step that has failed: use trap of the shell',
};

/** `end` is for what has to run when all has passed. */
export function readPost(post: Call, context: Context, end: Context): void {
  for (const condition of post.block ?? []) {
    if (condition.kind !== 'call' || !Object.hasOwn(OCCASIONS, condition.name)) {
      drop(context, condition, 'Groovy is not run');
      continue;
    }
    for (const statement of plain(condition.block ?? [])) readAfter(statement, condition.name, context, end);
  }
}

/** Without the wrappers that mean nothing here. */
const plain = (statements: readonly Statement[]): Statement[] =>
  statements.flatMap((each) =>
    each.kind === 'call' && each.block && SILENT.has(each.name) ? plain(each.block) : [each],
  );

function readAfter(statement: Statement, occasion: string, context: Context, end: Context): void {
  const name = statement.kind === 'call' ? statement.name : '';
  if (isReport(statement)) {
    readCommands([statement], context);
    return;
  }
  if (statement.kind === 'call' && isMail(statement)) {
    if (keepMail(mailOf(statement), context, lookup(OCCASIONS, occasion) ?? [])) return;
    const provided = statement.named.has('recipientProviders') && !statement.named.has('to');
    const why = provided ? 'see "notify": it also tells the people whose commits are in the build' : 'see "notify"';
    drop(context, statement, why);
    return;
  }
  if (statement.kind === 'if' && mailsIn([statement]).length > 0) {
    const on = statement.condition.includes('previousBuild') ? ['fixed'] : (lookup(OCCASIONS, occasion) ?? []);
    for (const mail of mailsIn([statement])) keepMail(mailOf(mail), context, on);
    drop(context, statement, 'see "notify": the condition is not carried over');
    return;
  }
  if (occasion === 'success' && !Object.hasOwn(WHY, name)) {
    readCommands([statement], end);
    return;
  }
  if (context === end && Object.hasOwn(AFTER, occasion) && trapped(statement, context)) return;
  drop(
    context,
    statement,
    lookup(WHY, name) ?? lookup(AFTER, occasion) ?? `nothing runs after ${occasion}; "notify" sends mail`,
  );
}

function mailsIn(statements: readonly Statement[]): Call[] {
  return statements.flatMap((each) => {
    if (each.kind === 'if') return mailsIn([...each.yes, ...each.no]);
    if (each.kind !== 'call') return [];
    return isMail(each) ? [each] : mailsIn(each.block ?? []);
  });
}

const isMail = (call: Call): boolean =>
  call.name === 'mail' || call.name === 'emailext' || (call.name === 'step' && classOf(call) === 'Mailer');

/** `step([$class: 'Mailer', recipients: '…'])` as `mail to: '…'`. */
function mailOf(call: Call): Call {
  if (call.name !== 'step' || call.args[0]?.kind !== 'map') return call;
  const recipients = call.args[0].entries.get('recipients');
  return { ...call, args: [], named: new Map(recipients ? [['to', recipients]] : []) };
}

/** What always runs at the end of a stage, where it is a plain command. */
function trapped(statement: Statement, context: Context): boolean {
  const scratch = newStep('', null);
  if (statement.kind !== 'call' || !['sh', 'echo'].includes(statement.name)) return false;
  readCommands([statement], { ...context, step: scratch });
  const [item] = scratch.items;
  if (!item || !isCommand(item) || item.script.includes('\n') || hasTrap(context.step)) return false;
  context.step.items.unshift({ kind: 'command', script: `trap ${quote(item.script)} EXIT`, image: null });
  return true;
}

const hasTrap = (step: Step): boolean => step.items.some((item) => isCommand(item) && item.script.startsWith('trap '));

export const titleOf = (call: Call, context: Pick<Context, 'scope'>): string =>
  textArgument(call, 'name', context.scope) ?? call.source.slice(0, 80).replace(/^stage\W+|\W+\{[\s\S]*$/g, '');
