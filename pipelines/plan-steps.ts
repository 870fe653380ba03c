/** The steps of a file as a runner gets them: variables filled in, matrices expanded, conditions decided. */
import { matchesBranch } from './branches.ts';
import { stepNeeds } from './check.ts';
import { invalid } from './errors.ts';
import type {
  ImageBuild,
  ImageStep,
  PlannedStep,
  RunStep,
  ScriptSpec,
  ServiceSpec,
  Trigger,
  VerifyStep,
} from './model.ts';
import { matchesAny } from './patterns.ts';
import { matrixCells } from './plan-matrix.ts';
import type { FileStep, FileVerifyStep, PipelineFile } from './schema.ts';
import { fillIn } from './templates.ts';
import { faultOfImage, faultOfPath, faultOfRepository, faultOfTag } from './values.ts';
import { asTag, substitute } from './variables.ts';

export type Variables = Readonly<Record<string, string>> & { readonly version: string };

/**
 * Fills in a part of the file. The branch, which anybody may have named, is itself only where any text may be; in names,
 * tags and paths it is what `asTag` makes of it.
 */
export function fillWith<Value>(value: Value, path: string[], variables: Readonly<Record<string, string>>): Value {
  const tame = { ...variables, branch: asTag(variables.branch ?? '') };
  return fillIn(value, path, (text, place) =>
    substitute(text, place.free ? variables : tame, (name) => {
      throw invalid(`unknown variable "${name}" in ${place.path.join('.')}`, place.path.join('.'));
    }),
  );
}

interface Occasion {
  branch: string;
  trigger: Trigger;
  changedPaths: string[] | null;
}

export function buildSteps(file: PipelineFile, variables: Variables, occasion: Occasion): PlannedStep[] {
  const needs = stepNeeds(file.steps);
  const cells = new Map(Object.entries(file.steps).map(([name, step]) => [name, matrixCells(name, step.matrix)]));
  return Object.entries(file.steps).flatMap(([name, step]) =>
    (cells.get(name) ?? []).map((cell) => {
      const filled = fillWith(step, ['steps', name], { ...variables, ...cell.variables });
      const needed = (needs.get(name) ?? []).flatMap((need) => (cells.get(need) ?? []).map((each) => each.name));
      return planStep(filled, { name: cell.name, needs: needed, skip: whySkipped(step.when, occasion) }, [
        'steps',
        name,
      ]);
    }),
  );
}

/** Verify steps run one after the other unless they say otherwise; none has a condition or a matrix. */
export function verifySteps(verify: Readonly<Record<string, FileVerifyStep>>, variables: Variables): VerifyStep[] {
  const needs = stepNeeds(verify);
  return Object.entries(verify).map(([name, step]) => {
    const path = ['release', 'verify', name];
    const place = { name, needs: needs.get(name) ?? [], skip: null };
    const filled = fillWith(step, path, variables);
    return { ...common(filled, place), ...scriptOf(filled, path), kind: 'verify' };
  });
}

interface Place {
  name: string;
  needs: string[];
  skip: string | null;
}

function planStep(step: FileStep, place: Place, path: string[]): RunStep | ImageStep {
  if (!step.build) return { ...common(step, place), ...scriptOf(step, path), kind: 'run' };
  const build = 'compose' in step.build ? step.build : imageBuildOf(step.build, [...path, 'build']);
  if ('compose' in build) demand(faultOfPath, build.compose, [...path, 'build', 'compose']);
  return { ...common(step, place), kind: 'image', build, secrets: step.secrets ?? [] };
}

const common = (step: FileVerifyStep, place: Place) => ({
  ...place,
  timeout: step.timeout ?? null,
  retry: step.retry ?? 0,
  allowFailure: step.allow_failure ?? false,
});

function scriptOf(step: FileStep | FileVerifyStep, path: string[]): ScriptSpec {
  const { image = null, artifacts = [], junit = [], services = {} } = step;
  if (image !== null) demand(faultOfImage, image, [...path, 'image']);
  for (const file of artifacts) demand(faultOfPath, file, [...path, 'artifacts']);
  for (const file of junit) demand(faultOfPath, file, [...path, 'junit']);
  return {
    image,
    run: step.run ?? [],
    env: step.env ?? {},
    secrets: step.secrets ?? [],
    services: Object.entries(services).map(([name, service]): ServiceSpec => {
      demand(faultOfImage, service.image, [...path, 'services', name, 'image']);
      return { name, image: service.image, env: service.env ?? {}, command: service.command ?? null };
    }),
    cache: step.cache ?? [],
    artifacts,
    junit,
    memory: step.memory ?? null,
    cpus: step.cpus ?? null,
    reuse: 'reuse' in step && step.reuse === true,
  };
}

type FileImageBuild = Extract<NonNullable<FileStep['build']>, { image: string }>;

function imageBuildOf(build: FileImageBuild, path: string[]): ImageBuild {
  const { context = '.', dockerfile = null, tags = [] } = build;
  const image = build.image.toLowerCase();
  demand(faultOfRepository, image, [...path, 'image']);
  demand(faultOfPath, context, [...path, 'context']);
  if (dockerfile !== null) demand(faultOfPath, dockerfile, [...path, 'dockerfile']);
  const legal = tags.map((tag) => tag.slice(0, 128));
  for (const tag of legal) demand(faultOfTag, tag, [...path, 'tags']);
  return {
    image,
    context,
    dockerfile,
    target: build.target ?? null,
    args: build.args ?? {},
    tags: [...new Set(legal)],
  };
}

/** What was checked with placeholders is checked once more as it really is. */
function demand(fault: (value: string) => string | null, value: string, path: string[]): void {
  const message = fault(value);
  if (message) throw invalid(`${path.join('.')} is "${value}": ${message}`, path.join('.'));
}

/** Why `when` leaves a step out, as a sentence; null where it does not. */
function whySkipped(when: FileStep['when'], { branch, trigger, changedPaths }: Occasion): string | null {
  if (when?.branch && !matchesBranch(when.branch, branch))
    return `only for branch ${list(when.branch)}, and this is ${branch}`;
  if (when?.trigger && !when.trigger.includes(trigger))
    return `only for trigger ${list(when.trigger)}, and this is ${trigger}`;
  const { paths } = when ?? {};
  if (paths && changedPaths && !changedPaths.some((path) => matchesAny(paths, path)))
    return `no change in ${list(paths)}`;
  return null;
}

const list = (items: readonly string[]): string => items.join(', ');
