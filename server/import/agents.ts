/** Where a stage runs: an image of Docker, the containers of a Kubernetes pod, or some machine with a label. */
import { parseDocument } from 'yaml';
import { faultOfCache, faultOfImage } from '../../pipelines/values.ts';
import { substitute } from '../../pipelines/variables.ts';
import { textArgument } from './context.ts';
import type { Draft, Step } from './draft.ts';
import type { Call } from './groovy.ts';
import type { Note } from './notes.ts';
import { noteOf, type Scope, toFileValue, toText } from './scope.ts';

export interface Agent {
  image: string | null;
  containers: Map<string, string>;
  cache: string[];
  notes: Note[];
}

export const NO_AGENT: Agent = { image: null, containers: new Map(), cache: [], notes: [] };

export function readAgent(call: Call, scope: Scope): Agent {
  const agent: Agent = { image: null, containers: new Map(), cache: [], notes: [] };
  const drop = (place: Call, why: string) => agent.notes.push(noteOf(scope, place, why));
  for (const kind of call.block ?? []) {
    if (kind.kind !== 'call') continue;
    if (kind.name === 'docker') readDocker(kind, scope, agent);
    else if (kind.name === 'dockerfile')
      drop(kind, 'build that image in a step of its own ("build:"), and name what it pushes as "image" here');
    else if (kind.name === 'kubernetes') readPod(kind, scope, agent);
    else drop(kind, 'a step runs in the container of its "image", on any runner');
  }
  return agent;
}

function readDocker(call: Call, scope: Scope, agent: Agent): void {
  const image = toFileValue(call.args[0] ?? argumentIn(call, 'image'), scope);
  if (image !== null && isImage(image)) agent.image = image;
  else agent.notes.push(noteOf(scope, call, 'the name of the image is not plain: write it as "image"'));
  const flags = toText(argumentIn(call, 'args'), scope) ?? '';
  for (const [, folder = ''] of flags.matchAll(/(?:-v|--volume)[ =]\S+?:(\/[^\s:]*)/g)) {
    if (faultOfCache(folder) === null && !folder.includes('docker.sock')) agent.cache.push(folder);
  }
  const rest = flags.replace(/(-v|--volume)[ =]\S+|(-u|--user)[ =](root|0)(:\S+)?|--entrypoint=\S*/g, '').trim();
  const other = rest !== '' || flags.includes('docker.sock');
  if (other)
    agent.notes.push(noteOf(scope, { line: call.line, source: `args '${flags}'` }, 'containers take no such flags'));
}

const argumentIn = (call: Call, name: string) =>
  call.named.get(name) ??
  call.block?.flatMap((each) => (each.kind === 'call' && each.name === name ? each.args : []))[0];

/** With variables in it, it is judged as if each of them were `x`. */
export const isImage = (image: string): boolean => faultOfImage(substitute(image, {}, () => 'x')) === null;

function readPod(call: Call, scope: Scope, agent: Agent): void {
  const yaml = toText(argumentIn(call, 'yaml'), scope);
  const first = toText(argumentIn(call, 'defaultContainer'), scope);
  for (const { name, image } of yaml === null ? [] : containersOf(yaml)) agent.containers.set(name, image);
  const images = [...agent.containers.values()];
  agent.image = agent.containers.get(first ?? '') ?? (images.length === 1 ? (images[0] ?? null) : null);
  if (images.length === 0)
    agent.notes.push(
      noteOf(scope, call, 'the images of the pod are not said here: write them as "image" of the steps'),
    );
}

/** The images of a pod; what else it says is the business of whoever runs the runner. */
function containersOf(yaml: string): { name: string; image: string }[] {
  const document = parseDocument(yaml, { schema: 'failsafe', uniqueKeys: false, logLevel: 'silent' });
  if (document.errors.length > 0) return [];
  const containers = document.getIn(['spec', 'containers']) as { toJSON?(): unknown } | undefined;
  const list: unknown = containers?.toJSON?.();
  if (!Array.isArray(list)) return [];
  return list
    .map((each: { name?: unknown; image?: unknown } | null) => ({
      name: String(each?.name),
      image: String(each?.image),
    }))
    .filter(({ name, image }) => isImage(image) && !['jnlp', 'undefined'].includes(name));
}

export function settle(agent: Agent, step: Step): void {
  step.image = agent.image;
  step.above.push(...agent.notes);
  for (const folder of agent.cache) step.cache.add(folder);
}

/** `tools { maven 'M3'; jdk 'jdk17' }`. A tool that a parameter names is the one that is its default. */
export function readTools(call: Call, scope: Scope, draft: Draft): Map<string, string> {
  const tools = new Map<string, string>();
  for (const tool of call.block ?? []) {
    if (tool.kind !== 'call') continue;
    const value = tool.args[0];
    const parameter = value?.kind === 'code' ? draft.parameters.get(value.source.replace(/^params\./, '')) : undefined;
    const name = textArgument(tool, 'name', scope) ?? parameter?.default ?? toFileValue(value, scope);
    tools.set(tool.name.split('.').at(-1) ?? '', name ?? '');
  }
  return tools;
}
