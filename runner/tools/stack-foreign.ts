/** What a stack may not lay hands on: on an engine that environments and projects share, names are all that keeps them apart. */
import type Docker from 'dockerode';
import { parseCompose } from '../../pipelines/compose/document.ts';
import { nameOnEngine } from '../../pipelines/compose/policy.ts';
import { conflict } from '../../pipelines/errors.ts';
import type { StackRef } from '../../pipelines/ports.ts';
import { LABEL } from '../labels.ts';
import { statusCodeOf } from './containers.ts';
import type { StackContainer } from './stack-observe.ts';

type Labels = Record<string, string> | null | undefined;

/** A Compose project of the same name that is not this very stack must not be taken over. */
export function refuseForeign(stack: StackRef, containers: readonly StackContainer[]): void {
  const foreign = containers.filter(({ info }) => !sameIn(stack, info.Config.Labels, [...OWNER, LABEL.stack]));
  const [first] = foreign;
  if (!first) return;
  const ours = first.info.Config.Labels[LABEL.instance] === stack.labels[LABEL.instance];
  const whose = ours ? `which is ${ownerOf(first.info.Config.Labels)}` : 'that this Slipway did not make';
  throw conflict(
    `the engine at ${stack.engine.host} already runs a Compose project ${stack.composeProject} ${whose} ` +
      `(${foreign.map(({ name }) => name).join(', ')}): remove it there, or give the stack another name`,
  );
}

/**
 * Volumes and networks that the text names, or makes, must not be those of another project or environment, nor of
 * another installation. What bears no label of Slipway's was made by people, for sharing.
 */
export async function refuseForeignParts(
  docker: Docker,
  stack: StackRef,
  text: string,
  signal: AbortSignal,
): Promise<void> {
  const { volumes, networks } = parseCompose(text, 'the rendered compose file');
  const onEngine = (key: string, entry: Record<string, unknown>) =>
    nameOnEngine(key, entry) || `${stack.composeProject}_${key}`;
  await Promise.all([
    ...Object.entries(volumes).map(async ([key, entry]) => {
      const name = onEngine(key, entry);
      refusePart(stack, `volumes.${key}`, name, await labelsOfVolume(docker, name, signal));
    }),
    ...Object.entries(networks).map(async ([key, entry]) => {
      const name = onEngine(key, entry);
      const alike = await docker.listNetworks({ filters: { name: [name] }, abortSignal: signal });
      refusePart(stack, `networks.${key}`, name, alike.find(({ Name }) => Name === name)?.Labels);
    }),
  ]);
}

const OWNER = [LABEL.instance, LABEL.project, LABEL.environment];

const sameIn = (stack: StackRef, labels: Labels, keys: readonly string[]): boolean =>
  keys.every((key) => labels?.[key] === stack.labels[key]);

function refusePart(stack: StackRef, field: string, name: string, labels: Labels): void {
  if (labels?.[LABEL.instance] === undefined || sameIn(stack, labels, OWNER)) return;
  throw conflict(`${field}: ${name} on the engine is ${ownerOf(labels)}, and not for ${stack.composeProject}`);
}

function ownerOf(labels: Labels): string {
  const names = [LABEL.project, LABEL.environment, LABEL.stack].flatMap((key) => labels?.[key] ?? []);
  return names.length > 0 ? `that of ${names.join(' / ')}` : 'that of a run of Slipway';
}

async function labelsOfVolume(docker: Docker, name: string, signal: AbortSignal): Promise<Labels> {
  try {
    return (await docker.getVolume(name).inspect({ abortSignal: signal })).Labels;
  } catch (error) {
    if (statusCodeOf(error) === 404) return null;
    throw error;
  }
}
