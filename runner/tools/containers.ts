/** One script in one container, through the engine's API: no CLI start-up, no byte of output lost, nothing left behind. */

import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { messageOf, RemoteError } from '../../pipelines/errors.ts';

export interface ContainerSpec {
  /** Must be on the engine: see `ensureImage`. */
  image: string;
  /** Run by `sh -e`; at most 120 KiB, for it travels as one argument. */
  script: string;
  env: Record<string, string>;
  mounts: ContainerMount[];
  workdir: string;
  labels: Record<string, string>;
  /** The networks it joins, by name or id; none = the engine's default bridge. */
  networks: string[];
  limits: { memory: number | null; cpus: number | null; pids?: number };
  /** A tar stream unpacked at `/` before the start. */
  files?: Readable;
  /** Leave the container, ended, for `readFromContainer`; the caller removes it with `removeContainer`. */
  keep?: boolean;
}

export type ContainerMount =
  /** A folder of the engine's machine. */
  | { kind: 'folder'; source: string; target: string; readOnly?: boolean }
  /** A named volume, made with these labels where it is missing. */
  | { kind: 'volume'; source: string; target: string; labels: Record<string, string>; readOnly?: boolean };

export interface ContainerExit {
  exitCode: number;
  oomKilled: boolean;
  id: string;
}

const DEFAULT_PIDS = 4096;
/** For a script's own clean-up on TERM, before KILL. */
const STOP_GRACE_SECONDS = 3;
/** For output still under way once a stopped container is gone. */
const LAST_WORDS_MS = 500;

/**
 * Runs `spec` to its end. `onOutput` gets stdout and stderr as they arrive; while it is pending, the container is held
 * back. An abort of `signal` stops the container (TERM, then KILL), removes it, and rejects with the signal's reason.
 * Otherwise the removal goes on behind the result: see `pendingRemovals`. Engine faults are `RemoteError('engine', …)`.
 */
export async function runContainer(
  docker: Docker,
  spec: ContainerSpec,
  io: { onOutput(bytes: Uint8Array): void | Promise<void> },
  signal: AbortSignal,
): Promise<ContainerExit> {
  signal.throwIfAborted();
  const container = await createContainer(docker, spec);
  let ended = false;
  try {
    const exitCode = await runToEnd(docker, container, spec, io, signal);
    signal.throwIfAborted();
    const oomKilled = exitCode !== 0 && (await wasOomKilled(container, spec, exitCode));
    ended = true;
    return { exitCode, oomKilled, id: container.id };
  } catch (error) {
    signal.throwIfAborted();
    throw asEngineError(error);
  } finally {
    if (signal.aborted || !ended) await removeContainer(docker, container.id);
    else if (!spec.keep) removeBehind(`container ${container.id}`, () => removeContainer(docker, container.id));
  }
}

async function createContainer(docker: Docker, spec: ContainerSpec): Promise<Docker.Container> {
  try {
    return await docker.createContainer(createOptions(spec));
  } catch (error) {
    throw asEngineError(error);
  }
}

function createOptions(spec: ContainerSpec): Docker.ContainerCreateOptions {
  const { memory, cpus, pids = DEFAULT_PIDS } = spec.limits;
  return {
    Image: spec.image,
    Entrypoint: ['sh'],
    Cmd: ['-e', '-c', spec.script],
    Env: envList(spec.env),
    WorkingDir: spec.workdir,
    Labels: spec.labels,
    AttachStdout: true,
    AttachStderr: true,
    // A health check of the image means nothing for a script, and costs processes.
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      // Reaps what the script leaves, and passes TERM on: without it a stop waits out its grace.
      Init: true,
      Mounts: spec.mounts.map(mountSettings),
      PidsLimit: pids,
      // The engine keeps no copy of the output.
      LogConfig: { Type: 'none', Config: {} },
      ...(memory === null ? {} : { Memory: memory, MemorySwap: memory }),
      ...(cpus === null ? {} : { NanoCpus: Math.round(cpus * 1e9) }),
      ...(spec.networks[0] === undefined ? {} : { NetworkMode: spec.networks[0] }),
    },
  };
}

export const envList = (env: Record<string, string>): string[] =>
  Object.entries(env).map(([name, value]) => `${name}=${value}`);

function mountSettings(mount: ContainerMount): Docker.MountSettings {
  const common = { Source: mount.source, Target: mount.target, ReadOnly: mount.readOnly ?? false };
  if (mount.kind === 'folder') return { Type: 'bind', ...common };
  const options = { Labels: mount.labels, NoCopy: false } as NonNullable<Docker.MountSettings['VolumeOptions']>;
  return { Type: 'volume', ...common, VolumeOptions: options };
}

async function runToEnd(
  docker: Docker,
  container: Docker.Container,
  spec: ContainerSpec,
  io: { onOutput(bytes: Uint8Array): void | Promise<void> },
  signal: AbortSignal,
): Promise<number> {
  for (const network of spec.networks.slice(1)) await docker.getNetwork(network).connect({ Container: container.id });
  if (spec.files) await container.putArchive(spec.files, { path: '/' });
  const output = (await container.attach({
    stream: true,
    hijack: true,
    stdout: true,
    stderr: true,
  })) as unknown as Readable;
  try {
    signal.throwIfAborted();
    await container.start();
    const ended = Promise.all([container.wait() as Promise<{ StatusCode: number }>, forward(output, io)]);
    const [{ StatusCode }] = await orStopped(ended, container, signal);
    return StatusCode;
  } finally {
    output.destroy();
  }
}

async function forward(output: Readable, io: { onOutput(bytes: Uint8Array): void | Promise<void> }): Promise<void> {
  for await (const bytes of demux(output)) await io.onOutput(bytes);
}

/**
 * The payload of the engine's stream of frames (an 8-byte header: stream, three zeros, big-endian length), in the order
 * it arrived. Reads no further than its consumer.
 */
export async function* demux(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const header = Buffer.alloc(8);
  let headerBytes = 0;
  let left = 0;
  for await (const chunk of stream) {
    let at = 0;
    while (at < chunk.length) {
      if (left > 0) {
        const payload = chunk.subarray(at, at + left);
        left -= payload.length;
        at += payload.length;
        yield payload;
        continue;
      }
      const part = chunk.subarray(at, at + 8 - headerBytes);
      header.set(part, headerBytes);
      headerBytes += part.length;
      at += part.length;
      if (headerBytes < 8) continue;
      left = header.readUInt32BE(4);
      headerBytes = 0;
    }
  }
}

/** `ended`; or, when what is left of the output cannot be got rid of after a stop, the signal's reason. */
function orStopped<T>(ended: Promise<T>, container: Docker.Container, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = async () => {
      // The engine calls a container ended only once its output was read, and that may be what nobody does any more.
      const stopped = ignoring([304, 404], () => container.stop({ t: STOP_GRACE_SECONDS }));
      await Promise.race([stopped, delay(STOP_GRACE_SECONDS * 1_000 + LAST_WORDS_MS)]);
      await delay(LAST_WORDS_MS);
      throw signal.reason;
    };
    const onAbort = () => void stop().catch(reject);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    ended.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** The engine's own flag comes late or not at all for a child of the script: a KILL under a limit counts, too. */
async function wasOomKilled(container: Docker.Container, spec: ContainerSpec, exitCode: number): Promise<boolean> {
  if (exitCode === 137 && spec.limits.memory !== null) return true;
  return (await container.inspect()).State.OOMKilled;
}

/** Ends and removes a container with its anonymous volumes. One that is gone is fine. */
export const removeContainer = (docker: Docker, id: string): Promise<void> =>
  ignoring([404, 409], () => docker.getContainer(id).remove({ force: true, v: true }));

/** Removes a network. One that is gone is fine. */
export const removeNetwork = (docker: Docker, id: string): Promise<void> =>
  ignoring([404], () => docker.getNetwork(id).remove());

/** 409 of a removal means that one is under way already. */
async function ignoring(statusCodes: number[], call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (!statusCodes.includes(statusCodeOf(error) ?? 0)) throw asEngineError(error);
  }
}

const removals = new Set<Promise<void>>();

/** Starts a removal that nobody waits for: removing a container takes as long as running it. */
export function removeBehind(what: string, remove: () => Promise<void>): void {
  const removal = remove()
    .catch((error) => console.error(`slipway: removing ${what} failed: ${messageOf(error)}`))
    .finally(() => removals.delete(removal));
  removals.add(removal);
}

/** Resolves when no removal is under way any more. */
export async function pendingRemovals(): Promise<void> {
  while (removals.size > 0) await Promise.all(removals);
}

export const statusCodeOf = (error: unknown): number | undefined => (error as { statusCode?: number }).statusCode;

/** What the engine or its socket said, as an error for users. Errors that are already fit for them pass through. */
export function asEngineError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EACCES' || code === 'ECONNRESET' || code === 'EPIPE') {
    return new RemoteError('engine', 'unreachable', `the Docker engine cannot be reached (${code})`, error);
  }
  const statusCode = statusCodeOf(error);
  if (statusCode === undefined) return error;
  const said = engineMessage(error);
  return new RemoteError(
    'engine',
    statusCode === 404 ? 'not-found' : 'refused',
    `the Docker engine refused: ${said}`,
    error,
  );
}

/** The engine's own words, without the client's frame around them. */
export const engineMessage = (error: unknown): string =>
  (error as { json?: { message?: string } | null }).json?.message ??
  messageOf(error)
    .replace(/^\(HTTP code \d+\) .*? - /, '')
    .trim();
