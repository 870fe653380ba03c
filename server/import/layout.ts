/** From the tree of stages to steps with names and needs, in the order of the file. */
import { type Draft, isCommand, type Node, newStep, type Step, stepsOf } from './draft.ts';
import type { Note } from './notes.ts';

export interface Placed {
  name: string;
  step: Step;
  /** Null: the step above, as where nothing is said. */
  needs: string[] | null;
}

const MAX_STEPS = 200;

export function layOut(draft: Draft): { steps: Placed[]; rest: Note[] } {
  const rest = withoutEmpty(draft);
  const nodes = draft.nodes.map(splitByImage);
  const names = nameAll(stepsOf(nodes));
  const steps: Placed[] = [];
  place({ kind: 'sequence', nodes }, [], steps, names);
  for (const { name, step } of steps.splice(MAX_STEPS))
    rest.push({ line: step.line, text: `${name}: ${step.title}`, why: `a pipeline has at most ${MAX_STEPS} steps` });
  return { steps, rest };
}

const runs = (step: Step): boolean => step.build !== null || step.items.some(isCommand);

const onlySays = (step: Step): boolean =>
  step.build === null && step.items.filter(isCommand).every(({ script }) => /^echo [^|&;<>`\n]*$/.test(script));

/** A container is much to start for a line of text, unless there is nothing else. */
export function withoutTalk(steps: readonly Step[]): void {
  if (steps.every(onlySays)) return;
  for (const step of steps.filter((each) => onlySays(each) && each.items.some(isCommand))) {
    const said = step.items.filter(isCommand).map(({ script }) => script);
    const note = { line: step.line, text: said.join('\n'), why: `all that "${step.title}" did, so that it is no step` };
    step.items = [{ kind: 'note', note }, ...step.items.filter((item) => !isCommand(item))];
  }
}

/**
 * A stage without commands is no step. Its comments move to the next step, its reports to the one before, and what follows the
 * last step is answered.
 */
function withoutEmpty(draft: Draft): Note[] {
  let waiting: Note[] = [];
  let last: Step | null = null;
  let reports: Step[] = [];
  for (const step of stepsOf(draft.nodes)) {
    if (runs(step)) {
      step.above.unshift(...waiting.splice(0));
      for (const report of reports.splice(0)) keepReports(report, step);
      last = step;
      continue;
    }
    const own = [...step.above, ...step.items.flatMap((item) => (item.kind === 'note' ? [item.note] : []))];
    waiting = [...waiting, ...own];
    if (last) keepReports(step, last);
    else reports = [...reports, step];
  }
  draft.nodes = draft.nodes.map(pruned).filter((node): node is Node => node !== null);
  return waiting;
}

function keepReports(from: Step, to: Step): void {
  for (const glob of from.junit) to.junit.add(glob);
  for (const glob of from.artifacts) to.artifacts.add(glob);
}

function pruned(node: Node): Node | null {
  if (node.kind === 'step') return runs(node.step) ? node : null;
  const nodes = node.nodes.map(pruned).filter((each): each is Node => each !== null);
  return nodes.length === 0 ? null : { ...node, nodes };
}

/** Commands in other containers are steps of their own. */
function splitByImage(node: Node): Node {
  if (node.kind !== 'step') return { ...node, nodes: node.nodes.map(splitByImage) };
  const { step } = node;
  const images = new Set(step.items.filter(isCommand).map(({ image }) => image ?? step.image));
  if (images.size < 2) {
    step.image = [...images][0] ?? step.image;
    return node;
  }
  const parts: Step[] = [];
  for (const item of step.items) {
    const image = isCommand(item) ? (item.image ?? step.image) : null;
    let part = parts.at(-1);
    const has = part?.items.some(isCommand);
    if (!part || (isCommand(item) && has && part.image !== image)) {
      part = {
        ...newStep(step.title, step.line),
        ...sharedOf(step),
        above: parts.length === 0 ? step.above : [],
        items: [],
      };
      parts.push(part);
    }
    if (isCommand(item)) part.image = image;
    part.items.push(item);
  }
  const end = parts.at(-1);
  if (end) keepReports(step, end);
  return { kind: 'sequence', nodes: parts.map((part) => ({ kind: 'step', step: part })) };
}

const sharedOf = ({ tools, env, secrets, cache, when, matrix, timeout, retry, allowFailure }: Step) => ({
  tools,
  env,
  secrets: new Set(secrets),
  cache,
  when,
  matrix,
  timeout,
  retry,
  allowFailure,
});

function nameAll(steps: readonly Step[]): Map<Step, string> {
  const names = new Map<Step, string>();
  const taken = new Set<string>();
  for (const step of steps) {
    const plain = asName(step.title);
    let name = plain;
    for (let number = 2; taken.has(name); number++) name = `${plain}-${number}`;
    // The steps of a matrix get names of their own, which nobody else may have.
    taken.add(name);
    names.set(step, name);
  }
  return names;
}

function asName(title: string): string {
  const name = title
    .replace(/([a-z])([A-Z])/g, '$1-$2')
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  if (name === '') return 'step';
  return /^[a-z]/.test(name) ? name : `step-${name}`;
}

/** Answers the steps that what comes next needs. */
function place(node: Node, needs: string[], placed: Placed[], names: ReadonlyMap<Step, string>): string[] {
  if (node.kind === 'step') {
    const name = names.get(node.step) ?? '';
    const above = placed.at(-1);
    const asWritten = above ? [above.name] : [];
    placed.push({ name, step: node.step, needs: needs.join() === asWritten.join() ? null : needs });
    return [name];
  }
  if (node.kind === 'parallel') return node.nodes.flatMap((each) => place(each, needs, placed, names));
  return node.nodes.reduce((before, each) => place(each, before, placed, names), needs);
}
