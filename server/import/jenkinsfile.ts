/** A Jenkinsfile as a draft: the declarative form, and of the scripted one what its stages say. */
import { invalid } from '../../pipelines/errors.ts';
import { readAgent, readTools } from './agents.ts';
import { type Context, callsOf } from './context.ts';
import { newStep } from './draft.ts';
import { readConstant, readEnvironment } from './environment.ts';
import { type Call, parseGroovy, type Statement } from './groovy.ts';
import { readPost } from './post.ts';
import { noteOf } from './scope.ts';
import { readScripted } from './scripted.ts';
import { readOptions, readParameters, readProperties, readTriggers } from './settings.ts';
import { type Job, NOTHING, readStages } from './stages.ts';

/** Throws `invalid` or `too_large` for what cannot be read at all. */
export function readJenkinsfile(text: string, job: Job): void {
  const statements = parseGroovy(text);
  if (statements.length === 0) throw invalid('there is nothing in this file');
  const pipeline = statements.find((each): each is Call => each.kind === 'call' && each.name === 'pipeline');
  if (pipeline?.block) {
    readAround(statements, pipeline, job);
    readPipeline(pipeline.block, job);
  } else readScripted(statements, job);
}

/** What stands before and behind the pipeline. */
function readAround(statements: readonly Statement[], pipeline: Call, job: Job): void {
  for (const statement of statements) {
    if (statement === pipeline || readConstant(statement, job.scope)) continue;
    if (statement.kind === 'call' && statement.name === 'properties') {
      readProperties(statement, job);
      continue;
    }
    const library = /^@Library|^library\b/.test(statement.source);
    const why = library ? 'shared libraries are not run: write what they do as commands' : 'Groovy is not run';
    job.draft.notes.top.push(noteOf(job.scope, statement, why));
  }
}

const SECTIONS = new Set('agent tools triggers options parameters environment stages post libraries'.split(' '));

function readPipeline(body: readonly Statement[], job: Job): void {
  const { draft, scope } = job;
  const inside = (name: string) => callsOf(body, name).flatMap(({ block }) => block ?? []);
  for (const statement of body) {
    if (statement.kind === 'call' && SECTIONS.has(statement.name) && statement.name !== 'libraries') continue;
    if (!readConstant(statement, scope)) draft.notes.top.push(noteOf(scope, statement, 'Groovy is not run'));
  }
  readParameters(inside('parameters'), job);
  readTriggers(inside('triggers'), job);
  readOptions(inside('options'), job);
  readEnvironment(inside('environment'), draft, scope, { env: draft.env, notes: draft.notes.env, step: null });

  const [agentCall] = callsOf(body, 'agent');
  const [tools] = callsOf(body, 'tools');
  const agent = agentCall ? readAgent(agentCall, scope) : NOTHING.agent;
  // Once, and not for every stage.
  draft.notes.steps.push(...agent.notes);
  draft.nodes = readStages(inside('stages'), job, {
    ...NOTHING,
    agent: { ...agent, notes: [] },
    tools: tools ? readTools(tools, scope, draft) : new Map(),
  });
  for (const post of callsOf(body, 'post')) readEnd(post, job);
}

/** `post` of the whole pipeline. */
function readEnd(post: Call, job: Job): void {
  const context: Context = { ...job, step: newStep('', null), before: [], image: null, containers: new Map() };
  const last = newStep('After success', post.line + job.scope.firstLine - 1);
  readPost(post, context, { ...context, step: last });
  for (const item of context.step.items) if (item.kind === 'note') job.draft.notes.notify.push(item.note);
  for (const step of [context.step, last]) {
    for (const glob of step.junit) job.draft.junit.add(glob);
    for (const glob of step.artifacts) job.draft.artifacts.add(glob);
  }
  last.junit.clear();
  last.artifacts.clear();
  job.draft.after.push({ kind: 'step', step: last });
}
