/** Pushing an image to the project's registry, and pulling what a build starts from. */
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { RemoteError } from '../../pipelines/errors.ts';
import type { RegistryCredentials, RegistrySpec } from '../../pipelines/model.ts';
import { type EngineEvent, EngineFailure, engineEvents } from './event-stream.ts';

/** Milliseconds without any progress of a push or pull. */
const IDLE = 10 * 60_000;
/** Milliseconds before each further attempt. */
const BACK_OFF = [250, 500, 1_000, 2_000, 4_000];

export interface RegistryAccess {
  registry: RegistrySpec;
  credentials: RegistryCredentials | null;
}

/**
 * Pushes one tag that the engine has, and answers the digest the engine reports for it. Passing faults are tried five
 * times more. Throws `RemoteError('registry', …)`; wrong credentials at once.
 */
export async function pushTag(
  engine: Docker,
  access: RegistryAccess,
  name: string,
  tag: string,
  write: (line: string) => void,
  signal: AbortSignal,
): Promise<string> {
  return retried(write, signal, async () => {
    const options = { tag, authconfig: authconfig(access), abortSignal: signal };
    const body = await engine.getImage(name).push(options);
    let digest: string | null = null;
    for await (const event of engineEvents(body as never, IDLE)) {
      digest = (event.aux as { Digest?: string } | undefined)?.Digest ?? digest;
      report(event, write);
    }
    if (!digest) throw new RemoteError('registry', 'protocol', `the engine named no digest for ${name}:${tag}`);
    return digest;
  });
}

/** Pulls an image of the project's own registry with its credentials. Errors as for `pushTag`. */
export async function pullImage(
  engine: Docker,
  access: RegistryAccess,
  reference: string,
  write: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const pinned = /[:@][^/]+$/.test(reference) ? reference : `${reference}:latest`;
  await retried(write, signal, async () => {
    const body = await engine.pull(pinned, { authconfig: authconfig(access), abortSignal: signal });
    for await (const event of engineEvents(body as never, IDLE)) report(event, write);
  });
}

/** Always sent, `{}` where there are none: without it some engines refuse with "no auth". */
const authconfig = ({ registry, credentials }: RegistryAccess) =>
  credentials ? { ...credentials, serveraddress: registry.url.split('/')[0] } : {};

/** Progress bars are for terminals. */
function report(event: EngineEvent, write: (line: string) => void): void {
  if (
    !event.status ||
    event.progressDetail?.current ||
    /^(Preparing|Waiting|Pushing|Downloading|Extracting)$/.test(event.status)
  )
    return;
  write(event.id ? `${event.id}: ${event.status}` : event.status);
}

async function retried<T>(write: (line: string) => void, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const failure = registryFailure(error);
      const wait = BACK_OFF[tries];
      if (failure?.fault !== 'unreachable' || wait === undefined) throw failure ?? error;
      write(`» ${failure.message}; trying again in ${wait / 1000} s`);
      await delay(wait, undefined, { signal });
    }
  }
}

const AUTH = /unauthorized|authentication required|denied|no basic auth credentials|\b40[13]\b/i;
const PLAIN_HTTP = /server gave HTTP response to HTTPS client/i;
const PASSING =
  /\b5\d\d\b|connection (refused|reset)|broken pipe|\bEOF\b|timeout|timed out|no such host|no route|unreachable|too many requests|blob upload unknown/i;

/**
 * What an engine's report about a registry means; null for what is not about a registry at all. The engine gives text
 * only: a wrong password comes as an event, or as HTTP 500 with "401" somewhere in it.
 */
export function registryFailure(error: unknown): RemoteError | null {
  if (error instanceof RemoteError) return error;
  const isReport = error instanceof EngineFailure || (error instanceof Error && 'statusCode' in error);
  if (!isReport) return null;
  const text = error.message.replace(/^\(HTTP code \d+\) [^-]*- /, '').trim();
  if (PLAIN_HTTP.test(text)) {
    return new RemoteError(
      'registry',
      'refused',
      `the registry speaks plain HTTP: list it under insecure-registries of the engine (${text})`,
    );
  }
  if (AUTH.test(text))
    return new RemoteError('registry', 'auth', `the registry refused the credentials of the project: ${text}`);
  if (/not found|manifest unknown/i.test(text)) return new RemoteError('registry', 'not-found', text);
  if (PASSING.test(text)) return new RemoteError('registry', 'unreachable', `the registry cannot be reached: ${text}`);
  return new RemoteError('registry', 'refused', `the registry refused: ${text}`);
}
