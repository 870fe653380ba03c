/** What a job says of itself: triggers, options and parameters, in a Jenkinsfile or in a `properties([…])` of one. */

import { faultOfParameterName } from '../../pipelines/values.ts';
import { durationOf, itemsOf, textArgument } from './context.ts';
import { secretName } from './credentials.ts';
import { readCron } from './cron.ts';
import type { Draft, Parameter, Section } from './draft.ts';
import type { Call, Place, Statement, Value } from './groovy.ts';
import { lookup } from './lookup.ts';
import { noteOf, type Scope, toText } from './scope.ts';
import { SILENT } from './why.ts';

interface Job {
  draft: Draft;
  scope: Scope;
}

const drop = ({ draft, scope }: Job, section: Section, place: Place, why: string): void => {
  draft.notes[section].push(noteOf(scope, place, why));
};

export function readTriggers(statements: readonly (Statement | Value)[], job: Job): void {
  for (const trigger of statements) {
    if (trigger.kind !== 'call') continue;
    const spec = textArgument(trigger, 'spec', job.scope) ?? textArgument(trigger, 'scmpoll_spec', job.scope);
    if (trigger.name === 'cron' && spec !== null) setSchedule(spec, trigger, job);
    else if (trigger.name === 'pollSCM' && spec !== null) setPoll(spec, trigger, job);
    else if (/push/i.test(trigger.name)) job.draft.push = true;
    else if (trigger.name === 'upstream')
      drop(job, 'on', trigger, 'a pipeline is not started by another one: give it that source, or a schedule');
    else drop(job, 'on', trigger, 'there is no such trigger');
  }
}

const commentOf = (original: string, cron: string): string => (original === cron ? '' : `${original} in Jenkins`);

export function setSchedule(text: string, place: Place, job: Job): void {
  const { cron, original, timezone, rest } = readCron(text, job.draft.seed);
  if (cron !== null && job.draft.schedule === null) {
    job.draft.schedule = { cron, comment: commentOf(original, cron), timezone };
    for (const line of rest) drop(job, 'on', { ...place, source: line }, 'there is one schedule for a pipeline');
  } else if (original !== '') drop(job, 'on', place, cron === null ? 'not a time we know' : 'there is one schedule');
}

export function setPoll(text: string, place: Place, job: Job): void {
  const { cron, original, rest } = readCron(text, job.draft.seed);
  // Without a time, Jenkins only waits for hooks.
  if (original === '') job.draft.push = true;
  else if (cron !== null && job.draft.poll === null) {
    job.draft.poll = { cron, comment: commentOf(original, cron) };
    for (const line of rest) drop(job, 'on', { ...place, source: line }, 'there is one time to poll for a pipeline');
  } else drop(job, 'on', place, cron === null ? 'not a time we know' : 'there is one time to poll');
}

/** What Slipway does without being told. */
const ALREADY = new Set('skipDefaultCheckout skipStagesAfterUnstable preserveStashes durabilityHint'.split(' '));
const OPTIONS: Record<string, string> = {
  buildDiscarder: 'how long builds are kept is not said in a pipeline file',
  retry: 'retry belongs to a step: "retry: 1" starts it again once',
  parallelsAlwaysFailFast: 'steps that have begun run to their end',
  quietPeriod: 'see "quiet"',
  checkoutToSubdirectory: 'the source is checked out into the workspace; further "sources" take a path',
};

/** `options { }` of the whole job. */
export function readOptions(statements: readonly (Statement | Value)[], job: Job): void {
  for (const option of statements) {
    if (option.kind !== 'call') {
      if ('line' in option) drop(job, 'top', option, 'Groovy is not run');
      continue;
    }
    const { name } = option;
    const duration = name === 'timeout' ? durationOf(option) : null;
    if (SILENT.has(name) || ALREADY.has(name)) continue;
    if (duration !== null) job.draft.timeout = duration;
    else if (name === 'pipelineTriggers') readTriggers(itemsOf(option.args[0]), job);
    else if (name === 'parameters') readParameters(itemsOf(option.args[0]), job);
    else if (name === 'disableConcurrentBuilds') concurrent(option, job);
    else drop(job, 'top', option, lookup(OPTIONS, name) ?? 'there is no such option');
  }
}

/** `properties([…])`, outside of a declarative pipeline. */
export function readProperties(call: Call, job: Job): void {
  const items = itemsOf(call.args[0]);
  readOptions(items, job);
  if (items.some(({ kind }) => kind !== 'call')) drop(job, 'top', call, 'settings of a job are keys of this file');
}

function concurrent(option: Call, job: Job): void {
  if (toText(option.named.get('abortPrevious')) === 'true') job.draft.supersede = true;
  drop(job, 'top', option, 'not said in a pipeline file: every build has a workspace of its own');
}

export function readParameters(statements: readonly (Statement | Value)[], job: Job): void {
  for (const parameter of statements) {
    if (parameter.kind === 'call') readParameter(parameter, job);
    else if ('line' in parameter) drop(job, 'parameters', parameter, 'Groovy is not run');
  }
}

const TYPES: Record<string, Parameter['type']> = {
  string: 'string',
  text: 'string',
  booleanParam: 'boolean',
  choice: 'choice',
};

function readParameter(call: Call, job: Job): void {
  const named = { ...call, args: [] };
  const text = (key: string) => textArgument(named, key, job.scope);
  const name = text('name') ?? '';
  const type = lookup(TYPES, call.name);
  if (/^(password|credentials)/.test(call.name) || looksSecret(name, text('defaultValue') ?? '')) {
    addSecretParameter(name, call.line + job.scope.firstLine - 1, job);
    return;
  }
  if (type === undefined) {
    drop(job, 'parameters', call, 'there is no such kind of parameter');
    return;
  }
  const choices = call.named.get('choices');
  const options = choices?.kind === 'list' ? choices.items.map((each) => toText(each)) : text('choices')?.split('\n');
  const kept = (options ?? []).filter((each): each is string => each !== null && each !== '');
  const fallback = type === 'choice' ? (kept[0] ?? '') : type === 'boolean' ? 'false' : '';
  const given = type === 'choice' ? null : text('defaultValue');
  const made = { type, options: kept, default: given ?? fallback, description: text('description') ?? '' };
  if (!addParameter(name, made, job))
    drop(job, 'parameters', call, 'not possible under this name or with these values');
}

/** What is given as a parameter can be read by everybody; and so could its default, in the repository. */
export const looksSecret = (name: string, value: string): boolean =>
  value !== '' && /passw|token|secret|api_?key|private_?key/i.test(name);

export function addSecretParameter(name: string, line: number, { draft, scope }: Job): void {
  if (scope.parameters.has(name)) return;
  scope.parameters.set(name, secretName(name));
  draft.credentials.push({ name, text: `the parameter ${name}`, line, step: null });
}

/** False where a pipeline file cannot have it. A name that is not possible, such as GIT_URL, gets another one. */
export function addParameter(given: string, parameter: Parameter, { draft, scope }: Job): boolean {
  // A job whose file declares parameters keeps a copy of them.
  if (scope.parameters.has(given)) return true;
  const name = faultOfParameterName(given) === null ? given : `jenkins_${given.replace(/\W/g, '_')}`;
  const taken = [...draft.parameters.keys()].some((each) => each.toUpperCase() === name.toUpperCase());
  if (given === '' || taken || faultOfParameterName(name) !== null) return false;
  if (parameter.type === 'choice' && parameter.options.length === 0) return false;
  if (parameter.type === 'boolean' && !['true', 'false'].includes(parameter.default)) return false;
  draft.parameters.set(name, parameter);
  scope.parameters.set(given, name.toUpperCase());
  return true;
}
