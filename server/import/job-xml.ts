/** A job's `config.xml` as a draft: freestyle, Maven and pipeline jobs. */

import { invalid } from '../../pipelines/errors.ts';
import { newDraft, newStep, type Parameter } from './draft.ts';
import { readJenkinsfile } from './jenkinsfile.ts';
import { mavenCommand, noteOf, readBuilders } from './job-builders.ts';
import { readPublishers, readWrappers } from './job-publishers.ts';
import { readScm } from './job-scm.ts';
import { lookup } from './lookup.ts';
import type { Imported } from './notes.ts';
import { newScope } from './scope.ts';
import { addParameter, addSecretParameter, looksSecret, setPoll, setSchedule } from './settings.ts';
import type { Job } from './stages.ts';
import { written } from './written.ts';
import { at, child, descendants, type Element, parseXml, textAt } from './xml.ts';

const KINDS: Record<string, (root: Element, job: Job) => void> = {
  project: readFreestyle,
  'maven2-moduleset': readMaven,
  'flow-definition': readFlow,
};

/** Throws `invalid` or `too_large` where it is no job that we know. */
export function importJobXml(text: string): Imported {
  const root = parseXml(text);
  const read = lookup(KINDS, root.name);
  if (!read) {
    const hint = /multibranch|OrganizationFolder/i.test(root.name) ? ': import its Jenkinsfile instead' : '';
    throw invalid(
      `a job of the kind ${root.name} cannot be imported${hint}; known are ${Object.keys(KINDS).join(', ')}`,
    );
  }
  const job: Job = { draft: newDraft('config.xml', text), scope: newScope() };
  const description = textAt(root, 'description');
  if (description !== '') job.draft.head.push(...description.split('\n'));
  if (textAt(root, 'disabled') === 'true')
    job.draft.notes.top.push({
      line: child(root, 'disabled')?.line ?? null,
      text: 'disabled',
      why: 'the job was disabled',
    });
  read(root, job);
  return written(job);
}

function readFreestyle(root: Element, job: Job): void {
  readScm(child(root, 'scm'), job.draft);
  readSettings(root, job);
  readBuilders(child(root, 'builders'), job, around(root, job));
  readPublishers(child(root, 'publishers'), job);
}

function readMaven(root: Element, job: Job): void {
  readScm(child(root, 'scm'), job.draft);
  readSettings(root, job);
  const tools = around(root, job);
  readBuilders(child(root, 'prebuilders'), job, tools);
  const step = newStep('Maven', child(root, 'goals')?.line ?? root.line);
  for (const [tool, name] of tools) step.tools.set(tool, name);
  const goals = textAt(root, 'goals') || 'package';
  const script = mavenCommand(root, goals, textAt(root, 'rootPOM'), step, textAt(root, 'mavenOpts'));
  step.items.push({ kind: 'command', script, image: null });
  // A Maven job collects these by itself.
  step.junit.add('**/target/surefire-reports/*.xml').add('**/target/failsafe-reports/*.xml');
  if (textAt(root, 'archivingDisabled') !== 'true') step.artifacts.add('**/target/*.jar').add('**/target/*.war');
  job.draft.nodes.push({ kind: 'step', step });
  readBuilders(child(root, 'postbuilders'), job, tools);
  const result = textAt(root, 'runPostStepsIfResult/name');
  const post = child(root, 'postbuilders');
  if (post && post.children.length > 0 && result !== '' && result !== 'SUCCESS')
    job.draft.notes.notify.push(noteOf(post, `they ran even where Maven had ended with ${result}`));
  readPublishers(child(root, 'reporters'), job);
  readPublishers(child(root, 'publishers'), job);
}

function readFlow(root: Element, job: Job): void {
  const definition = child(root, 'definition');
  const script = child(definition, 'script');
  readSettings(root, job);
  if (script) {
    job.draft.head.push(
      'Its script was kept in Jenkins. A build begins with a checkout: set a source on the pipeline.',
    );
    job.scope.firstLine = script.line;
    readJenkinsfile(script.text, job);
    return;
  }
  readScm(child(definition, 'scm'), job.draft);
  const path = textAt(definition, 'scriptPath') || 'Jenkinsfile';
  job.draft.head.push(`Its steps are in ${path} of that source: run slipway import on that file.`);
}

/** Tools and wrappers of the whole build. */
function around(root: Element, job: Job): Map<string, string> {
  const tools = new Map<string, string>();
  for (const name of ['jdk', 'mavenName']) {
    const tool = textAt(root, name);
    if (tool !== '' && tool !== '(System)') tools.set(name.replace('Name', ''), tool);
  }
  readWrappers(child(root, 'buildWrappers'), tools, job);
  const node = child(root, 'assignedNode');
  if (node && node.text.trim() !== '')
    job.draft.notes.steps.push(noteOf(node, 'a step runs in the container of its "image", on any runner'));
  return tools;
}

/** They say who may do what, or how Jenkins shows it. */
const NOT_OURS = /AuthorizationMatrix|GithubProject|GitLabConnection|RateLimit|DisableResume|RebuildSettings|Folder/;

function readSettings(root: Element, job: Job): void {
  const { draft } = job;
  for (const property of child(root, 'properties')?.children ?? []) {
    if (property.name.endsWith('ParametersDefinitionProperty')) readParameters(property, job);
    else if (property.name.endsWith('PipelineTriggersJobProperty')) readTriggers(child(property, 'triggers'), job);
    else if (property.name.endsWith('DisableConcurrentBuildsJobProperty') || property.children.length === 0) continue;
    else if (/BuildDiscarder/.test(property.name))
      draft.notes.top.push(noteOf(property, 'how long builds are kept is not said in a pipeline file'));
    else if (NOT_OURS.test(property.name))
      draft.notes.top.push({ ...noteOf(property, 'set on the server'), text: property.name });
    else draft.notes.top.push(noteOf(property, 'there is no such setting'));
  }
  readTriggers(child(root, 'triggers'), job);
}

function readTriggers(triggers: Element | undefined, job: Job): void {
  for (const trigger of triggers?.children ?? []) {
    const spec = textAt(trigger, 'spec');
    const place = { line: trigger.line, source: `${trigger.name.split('.').at(-1)} ${spec}` };
    if (trigger.name.endsWith('TimerTrigger')) setSchedule(spec, place, job);
    else if (trigger.name.endsWith('SCMTrigger')) setPoll(spec, place, job);
    else if (/push|Gogs|Gitea|BitBucket/i.test(trigger.name)) job.draft.push = true;
    else job.draft.notes.on.push(noteOf(trigger, 'there is no such trigger'));
  }
}

const TYPES: Record<string, Parameter['type']> = {
  StringParameterDefinition: 'string',
  TextParameterDefinition: 'string',
  BooleanParameterDefinition: 'boolean',
  ChoiceParameterDefinition: 'choice',
};

function readParameters(property: Element, job: Job): void {
  for (const definition of at(property, 'parameterDefinitions')?.children ?? []) {
    const type = lookup(TYPES, definition.name.split('.').at(-1) ?? '');
    const name = textAt(definition, 'name');
    const given = textAt(definition, 'defaultValue');
    if (definition.name.endsWith('PasswordParameterDefinition') || looksSecret(name, given)) {
      addSecretParameter(name, definition.line, job);
      continue;
    }
    const options = descendants(definition, 'string').map(({ text }) => text.trim());
    const fallback = type === 'choice' ? (options[0] ?? '') : type === 'boolean' ? given || 'false' : given;
    const made = {
      type: type ?? 'string',
      options,
      default: fallback,
      description: textAt(definition, 'description'),
    } as const;
    if (type === undefined || !addParameter(name, made, job))
      job.draft.notes.parameters.push(noteOf(definition, 'there is no such kind of parameter, or not under this name'));
  }
}
