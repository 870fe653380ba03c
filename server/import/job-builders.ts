/** The build steps of a freestyle job: each is a step of the pipeline. */

import { type Draft, newStep, type Step } from './draft.ts';
import { lookup } from './lookup.ts';
import type { Note } from './notes.ts';
import { escapeValue, quote, type Scope } from './scope.ts';
import { interpreted } from './shell.ts';
import { type Element, summary, textAt } from './xml.ts';

interface Job {
  draft: Draft;
  scope: Scope;
}

export function readBuilders(builders: Element | undefined, job: Job, tools: ReadonlyMap<string, string>): void {
  for (const builder of builders?.children ?? []) {
    const step = readBuilder(builder);
    for (const [tool, name] of tools) if (!step.tools.has(tool)) step.tools.set(tool, name);
    job.draft.nodes.push({ kind: 'step', step });
  }
}

type Builder = (element: Element, step: Step) => string | null;

const BUILDERS: Record<string, [title: string, read: Builder]> = {
  'hudson.tasks.Shell': ['Shell', (element) => element.children.find(({ name }) => name === 'command')?.text ?? ''],
  'hudson.tasks.Maven': ['Maven', maven],
  'hudson.plugins.gradle.Gradle': ['Gradle', gradle],
  'hudson.tasks.Ant': ['Ant', ant],
};

function readBuilder(element: Element): Step {
  const [title, read] = lookup(BUILDERS, element.name) ?? ['', () => null];
  const step = newStep(title, element.line);
  const script = interpreted(read(element, step) ?? '');
  if (script === '') step.above.push(noteOf(element, 'there is no such build step: do it in a command'));
  else step.items.push({ kind: 'command', script, image: null });
  return step;
}

export const noteOf = (element: Element, why: string): Note => ({ line: element.line, text: summary(element), why });

const words = (text: string): string => text.split(/\s+/).filter(Boolean).join(' ');

function maven(element: Element, step: Step): string {
  step.tools.set('maven', textAt(element, 'mavenName'));
  return mavenCommand(element, textAt(element, 'targets'), textAt(element, 'pom'), step, textAt(element, 'jvmOptions'));
}

export function mavenCommand(element: Element, goals: string, pom: string, step: Step, options: string): string {
  step.tools.set('maven', step.tools.get('maven') ?? '');
  step.cache.add('/root/.m2');
  if (options !== '') step.env.set('MAVEN_OPTS', escapeValue(words(options)));
  const file = pom === '' || pom === 'pom.xml' ? '' : ` -f ${quote(pom)}`;
  const properties = textAt(element, 'properties')
    .split('\n')
    .filter((line) => line.includes('='))
    .map((line) => ` ${quote(`-D${line.trim()}`)}`);
  return `mvn -B${file} ${words(goals)}${properties.join('')}`;
}

function gradle(element: Element, step: Step): string {
  const wrapper = textAt(element, 'useWrapper') !== 'false';
  step.tools.set('gradle', textAt(element, 'gradleName'));
  step.cache.add('/root/.gradle');
  const file = textAt(element, 'buildFile');
  const parts = [
    wrapper ? './gradlew' : 'gradle',
    words(textAt(element, 'switches')),
    file === '' ? '' : `-b ${quote(file)}`,
    words(textAt(element, 'tasks')),
  ];
  const folder = textAt(element, 'rootBuildScriptDir').replace(/^\$\{?WORKSPACE\}?\/?/, '');
  const command = parts.filter(Boolean).join(' ');
  return folder === '' ? command : `cd ${quote(folder)} && ${command}`;
}

function ant(element: Element, step: Step): string {
  step.tools.set('ant', textAt(element, 'antName'));
  step.image = 'frekele/ant:1.10-jdk8';
  const file = textAt(element, 'buildFile');
  return `ant${file === '' ? '' : ` -f ${quote(file)}`} ${words(textAt(element, 'targets'))}`.trim();
}
