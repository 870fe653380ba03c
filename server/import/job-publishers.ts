/** What a freestyle job does after its build: reports, artifacts and mail. And what it wraps around it. */

import { faultOfEnvName } from '../../pipelines/values.ts';
import type { Draft } from './draft.ts';
import { noteOf } from './job-builders.ts';
import { lookup } from './lookup.ts';
import { addAddresses } from './mail.ts';
import { globsOf } from './reports.ts';
import { escapeValue, type Scope } from './scope.ts';
import { descendants, type Element, textAt } from './xml.ts';

interface Job {
  draft: Draft;
  scope: Scope;
}

const WHY: Record<string, string> = {
  'hudson.tasks.BuildTrigger':
    'a pipeline does not start another one: give that one the same source, or make it steps of this file',
  'hudson.plugins.parameterizedtrigger.BuildTrigger':
    'a pipeline does not start another one: give that one the same source, or make it steps of this file',
  'hudson.tasks.Fingerprinter': 'artifacts are kept by their content already',
  'hudson.tasks.JavadocArchiver': 'keep the report as an artifact',
  'hudson.plugins.ws__cleanup.WsCleanup': 'every build starts from a clean checkout',
};

export function readPublishers(publishers: Element | undefined, { draft }: Job): void {
  for (const publisher of publishers?.children ?? []) {
    const drop = (why: string) => draft.notes.notify.push(noteOf(publisher, why));
    switch (publisher.name) {
      case 'hudson.tasks.junit.JUnitResultArchiver':
        keep(textAt(publisher, 'testResults'), draft.junit);
        break;
      case 'hudson.tasks.ArtifactArchiver':
        keep(textAt(publisher, 'artifacts'), draft.artifacts);
        for (const glob of globsOf(textAt(publisher, 'excludes'))) draft.artifacts.add(`!${escapeValue(glob)}`);
        break;
      case 'hudson.tasks.Mailer':
      case 'hudson.maven.reporters.MavenMailer':
        mail(publisher, textAt(publisher, 'recipients'), draft);
        break;
      case 'hudson.plugins.emailext.ExtendedEmailPublisher':
        mail(publisher, textAt(publisher, 'recipientList'), draft, occasionsOf(publisher));
        break;
      default:
        drop(lookup(WHY, publisher.name) ?? 'there is no such thing after a build: make it a command');
    }
  }
}

const keep = (text: string, into: Set<string>): void => {
  for (const glob of globsOf(text)) into.add(escapeValue(glob));
};

function mail(publisher: Element, recipients: string, draft: Draft, on: string[] = ['failed', 'fixed']): void {
  const wrong = addAddresses(draft, recipients, on);
  if (wrong.length > 0)
    draft.notes.notify.push({ line: publisher.line, text: `mail to ${wrong.join(', ')}`, why: 'not plain addresses' });
}

function occasionsOf(publisher: Element): string[] {
  const names = descendants(publisher, 'configuredTriggers').flatMap(({ children }) =>
    children.map(({ name }) => name),
  );
  const all = names.join(' ');
  const on = [
    /Fail|Unstable/.test(all) && 'failed',
    /Fixed/.test(all) && 'fixed',
    /Success|Always/.test(all) && 'passed',
  ];
  const known = on.filter((each): each is string => typeof each === 'string');
  return known.length > 0 ? known : ['failed', 'fixed'];
}

/** What Slipway does anyway. */
const SILENT = /Timestamper|AnsiColor|PreBuildCleanup|BuildUser$/;

export function readWrappers(wrappers: Element | undefined, tools: Map<string, string>, job: Job): void {
  for (const wrapper of wrappers?.children ?? []) {
    if (SILENT.test(wrapper.name)) continue;
    if (wrapper.name === 'EnvInjectBuildWrapper') injected(textAt(wrapper, 'info/propertiesContent'), wrapper, job);
    else if (wrapper.name.endsWith('BuildTimeoutWrapper')) timeout(wrapper, job);
    else if (wrapper.name.endsWith('SecretBuildWrapper')) secrets(wrapper, job);
    else if (/NodeJS/.test(wrapper.name)) tools.set('nodejs', textAt(wrapper, 'nodeJSInstallationName'));
    else job.draft.notes.steps.push(noteOf(wrapper, 'what this does around the build is not carried over'));
  }
}

function injected(text: string, wrapper: Element, { draft }: Job): void {
  for (const line of text.split('\n').map((each) => each.trim())) {
    const [, name = '', value = ''] = /^([A-Za-z_]\w*)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name !== '' && faultOfEnvName(name) === null && !value.includes('$'))
      draft.env.set(name, value.replace(/^"(.*)"$/, '$1'));
    else if (line !== '' && !line.startsWith('#'))
      draft.notes.env.push({ line: wrapper.line, text: line, why: 'set it in the commands that need it' });
  }
}

function timeout(wrapper: Element, { draft }: Job): void {
  const minutes = Number(textAt(wrapper, 'strategy/timeoutMinutes') || textAt(wrapper, 'timeoutMinutes'));
  if (minutes >= 1) draft.timeout = `${Math.min(1440, Math.round(minutes))}m`;
  else draft.notes.top.push(noteOf(wrapper, 'see "timeout"'));
}

/** Every binding names the variable, or two of them, that the credential is given in. */
function secrets(wrapper: Element, { draft, scope }: Job): void {
  for (const binding of descendants(wrapper, 'bindings').flatMap(({ children }) => children)) {
    const id = textAt(binding, 'credentialsId');
    const names = binding.children.filter(({ name }) => /variable$/i.test(name)).map(({ text }) => text.trim());
    for (const name of names.filter((each) => /^[A-Za-z_]\w*$/.test(each))) {
      scope.known.add(name);
      draft.credentials.push({ name, text: `${name} of the credentials ${id}`, line: binding.line, step: null });
    }
  }
}
