/** Containers beside a step, in a network of their own, reachable under their names. */
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { type AppError, invalid } from '../../pipelines/errors.ts';
import type { ServiceSpec } from '../../pipelines/model.ts';
import { LABEL, withRole } from '../labels.ts';
import { asEngineError, demux, envList, removeBehind, removeContainer, removeNetwork } from '../tools/containers.ts';
import type { StepContext } from './step.ts';

const POLL_MS = 100;
const HEALTHY_WITHIN_MS = 2 * 60_000;
const LAST_LINES = 50;
const PIDS = 4096;

/**
 * Calls `work` with the network (null without services) once every service runs, and is healthy where its image has a
 * health check. Services and network are removed afterwards: behind the result, or before the rejection.
 */
export async function withServices<T>(
  docker: Docker,
  services: readonly ServiceSpec[],
  ensure: (image: string) => Promise<Docker.ImageInspectInfo>,
  context: StepContext,
  work: (network: string | null) => Promise<T>,
): Promise<T> {
  if (services.length === 0) return work(null);
  const images = await Promise.all(services.map(({ image }) => ensure(image)));
  const made: string[] = [];
  const network = await createNetwork(docker, context);
  const remove = async () => {
    await Promise.all(made.map((id) => removeContainer(docker, id)));
    await removeNetwork(docker, network);
  };
  let done = false;
  try {
    for (const [index, service] of services.entries()) {
      context.signal.throwIfAborted();
      made.push(await createService(docker, service, images[index]?.Id ?? service.image, network, context));
    }
    await Promise.all(made.map((id) => docker.getContainer(id).start())).catch((error) =>
      Promise.reject(asEngineError(error)),
    );
    await Promise.all(
      services.map((service, index) => untilReady(docker.getContainer(made[index] as string), service, context)),
    );
    const result = await work(network);
    done = true;
    return result;
  } finally {
    if (done) removeBehind(`the services of ${context.labels[LABEL.step]}`, remove);
    else await remove();
  }
}

async function createNetwork(docker: Docker, { claim, labels, settings, attempt }: StepContext): Promise<string> {
  const name = `slipway-${settings.instance.slice(0, 8)}-${claim.runId}-${labels[LABEL.step]}-${attempt}`;
  try {
    return (await docker.createNetwork({ Name: name, Driver: 'bridge', Labels: labels })).id;
  } catch (error) {
    throw asEngineError(error);
  }
}

async function createService(
  docker: Docker,
  service: ServiceSpec,
  image: string,
  network: string,
  context: StepContext,
): Promise<string> {
  try {
    const container = await docker.createContainer({
      Image: image,
      ...(service.command ? { Cmd: service.command } : {}),
      Env: envList(service.env),
      Labels: withRole(context.labels, 'service'),
      HostConfig: { NetworkMode: network, PidsLimit: PIDS, Init: true },
      NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [service.name] } } },
    });
    return container.id;
  } catch (error) {
    throw asEngineError(error);
  }
}

async function untilReady(container: Docker.Container, service: ServiceSpec, context: StepContext): Promise<void> {
  const limit = AbortSignal.timeout(HEALTHY_WITHIN_MS);
  for (;;) {
    context.signal.throwIfAborted();
    const { State: state } = await container.inspect();
    if (!state.Running) throw await notReady(container, service, `ended with exit code ${state.ExitCode}`, context);
    const health = state.Health?.Status ?? 'none';
    if (health === 'none' || health === 'healthy') return;
    if (health === 'unhealthy') throw await notReady(container, service, 'is unhealthy', context);
    if (limit.aborted) throw await notReady(container, service, 'did not become healthy within 2 minutes', context);
    await delay(POLL_MS);
  }
}

/** With the service's last words in the log: its container is about to be removed. */
async function notReady(
  container: Docker.Container,
  service: ServiceSpec,
  what: string,
  { log }: StepContext,
): Promise<AppError> {
  log.notice(`service ${service.name} ${what}; its last lines:`);
  const lines = await container.logs({ stdout: true, stderr: true, tail: LAST_LINES });
  for await (const bytes of demux(oneChunk(lines))) log.write(bytes);
  return invalid(`service ${service.name} ${what}`, `services.${service.name}`);
}

async function* oneChunk(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}
