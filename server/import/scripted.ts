/** Scripted Jenkinsfiles, which are programs: their stages are carried over as far as they say commands. */

import { readCommands } from './commands.ts';
import { type Context, drop, opening } from './context.ts';
import { type Node, newStep } from './draft.ts';
import { readConstant } from './environment.ts';
import type { Call, Statement } from './groovy.ts';
import { lookup } from './lookup.ts';
import { titleOf } from './post.ts';
import { isReport } from './reports.ts';
import { noteOf } from './scope.ts';
import { readProperties } from './settings.ts';
import type { Job } from './stages.ts';
import { applyWhen } from './when.ts';
import { SILENT, WHY } from './why.ts';

export function readScripted(statements: readonly Statement[], job: Job): void {
  job.draft.head.push(
    'It was a scripted pipeline, which is a program. Its stages and their commands are here; what decided about them is not.',
  );
  job.draft.nodes = readAll(statements, job, { conditions: [], image: null });
}

interface Around {
  /** Of each `if` around it. */
  conditions: Call[];
  image: string | null;
}

function readAll(statements: readonly Statement[], job: Job, around: Around): Node[] {
  const nodes: Node[] = [];
  let loose: Context | null = null;
  for (const statement of statements) {
    const group = readGroup(statement, job, around);
    if (group) {
      nodes.push(...group);
      loose = null;
      continue;
    }
    if (readConstant(statement, job.scope)) continue;
    if (statement.kind === 'call' && statement.name === 'properties') {
      readProperties(statement, job);
      continue;
    }
    if (!loose) {
      loose = open(job, around, 'script', statement.line);
      nodes.push({ kind: 'step', step: loose.step });
    }
    readCommands([statement], loose);
  }
  return nodes;
}

function open(job: Job, { conditions, image }: Around, title: string, line: number): Context {
  const step = newStep(title, line + job.scope.firstLine - 1);
  const context: Context = { ...job, step, before: [], image, containers: new Map() };
  for (const condition of conditions) applyWhen({ ...condition, block: [condition] }, context);
  return context;
}

/** A stage, or what has stages in it; null for anything else. */
function readGroup(statement: Statement, job: Job, around: Around): Node[] | null {
  if (statement.kind === 'call' && statement.name === 'stage' && statement.block)
    return [readStage(statement, job, around)];
  if (statement.kind === 'call' && statement.name === 'parallel') return readParallel(statement, job, around);
  if (!hasStages(statement)) return null;
  if (statement.kind === 'try') {
    return [
      ...readAll([...statement.body, ...statement.last.filter(isReport)], job, around),
      comment(statement.rest, job, 'nothing runs after a failure'),
    ];
  }
  if (statement.kind === 'if') {
    const asked = (condition: string): Around => ({
      ...around,
      conditions: [...around.conditions, asCondition(condition, statement.line)],
    });
    return [
      ...readAll(statement.yes, job, asked(statement.condition)),
      ...readAll(statement.no, job, asked(`!(${statement.condition})`)),
    ];
  }
  if (statement.kind !== 'call') return null;
  return readWrapper(statement, job, around);
}

function readWrapper(call: Call, job: Job, around: Around): Node[] {
  const block = innerOf(call);
  const image = call.name === 'docker.image' ? (textOf(call) ?? around.image) : around.image;
  const silent = (SILENT.has(call.name) && call.args.length === 0) || image !== around.image;
  const why =
    call.name === 'node' ? 'a step runs in the container of its "image", on any runner' : lookup(WHY, call.name);
  const before = silent
    ? []
    : [comment(opening(call), job, why ?? 'what this does around its stages is not carried over')];
  return [...before, ...readAll(block, job, { ...around, image })];
}

const textOf = (call: Call): string | null => {
  const [value] = call.args;
  const part = value?.kind === 'string' && value.parts.length === 1 ? value.parts[0] : null;
  return typeof part === 'string' ? part : null;
};

const innerOf = (call: Call): Statement[] => call.block ?? call.next?.block ?? [];

function comment(place: { line: number; source: string }, job: Job, why: string): Node {
  const step = newStep('', null);
  step.above.push(noteOf(job.scope, place, why));
  return { kind: 'step', step };
}

function readStage(stage: Call, job: Job, around: Around): Node {
  const block = stage.block ?? [];
  if (block.some(hasStages)) return { kind: 'sequence', nodes: readAll(block, job, around) };
  const context = open(job, around, titleOf(stage, job), stage.line);
  readCommands(block, context);
  return { kind: 'step', step: context.step };
}

/** `parallel(linux: { … }, windows: { … })`; a map that the program has put together cannot be read. */
function readParallel(call: Call, job: Job, around: Around): Node[] {
  const branches = [...call.named, ...mapIn(call)].filter(([name]) => name !== 'failFast');
  const nodes = branches.map(([name, value]): Node => {
    const body = value.kind === 'closure' ? value.body : [];
    if (body.some(hasStages)) return { kind: 'sequence', nodes: readAll(body, job, around) };
    const context = open(job, around, name, call.line);
    readCommands(body, context);
    if (value.kind !== 'closure') drop(context, { line: call.line, source: `${name}: …` }, 'Groovy is not run');
    return { kind: 'step', step: context.step };
  });
  if (nodes.length === 0) return [comment(call, job, 'Groovy puts these branches together: write them as steps')];
  return [{ kind: 'parallel', nodes }];
}

const mapIn = (call: Call) => (call.args[0]?.kind === 'map' ? [...call.args[0].entries] : []);

const asCondition = (condition: string, line: number): Call => {
  const source = `expression { ${condition} }`;
  return { kind: 'call', name: 'expression', args: [], named: new Map(), block: [], next: null, line, source };
};

function hasStages(statement: Statement): boolean {
  if (statement.kind === 'if') return [...statement.yes, ...statement.no].some(hasStages);
  if (statement.kind === 'try') return statement.body.some(hasStages);
  if (statement.kind !== 'call') return false;
  return ['stage', 'parallel'].includes(statement.name) || innerOf(statement).some(hasStages);
}
