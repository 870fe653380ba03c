/** What an engine says about the containers of one stack. Looks only; changes nothing. */
import type Docker from 'dockerode';
import { AppError, messageOf, RemoteError } from '../../pipelines/errors.ts';
import type { ObservedService } from '../../pipelines/model.ts';
import type { StackRef } from '../../pipelines/ports.ts';
import { engineMessage, statusCodeOf } from './containers.ts';

/** An engine that does not answer its first question for this long (ms) is away. */
const ANSWER_WITHIN = 8_000;

/** A container of a stack, as the engine describes it. */
export interface StackContainer {
  service: string;
  name: string;
  info: Docker.ContainerInspectInfo;
}

/**
 * Containers of the stack, running or not, without one-off ones (`compose run`). Throws
 * `RemoteError('engine', 'unreachable' | 'timeout')` where the engine is away.
 */
export async function stackContainers(docker: Docker, stack: StackRef, signal: AbortSignal): Promise<StackContainer[]> {
  const listed = await listContainers(docker, stack, signal);
  const found = await Promise.all(
    listed
      .filter((container) => container.Labels['com.docker.compose.oneoff']?.toLowerCase() !== 'true')
      .map((container) => unlessGone(docker.getContainer(container.Id).inspect({ abortSignal: signal }))),
  );
  return found
    .filter((info) => info !== null)
    .map((info) => ({
      service: info.Config.Labels['com.docker.compose.service'] ?? info.Name.slice(1),
      name: info.Name.slice(1),
      info,
    }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

async function listContainers(docker: Docker, stack: StackRef, signal: AbortSignal): Promise<Docker.ContainerInfo[]> {
  const patience = AbortSignal.timeout(ANSWER_WITHIN);
  try {
    return await docker.listContainers({
      all: true,
      filters: { label: [`com.docker.compose.project=${stack.composeProject}`] },
      abortSignal: AbortSignal.any([signal, patience]),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw engineError(stack, error, patience.aborted);
  }
}

/** A failed call of the engine as what users can mend. */
function engineError(stack: StackRef, error: unknown, timedOut: boolean): AppError {
  const { host } = stack.engine;
  if (error instanceof AppError) return error;
  if (timedOut) return new RemoteError('engine', 'unreachable', `the engine at ${host} does not answer`, error);
  if (statusCodeOf(error) !== undefined) {
    return new RemoteError('engine', 'refused', `the engine at ${host} refused: ${engineMessage(error)}`, error);
  }
  return new RemoteError(
    'engine',
    'unreachable',
    `the engine at ${host} cannot be reached: ${messageOf(error)}`,
    error,
  );
}

/** null where what was asked for has gone meanwhile. */
async function unlessGone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (statusCodeOf(error) === 404) return null;
    throw error;
  }
}

/** Ended as a one-shot should: not meant to be started again, exit code 0. */
export function isFinished({ info }: StackContainer): boolean {
  const policy = info.HostConfig.RestartPolicy?.Name ?? '';
  return info.State.Status === 'exited' && info.State.ExitCode === 0 && ['', 'no', 'on-failure'].includes(policy);
}

function isHealthy(container: StackContainer): boolean {
  const { State } = container.info;
  if (isFinished(container)) return true;
  return State.Running && !State.Restarting && ['', 'none', 'healthy'].includes(State.Health?.Status ?? '');
}

/** Containers by service, as people want to see them. A one-shot that has done its work counts as a healthy replica. */
export async function summarize(
  docker: Docker,
  containers: StackContainer[],
  signal: AbortSignal,
): Promise<ObservedService[]> {
  const digests = await digestsOf(docker, containers, signal);
  const services = new Map<string, StackContainer[]>();
  for (const container of containers) {
    services.set(container.service, [...(services.get(container.service) ?? []), container]);
  }
  return [...services].map(([name, members]) => {
    const seen = new Set(members.map((member) => digests.get(member.info.Id) ?? null));
    return {
      name,
      replicas: members.filter(
        (member) => isFinished(member) || (member.info.State.Running && !member.info.State.Restarting),
      ).length,
      healthy: members.filter(isHealthy).length,
      digest: seen.size === 1 ? ([...seen][0] ?? null) : null,
    };
  });
}

/** Digest by container id; null where it cannot be proven. */
export async function digestsOf(
  docker: Docker,
  containers: StackContainer[],
  signal: AbortSignal,
): Promise<Map<string, string | null>> {
  const images = new Map<string, Promise<Docker.ImageInspectInfo | null>>();
  const inspectImage = (id: string): Promise<Docker.ImageInspectInfo | null> => {
    const asked =
      images.get(id) ?? unlessGone(docker.getImage(id).inspect({ abortSignal: signal } as Docker.ImageInspectOptions));
    images.set(id, asked);
    return asked;
  };
  return new Map(
    await Promise.all(
      containers.map(async ({ info }) => [info.Id, provenDigest(info, await inspectImage(info.Image))] as const),
    ),
  );
}

/**
 * The digest a container was asked to run, if the image it really runs bears it: a reference by digest must be among the
 * image's own, an image id must be its id. A tag proves nothing.
 */
export function provenDigest(
  container: Pick<Docker.ContainerInspectInfo, 'Image'> & { Config: { Image: string } },
  image: Pick<Docker.ImageInspectInfo, 'Id' | 'RepoDigests'> | null,
): string | null {
  const asked = /(?:^|@)(sha256:[0-9a-f]{64})$/.exec(container.Config.Image)?.[1];
  if (!asked) return null;
  if (asked === container.Image) return asked;
  return image?.RepoDigests?.some((known) => known.endsWith(`@${asked}`)) ? asked : null;
}
