/** What a pipeline file means beyond its shape: names that must exist, cycles, and keys that exclude each other. */
import { suggestion } from './nearest.ts';
import { matrixCells } from './plan-matrix.ts';
import type { FileStep, FileVerifyStep, PipelineFile } from './schema.ts';
import { fillIn } from './templates.ts';
import { unknownVariable, VARIABLES } from './variables.ts';

export interface Fault {
  message: string;
  path: string[];
}

const MAX_STEPS = 200;
const MAX_CELLS = 50;

/** All faults of a file whose shape is right. */
export function faultsOf(file: PipelineFile): Fault[] {
  const verify = file.release?.verify ?? {};
  // First, so that what follows may take its time over each.
  for (const [path, steps] of [
    [['steps'], file.steps],
    [['release', 'verify'], verify],
  ] as const) {
    const count = Object.keys(steps).length;
    if (count > MAX_STEPS) return [{ path: [...path], message: `${count} steps are too many: at most ${MAX_STEPS}` }];
  }
  return [
    ...graphFaults(file.steps, ['steps']),
    ...graphFaults(verify, ['release', 'verify']),
    ...Object.entries(file.steps).flatMap(([name, step]) => stepFaults(step, ['steps', name])),
    ...Object.entries(verify).flatMap(([name, step]) => scriptFaults(step, ['release', 'verify', name])),
    ...sizeFaults(file),
    ...parameterFaults(file),
    ...variableFaults(file),
  ];
}

function sizeFaults(file: PipelineFile): Fault[] {
  const path = ['steps'];
  if (Object.keys(file.steps).length === 0) return [{ path, message: 'expected at least one step' }];
  const taken = new Map<string, string>();
  const faults: Fault[] = [];
  for (const [name, { matrix = {} }] of Object.entries(file.steps)) {
    const count = Object.values(matrix).reduce((product, values) => product * values.length, 1);
    if (count === 0 || count > MAX_CELLS) {
      faults.push({
        path: ['steps', name, 'matrix'],
        message: `expected 1 to ${MAX_CELLS} combinations, not ${count}`,
      });
      continue;
    }
    for (const cell of matrixCells(name, matrix)) {
      const other = taken.get(cell.name);
      if (other) faults.push({ path: ['steps', name], message: `there would be two steps named "${cell.name}"` });
      taken.set(cell.name, name);
    }
  }
  if (taken.size > MAX_STEPS)
    faults.push({ path, message: `with their matrices, ${taken.size} steps are too many: at most ${MAX_STEPS}` });
  return faults;
}

function stepFaults(step: FileStep, path: string[]): Fault[] {
  if (!step.build) return scriptFaults(step, path);
  const only = [
    'run',
    'image',
    'host',
    'env',
    'services',
    'cache',
    'artifacts',
    'junit',
    'memory',
    'cpus',
    'reuse',
  ] as const;
  const faults = only
    .filter((key) => step[key] !== undefined)
    .map((key) => ({
      path: [...path, key],
      message: `a step with "build" cannot have "${key}" too: make two steps of it`,
    }));
  const secret =
    'args' in step.build ? Object.keys(step.build.args ?? {}).find((arg) => step.secrets?.includes(arg)) : undefined;
  if (secret) {
    const message = `"${secret}" is a secret, and a build argument stays readable in the image: use RUN --mount=type=secret,id=${secret}`;
    faults.push({ path: [...path, 'build', 'args', secret], message });
  }
  return faults;
}

function scriptFaults(step: FileStep | FileVerifyStep, path: string[]): Fault[] {
  const host = 'host' in step && step.host === true;
  const at = (message: string, key?: string): Fault => ({ message, path: key ? [...path, key] : path });
  if (!step.run) {
    return [at(path[0] === 'steps' ? 'a step needs either "run" (with "image") or "build"' : 'a step needs "run"')];
  }
  if (step.run.every((command) => command.trim() === '')) return [at('expected at least one command', 'run')];
  if (step.run.some((command) => command.includes('\0'))) return [at('a command cannot contain NUL', 'run')];
  if (host && step.image) return [at('a step has either "image" or "host: true"', 'host')];
  if (!host && !step.image) return [at('"image" is missing: which container do the commands run in?')];
  if (host && (step.services ?? step.cache))
    return [at('a step on the host has neither "services" nor "cache"', 'host')];
  return [];
}

type Graph = Readonly<Record<string, { needs?: string[] | undefined }>>;

/** Needs that do not exist, and cycles: each is told once, with the steps in it. */
function graphFaults(steps: Graph, path: string[]): Fault[] {
  const names = Object.keys(steps);
  const faults: Fault[] = [];
  for (const [name, { needs = [] }] of Object.entries(steps)) {
    for (const [index, need] of needs.entries()) {
      if (Object.hasOwn(steps, need)) continue;
      const others = names.filter((other) => other !== name);
      faults.push({
        path: [...path, name, 'needs', String(index)],
        message: `there is no step "${need}"${suggestion(need, others)}`,
      });
    }
  }
  const cycle = findCycle(stepNeeds(steps));
  if (cycle) {
    const message = `these steps need each other in a circle: ${[...cycle, cycle[0]].join(' → ')}`;
    faults.push({ path: [...path, cycle[0] ?? '', 'needs'], message });
  }
  return faults;
}

/** What each step needs, by name: the step above it where it does not say. */
export function stepNeeds(steps: Graph): Map<string, string[]> {
  const needs = new Map<string, string[]>();
  let above: string[] = [];
  for (const [name, step] of Object.entries(steps)) {
    needs.set(name, [...new Set(step.needs ?? above)]);
    above = [name];
  }
  return needs;
}

function findCycle(needs: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const visit = (name: string, trail: string[]): string[] | null => {
    if (trail.includes(name)) return trail.slice(trail.indexOf(name));
    if (done.has(name)) return null;
    for (const need of needs.get(name) ?? []) {
      const cycle = visit(need, [...trail, name]);
      if (cycle) return cycle;
    }
    done.add(name);
    return null;
  };
  for (const name of needs.keys()) {
    const cycle = visit(name, []);
    if (cycle) return cycle;
  }
  return null;
}

function parameterFaults(file: PipelineFile): Fault[] {
  const faults: Fault[] = [];
  const variables = new Set<string>();
  for (const [name, parameter] of Object.entries(file.parameters ?? {})) {
    const path = ['parameters', name];
    if (variables.has(name.toUpperCase()))
      faults.push({ path, message: `${name.toUpperCase()} would be set by two parameters` });
    variables.add(name.toUpperCase());
    if ((parameter.type === 'choice') !== (parameter.options?.length ?? 0) > 0) {
      faults.push({ path, message: '"options" belongs to a parameter with "type: choice", which needs it' });
    } else if (parameter.default !== undefined) {
      const message = faultOfParameter(parameter, parameter.default);
      if (message) faults.push({ path: [...path, 'default'], message });
    }
  }
  return faults;
}

type Parameter = NonNullable<PipelineFile['parameters']>[string];

/** Why a value cannot be given for a parameter, or null. */
export function faultOfParameter({ type, options = [] }: Parameter, value: string): string | null {
  if (value.length > 4096 || value.includes('\0')) return 'expected a text of at most 4096 characters';
  if (type === 'boolean' && !['true', 'false'].includes(value)) return 'expected true or false';
  if (type === 'number' && !/^-?\d+(\.\d+)?$/.test(value)) return 'expected a number';
  return type === 'choice' && !options.includes(value) ? `expected one of ${options.join(', ')}` : null;
}

function variableFaults(file: PipelineFile): Fault[] {
  const faults: Fault[] = [];
  const look = (value: unknown, path: string[], names: readonly string[]) =>
    fillIn(value, path, (text, place) => {
      const message = unknownVariable(text, names);
      if (message) faults.push({ path: place.path, message });
      return text;
    });
  look(file.env, ['env'], VARIABLES);
  for (const [name, step] of Object.entries(file.steps)) {
    const ofMatrix = Object.keys(step.matrix ?? {}).map((key) => `matrix.${key}`);
    look(step, ['steps', name], [...VARIABLES, ...ofMatrix]);
  }
  const { version, verify, ...rest } = file.release ?? {};
  look(
    version,
    ['release', 'version'],
    VARIABLES.filter((name) => name !== 'version'),
  );
  look(rest, ['release'], VARIABLES);
  for (const [name, step] of Object.entries(verify ?? {})) look(step, ['release', 'verify', name], VARIABLES);
  return faults;
}
