/** `stages { }`: a stage is a step; nested ones follow each other, parallel ones have the same needs. */
import { type Agent, NO_AGENT, readAgent, readTools, settle } from './agents.ts';
import { readCommands } from './commands.ts';
import { type Context, callsOf, drop, durationOf, textArgument } from './context.ts';
import { type Draft, type Node, newStep, type Step, stepsOf } from './draft.ts';
import { readEnvironment } from './environment.ts';
import type { Call, Statement } from './groovy.ts';
import { readMatrix } from './matrix.ts';
import type { Note } from './notes.ts';
import { readPost, titleOf } from './post.ts';
import { noteOf, type Scope } from './scope.ts';
import { applyWhen, whensOf } from './when.ts';
import { SILENT } from './why.ts';

export interface Job {
  draft: Draft;
  scope: Scope;
}

/** What a stage has from the stages around it. */
export interface Inherited {
  agent: Agent;
  tools: Map<string, string>;
  whens: Call[];
  environments: Call[];
  matrix: Map<string, string[]>;
  /** Comments for the next step. */
  notes: Note[];
}

export const NOTHING: Inherited = {
  agent: NO_AGENT,
  tools: new Map(),
  whens: [],
  environments: [],
  matrix: new Map(),
  notes: [],
};

const SECTIONS = new Set(
  'agent tools when environment options input post steps stages parallel matrix failFast axes excludes'.split(' '),
);

export function readStages(block: readonly Statement[], job: Job, inherited: Inherited): Node[] {
  let notes = inherited.notes;
  const nodes: Node[] = [];
  for (const statement of block) {
    if (statement.kind === 'call' && statement.name === 'stage') {
      nodes.push(readStage(statement, job, { ...inherited, notes }));
      notes = [];
    } else {
      const step = newStep('', null);
      drop({ step, ...job } as Context, statement, 'only stages are expected here');
      nodes.push({ kind: 'step', step });
    }
  }
  return nodes;
}

export function readStage(stage: Call, job: Job, above: Inherited): Node {
  const body = stage.block ?? [];
  const inherited = inherit(body, job, above);
  const [parallel] = callsOf(body, 'parallel');
  const [matrix] = callsOf(body, 'matrix');
  const [stages] = callsOf(body, 'stages');
  if (!parallel && !matrix && !stages) return { kind: 'step', step: readLeaf(stage, job, inherited) };

  let node: Node;
  if (matrix) node = readMatrixStage(matrix, job, inherited);
  else if (stages) node = { kind: 'sequence', nodes: readStages(stages.block ?? [], job, inherited) };
  else node = readParallel(parallel?.block ?? [], job, inherited, stage);
  finishGroup(body, node, job);
  return node;
}

function readParallel(block: readonly Statement[], job: Job, inherited: Inherited, stage: Call): Node {
  const apart = callsOf(block, 'stage').filter((each) => callsOf(each.block, 'agent').length > 0);
  const place = { line: stage.line, source: `parallel ${titleOf(stage, job)}` };
  const why = 'these steps share one workspace, where the agents of Jenkins had one each';
  const notes = apart.length > 1 ? [...inherited.notes, noteOf(job.scope, place, why)] : inherited.notes;
  return { kind: 'parallel', nodes: readStages(block, job, { ...inherited, notes }) };
}

function inherit(body: readonly Statement[], job: Job, above: Inherited): Inherited {
  const [agent] = callsOf(body, 'agent');
  const [tools] = callsOf(body, 'tools');
  const own = tools ? readTools(tools, job.scope, job.draft) : [];
  return {
    ...above,
    agent: agent ? readAgent(agent, job.scope) : above.agent,
    tools: new Map([...above.tools, ...own]),
    whens: [...above.whens, ...whensOf(body)],
    environments: [...above.environments, ...callsOf(body, 'environment')],
  };
}

function readMatrixStage(matrix: Call, job: Job, above: Inherited): Node {
  const body = matrix.block ?? [];
  const axes = readMatrix(matrix, job.scope);
  const inherited = inherit(body, job, {
    ...above,
    matrix: new Map([...above.matrix, ...axes.values]),
    notes: [...above.notes, ...axes.notes],
  });
  for (const [tool, name] of inherited.tools) inherited.tools.set(tool, axes.plain(name));
  const stages = callsOf(body, 'stages').flatMap(({ block }) => block ?? []);
  const node: Node = { kind: 'sequence', nodes: readStages(stages, job, inherited) };
  finishGroup(body, node, job);
  return node;
}

/** What a group of stages says of itself goes to the last of its steps. */
function finishGroup(body: readonly Statement[], node: Node, job: Job): void {
  const step = stepsOf([node]).at(-1);
  if (!step) return;
  const context = contextOf(step, job, NO_AGENT);
  for (const post of callsOf(body, 'post')) {
    const scratch = newStep('', null);
    const inside = { ...context, step: scratch };
    // Commands of the group are no longer in the container of this step, so that they stay comments.
    readPost(post, inside, { ...inside });
    for (const item of scratch.items) {
      if (item.kind === 'note') step.items.push(item);
      else
        step.items.push({
          kind: 'note',
          note: { line: null, text: item.script, why: 'ran after all of these stages' },
        });
    }
    for (const glob of scratch.junit) step.junit.add(glob);
    for (const glob of scratch.artifacts) step.artifacts.add(glob);
  }
  for (const option of callsOf(body, 'options').flatMap(({ block }) => block ?? [])) {
    if (option.kind !== 'call' || !SILENT.has(option.name)) drop(context, option, 'options belong to a single step');
  }
  for (const input of callsOf(body, 'input')) readInput(input, context);
}

const contextOf = (step: Step, job: Job, agent: Agent): Context => ({
  ...job,
  step,
  before: [],
  image: null,
  containers: agent.containers,
});

function readLeaf(stage: Call, job: Job, inherited: Inherited): Step {
  const step = newStep(titleOf(stage, job), stage.line + job.scope.firstLine - 1);
  step.above.push(...inherited.notes);
  settle(inherited.agent, step);
  for (const [tool, name] of inherited.tools) step.tools.set(tool, name);
  for (const [key, values] of inherited.matrix) step.matrix.set(key, values);
  for (const environment of inherited.environments) {
    const target = { env: step.env, notes: step.above, step };
    readEnvironment(environment.block ?? [], job.draft, job.scope, target);
  }
  const context = contextOf(step, job, inherited.agent);
  for (const when of inherited.whens) applyWhen(when, context);
  readSections(stage.block ?? [], context);
  return step;
}

function readSections(body: readonly Statement[], context: Context): void {
  for (const section of body) {
    if (section.kind !== 'call' || !SECTIONS.has(section.name)) drop(context, section, 'there is no such section');
    else if (section.name === 'input') readInput(section, context);
    else if (section.name === 'options') readStageOptions(section.block ?? [], context);
    else if (section.name === 'steps') readCommands(section.block ?? [], context);
  }
  for (const post of callsOf(body, 'post')) readPost(post, context, context);
}

function readInput(input: Call, context: Context): void {
  const message = textArgument(callsOf(input.block, 'message')[0] ?? input, 'message', context.scope);
  const place = message === null ? input : { line: input.line, source: `input: ${message}` };
  const why = 'approvals belong to an environment (its gates); the step waits for a build started by hand';
  context.step.above.push(noteOf(context.scope, place, why));
  if (context.step.when.trigger.length === 0) context.step.when.trigger.push('manual');
}

function readStageOptions(options: readonly Statement[], context: Context): void {
  const { step } = context;
  for (const option of options) {
    const duration = option.kind === 'call' && option.name === 'timeout' ? durationOf(option) : null;
    if (option.kind === 'call' && SILENT.has(option.name)) continue;
    if (duration !== null) step.timeout = duration;
    else if (option.kind === 'call' && option.name === 'retry') {
      const times = Number(textArgument(option, 'count') ?? 1);
      step.retry = Math.max(0, Math.min(10, times - 1)) || 0;
    } else step.above.push(noteOf(context.scope, option, 'there is no such option of a step'));
  }
}
