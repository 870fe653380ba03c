/** What can only be said once the whole job is known: images, names that Jenkins sets, secrets, reports of the job. */
import { define, secretName, variablesOf } from './credentials.ts';
import { asImageStep } from './docker-build.ts';
import { type Credential, type Draft, type Item, isCommand, newStep, type Step, scriptsOf, stepsOf } from './draft.ts';
import { type Choice, chooseByTools, chooseImage, needsNothing, UNKNOWN } from './images.ts';
import { layOut, type Placed, withoutTalk } from './layout.ts';
import type { Note } from './notes.ts';
import { escapeValue, FILE_VALUES, GONE, type Scope, SHELL_VALUES } from './scope.ts';
import { isolated } from './shell.ts';

export interface Finished {
  draft: Draft;
  steps: (Placed & Choice)[];
}

export function finish(draft: Draft, scope: Scope): Finished {
  for (const step of stepsOf(draft.nodes)) asImageStep(step);
  draft.nodes.push(...draft.after);
  withoutTalk(stepsOf(draft.nodes));
  if (!stepsOf(draft.nodes).some((step) => step.build || step.items.some(isCommand))) draft.nodes.push(placeholder());
  const { steps, rest } = layOut(draft);
  draft.notes.notify.unshift(...rest);
  giveReports(draft, steps);
  giveCredentials(draft, steps);
  for (const { step } of steps) {
    giveNames(step, draft, scope);
    hintAtImageStep(step);
  }
  for (const name of scope.asEnv) draft.env.set(name, escapeValue(scope.constants.get(name) ?? ''));
  const choices = chooseAll(steps.map(({ step }) => step));
  for (const { step } of steps) step.items = separate(step.items);
  return { draft, steps: steps.map((placed, index) => ({ ...placed, ...(choices[index] ?? UNKNOWN) })) };
}

/** It must not pass for a build that has passed. */
function placeholder() {
  const step = newStep('Todo', null);
  step.image = 'busybox:1.36';
  step.items.push({
    kind: 'command',
    script: "echo 'Nothing could be carried over: write the steps.'; exit 1",
    image: null,
  });
  return { kind: 'step', step } as const;
}

/** Commands of docker in a step have no engine to talk to, unless the step says where one is. */
function hintAtImageStep(step: Step): void {
  const [text] = /\bdocker (image )?(build|push)\b[^\n]*/.exec(scriptsOf(step)) ?? [];
  const why =
    'an image step fits, which builds and pushes: build: {image: NAME, context: .}; in this container there is no Docker engine';
  if (text !== undefined && !step.build) step.above.push({ line: step.line, text, why });
}

/** The reports of the whole job: to the step that most probably writes them. */
function giveReports({ junit, artifacts }: Draft, steps: readonly Placed[]): void {
  const scripts = steps.filter(({ step }) => !step.build).map(({ step }) => ({ step, script: scriptsOf(step) }));
  const last = scripts.at(-1)?.step;
  const tests = scripts.findLast(({ script }) => /\b(test|verify|check|pytest|tox)\b/i.test(script))?.step;
  const makes = scripts.findLast(({ script }) =>
    /\b(package|install|build|assemble|verify|make)\b/i.test(script),
  )?.step;
  for (const glob of junit) (tests ?? makes ?? last)?.junit.add(glob);
  for (const glob of artifacts) (makes ?? last)?.artifacts.add(glob);
}

const mentions = (step: Step, name: string): boolean =>
  new RegExp(`\\$\\{?${name}\\b`).test(scriptsOf(step)) ||
  [...step.env.values()].some((value) => value.includes(`\${${name}`));

/** A secret goes to the steps that name it, and to no others. */
function giveCredentials(draft: Draft, steps: readonly Placed[]): void {
  for (const credential of draft.credentials) {
    const variables = variablesOf(credential.name);
    const own = credential.step;
    const within = own ? steps.filter(({ step }) => step === own || step.env === own.env) : steps;
    const used = new Set<string>();
    for (const { step } of within) {
      for (const name of variables.filter(
        (each) => !step.build && (mentions(step, each) || mentions(step, secretName(each))),
      )) {
        used.add(secretName(name));
        give(step, name);
      }
    }
    const note = noteOf(credential, used);
    const first = within.find(({ step }) => [...used].some((name) => step.secrets.has(name)))?.step ?? own;
    if (first) first.above.push(note);
    else draft.notes.env.push(note);
  }
}

function give(step: Step, name: string): void {
  const secret = secretName(name);
  step.secrets.add(secret);
  if (secret !== name && mentions(step, name)) step.items.unshift(command(`export ${name}="$${secret}"`));
}

function noteOf({ name, text, line }: Credential, used: ReadonlySet<string>): Note {
  const names = used.size > 0 ? [...used] : [secretName(name)];
  const hint = used.size > 0 ? '' : `, and name it where it is needed: secrets: [${names[0]}]`;
  return { line, text, why: `${define(names)}${hint}` };
}

const command = (script: string): Item => ({ kind: 'command', script, image: null });

/** What Jenkins' own variables are called here, for the commands that use them. */
function giveNames(step: Step, draft: Draft, scope: Scope): void {
  for (const [name, value] of Object.entries(FILE_VALUES)) {
    if (mentions(step, name) && !draft.parameters.has(name) && !draft.env.has(name)) draft.env.set(name, value);
  }
  for (const [name, key] of scope.axes) {
    if (step.matrix.has(key) && mentions(step, name)) step.env.set(name, `\${matrix.${key}}`);
  }
  const exports = Object.entries(SHELL_VALUES)
    .filter(([name]) => mentions(step, name) && !draft.env.has(name) && !step.env.has(name))
    .map(([name, variable]) => `${name}="$${variable}"`);
  for (const [name, variable] of scope.parameters) {
    if (name !== variable && !step.secrets.has(variable) && mentions(step, name))
      exports.push(`${name}="$${variable}"`);
  }
  if (exports.length > 0) step.items.unshift(command(`export ${exports.join(' ')}`));
  const gone = [...GONE].filter((name) => mentions(step, name) && !draft.env.has(name));
  if (gone.length > 0)
    step.above.push({
      line: step.line,
      text: gone.join(', '),
      why: 'there is no such variable: see the names that begin with SLIPWAY_',
    });
}

/** Each `sh` of Jenkins was a shell of its own; what the first lines export is for all of them. */
function separate(items: Item[]): Item[] {
  const first = items.findIndex((item) => isCommand(item) && !/^(export|trap) |\|\| exit 0 # /.test(item.script));
  const scripts = isolated(
    items
      .slice(Math.max(0, first))
      .filter(isCommand)
      .map(({ script }) => script),
  );
  return items.map((item, index) => {
    if (!isCommand(item) || index < first || first < 0) return item;
    return { ...item, script: scripts.shift() ?? item.script };
  });
}

/** A step that only calls scripts of the repository most probably needs what the others need. */
function chooseAll(steps: readonly Step[]): Choice[] {
  const first = steps.map((step) => chooseImage(step));
  const counts = new Map<string, number>();
  for (const choice of first)
    if (choice && !choice.image.startsWith('docker:')) counts.set(choice.image, (counts.get(choice.image) ?? 0) + 1);
  const [common] = [...counts].filter(([image]) => !image.includes('${matrix')).sort((a, b) => b[1] - a[1]);
  return steps.map((step, index) => {
    if (!first[index] && needsNothing(step)) return { image: 'busybox:1.36', why: '' };
    const known = first[index] ?? chooseByTools(step);
    if (known) return known;
    return common ? { image: common[0], why: 'as the other steps: check it' } : UNKNOWN;
  });
}
