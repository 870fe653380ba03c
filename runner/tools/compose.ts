/** Stacks on a Docker engine, put in place by Compose and observed through the engine's API. */
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { conflict, messageOf, RemoteError } from '../../pipelines/errors.ts';
import type { EngineSpec, ObservedService, RegistryCredentials, RegistrySpec } from '../../pipelines/model.ts';
import type { Notice, RenderedStack, StackEngine, StackRef } from '../../pipelines/ports.ts';
import { runCompose } from './compose-cli.ts';
import { asEngineError, demux, removeContainer, removeNetwork } from './containers.ts';
import { engineClient } from './engine.ts';
import { credentialsFor, ensureImage } from './pull.ts';
import { refuseForeign, refuseForeignParts } from './stack-foreign.ts';
import { judge, judgeStack, type StackReport, wantedReplicas } from './stack-health.ts';
import { digestsOf, type StackContainer, stackContainers, summarize } from './stack-observe.ts';

const POLL_EVERY = 250;
/** Lines of each bad container's log that are shown. */
const LOG_TAIL = 30;
/** What explaining a failure may take (ms) once the deadline has passed. */
const EXPLAIN_WITHIN = 5_000;

/** The engine of this kind. `registry` is whom the credentials of a deployment are for. */
export function stackEngine(spec: EngineSpec, registry: RegistrySpec | null): StackEngine {
  if (spec.kind === 'compose') return new ComposeEngine(registry);
  throw new RemoteError('engine', 'protocol', 'Swarm stacks cannot be deployed yet: use an engine of kind compose');
}

export class ComposeEngine implements StackEngine {
  readonly #registry: RegistrySpec | null;

  constructor(registry: RegistrySpec | null) {
    this.#registry = registry;
  }

  async observe(stack: StackRef, signal: AbortSignal): Promise<ObservedService[]> {
    const docker = engineClient(stack.engine);
    return summarize(docker, await stackContainers(docker, stack, signal), signal);
  }

  /** Credentials go to the registry they are for, and to no other host. */
  async pull(
    stack: StackRef,
    rendered: RenderedStack,
    credentials: RegistryCredentials | null,
    notice: Notice,
    signal: AbortSignal,
  ): Promise<void> {
    const docker = engineClient(stack.engine);
    // Finds out soon whether the engine answers, too.
    await this.#refuse(docker, stack, rendered, signal);
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    const references = new Set(Object.values(rendered.images).map(({ reference }) => reference));
    const pulls = [...references].map(async (reference) => {
      try {
        const trusted = credentialsFor(reference, this.#registry, credentials);
        await ensureImage(docker, reference, trusted, notice, either);
      } catch (error) {
        failed.abort(error);
        throw error;
      }
    });
    await Promise.allSettled(pulls);
    signal.throwIfAborted();
    failed.signal.throwIfAborted();
  }

  async #refuse(docker: Docker, stack: StackRef, { text }: RenderedStack, signal: AbortSignal): Promise<void> {
    refuseForeign(stack, await stackContainers(docker, stack, signal));
    await refuseForeignParts(docker, stack, text, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw asEngineError(error);
    });
  }

  async apply(
    stack: StackRef,
    rendered: RenderedStack,
    write: (bytes: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const docker = engineClient(stack.engine);
    await this.#refuse(docker, stack, rendered, signal);
    const { code, said } = await runCompose({
      engine: stack.engine,
      project: stack.composeProject,
      text: rendered.text,
      environment: rendered.environment,
      args: ['up', '-d', '--no-build', '--remove-orphans', '--quiet-pull'],
      cookie: stack.cookie,
      write,
      signal,
    });
    if (code === 0) return;
    // A version that waits for `depends_on` conditions fails here, for containers that `settle` would have named.
    const containers = await stackContainers(docker, stack, signal);
    const bad = containers.filter((container) => judge(container, 0, container.info.RestartCount).state === 'failed');
    await explain(docker, bad, (line) => write(Buffer.from(`» ${line}\n`)), signal);
    // It calls containers by their ids, which tell nobody anything.
    const cause = containers.reduce(
      (text, { name, info }) => text.replaceAll(info.Id.slice(0, 12), name),
      causeIn(said, stack),
    );
    throw conflict(`Compose could not put the stack in place (exit code ${code}): ${cause}`);
  }

  async explain(stack: StackRef, notice: Notice, signal: AbortSignal): Promise<void> {
    const docker = engineClient(stack.engine);
    const containers = await stackContainers(docker, stack, signal);
    const suspects = containers.filter(
      (container) =>
        container.info.RestartCount > 0 || judge(container, Number.MAX_SAFE_INTEGER, 0).state !== 'healthy',
    );
    for (const { name, info } of suspects)
      notice(`${name}: ${info.State.Status}, exit code ${info.State.ExitCode}, ${info.RestartCount} restarts`);
    await explain(docker, suspects, notice, signal);
  }

  /**
   * An abort by a deadline (`AbortSignal.timeout`) throws `conflict` with what was still missing, as an unhealthy
   * service does; any other abort rejects at once with its reason.
   */
  async settle(
    stack: StackRef,
    rendered: RenderedStack,
    notice: Notice,
    signal: AbortSignal,
  ): Promise<ObservedService[]> {
    const docker = engineClient(stack.engine);
    const containers = await this.#untilHealthy(docker, stack, rendered, notice, signal);
    await proveDigests(docker, rendered, containers, signal);
    return summarize(docker, containers, signal);
  }

  async #untilHealthy(
    docker: Docker,
    stack: StackRef,
    rendered: RenderedStack,
    notice: Notice,
    signal: AbortSignal,
  ): Promise<StackContainer[]> {
    const wanted = wantedReplicas(rendered.text);
    const restarts = new Map<string, number>();
    let report: StackReport | null = null;
    try {
      const engineNow = await engineClock(docker, signal);
      for (;;) {
        const containers = await stackContainers(docker, stack, signal);
        for (const { info } of containers) if (!restarts.has(info.Id)) restarts.set(info.Id, info.RestartCount);
        const now = engineNow();
        report = judgeStack(wanted, containers, (one) => judge(one, now, restarts.get(one.info.Id) ?? 0));
        if (report.state === 'healthy') return containers;
        if (report.state === 'failed') break;
        await delay(POLL_EVERY, undefined, { signal });
      }
    } catch (error) {
      if (!signal.aborted) throw asEngineError(error);
    }
    for (const problem of report?.problems ?? []) notice(problem);
    const late = signal.aborted;
    if (late && !isDeadline(signal.reason)) throw signal.reason;
    await explain(docker, report?.culprits ?? [], notice, late ? AbortSignal.timeout(EXPLAIN_WITHIN) : signal);
    throw conflict(
      `the stack ${late ? 'did not become' : 'is not'} healthy: ${report?.problems.join('; ') ?? 'the engine did not answer'}`,
    );
  }

  /** Without Compose, which would want the text: what bears the project's and this installation's labels goes. */
  async remove(stack: StackRef, write: (bytes: Uint8Array) => void, signal: AbortSignal): Promise<void> {
    const docker = engineClient(stack.engine);
    const containers = await stackContainers(docker, stack, signal);
    refuseForeign(stack, containers);
    const say = (line: string): void => write(Buffer.from(`${line}\n`));
    try {
      await Promise.all(
        containers.map(async ({ name, info }) => {
          if (info.State.Running) await docker.getContainer(info.Id).stop({ abortSignal: signal }).catch(unlessStopped);
          await removeContainer(docker, info.Id);
          say(`Removed container ${name}`);
        }),
      );
      const label = [`com.docker.compose.project=${stack.composeProject}`];
      for (const network of await docker.listNetworks({ filters: { label }, abortSignal: signal })) {
        await removeNetwork(docker, network.Id);
        say(`Removed network ${network.Name}`);
      }
    } catch (error) {
      signal.throwIfAborted();
      throw asEngineError(error);
    }
  }
}

/** 304: it had ended by itself. 404: it has gone. */
function unlessStopped(error: { statusCode?: number }): void {
  if (error.statusCode !== 304 && error.statusCode !== 404) throw error;
}

const isDeadline = (reason: unknown): boolean => reason instanceof DOMException && reason.name === 'TimeoutError';

/** The time by the engine's own clock (epoch ms), against which its containers' start times mean something. */
async function engineClock(docker: Docker, signal: AbortSignal): Promise<() => number> {
  // The client's types lack the options of this call.
  const { info } = docker as unknown as {
    info(options: { abortSignal: AbortSignal }): Promise<{ SystemTime: string }>;
  };
  const { SystemTime } = await info.call(docker, { abortSignal: signal });
  const ahead = Date.parse(SystemTime) - performance.now();
  return () => performance.now() + ahead;
}

async function proveDigests(
  docker: Docker,
  rendered: RenderedStack,
  containers: StackContainer[],
  signal: AbortSignal,
): Promise<void> {
  const digests = await digestsOf(docker, containers, signal);
  for (const { service, name, info } of containers) {
    const wanted = rendered.images[service];
    const digest = digests.get(info.Id) ?? null;
    if (!wanted || digest === wanted.digest) continue;
    const runs = digest ?? `${info.Config.Image}, whose digest cannot be proven`;
    throw conflict(`${service}: the container ${name} runs ${runs}; the release says ${wanted.digest}`);
  }
}

/** The line that names the cause: version 1 ends with one that does not. */
function causeIn(said: string, { labels }: StackRef): string {
  const lines = said.trimEnd().split('\n');
  const cause =
    lines.findLast((line) => /\berror\b/i.test(line) && !/^Encountered errors/.test(line)) ?? lines.at(-1) ?? '';
  if (!/port is already allocated|address already in use/i.test(cause)) return cause;
  return `${cause}. Another stack has this port: give ${labels['slipway.environment'] ?? 'this environment'} another one in release.overrides`;
}

/** Tells the last words of containers that went wrong. */
async function explain(docker: Docker, culprits: StackContainer[], notice: Notice, signal: AbortSignal): Promise<void> {
  for (const { name, info } of culprits) {
    const check = info.State.Health?.Log.at(-1);
    if (check && check.ExitCode !== 0)
      notice(`${name}: its health check exited ${check.ExitCode}: ${check.Output.trim()}`);
    try {
      const lines = await tailOf(docker, info, signal);
      notice(lines.length > 0 ? `${name}: the end of its log:` : `${name}: its log is empty`);
      for (const line of lines) notice(`${name} | ${line}`);
    } catch (error) {
      signal.throwIfAborted();
      notice(`${name}: its log cannot be read: ${messageOf(asEngineError(error))}`);
    }
  }
}

async function tailOf(docker: Docker, info: Docker.ContainerInspectInfo, signal: AbortSignal): Promise<string[]> {
  const options = { stdout: true, stderr: true, tail: LOG_TAIL, abortSignal: signal };
  const log = await docker.getContainer(info.Id).logs({ ...options, follow: false });
  const text = info.Config.Tty ? log.toString() : await textOf(Readable.from(demux(Readable.from([log]))));
  return text
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');
}
