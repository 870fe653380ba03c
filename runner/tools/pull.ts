/** Gets images onto an engine. */
import type { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { type Fault, invalid, RemoteError } from '../../pipelines/errors.ts';
import type { RegistryCredentials, RegistrySpec } from '../../pipelines/model.ts';
import type { Notice } from '../../pipelines/ports.ts';
import { asEngineError, engineMessage, statusCodeOf } from './containers.ts';
import { EngineFailure, engineEvents } from './event-stream.ts';

/** Without a word from the engine for so long, a pull is given up. */
const IDLE_MS = 2 * 60_000;
const TOTAL_MS = 30 * 60_000;

/** It becomes part of an address of the engine's API: nothing in it may lead elsewhere. The engine looks closer. */
const REFERENCE = /^[a-z0-9](?!.*\.\.)[\w./:@-]*$/i;

/**
 * Makes sure that `reference` is on the engine, and describes it. What is there, by tag or digest, is not asked for again.
 * Throws `RemoteError('registry', 'not-found' | 'auth' | 'unreachable' | 'timeout' | 'refused', …)`, or one of the engine.
 */
export async function ensureImage(
  docker: Docker,
  reference: string,
  credentials: RegistryCredentials | null,
  notice: Notice,
  signal: AbortSignal,
): Promise<Docker.ImageInspectInfo> {
  if (!REFERENCE.test(reference)) throw invalid(`${reference} is not the name of an image`, 'image');
  const present = await inspectImage(docker, reference);
  if (present) return present;
  notice(`pulling ${reference}`);
  await pull(docker, reference, credentials, signal);
  const pulled = await inspectImage(docker, reference);
  if (!pulled) throw new RemoteError('engine', 'protocol', `${reference} was pulled, but the engine does not have it`);
  return pulled;
}

async function inspectImage(docker: Docker, reference: string): Promise<Docker.ImageInspectInfo | null> {
  try {
    return await docker.getImage(reference).inspect();
  } catch (error) {
    if (statusCodeOf(error) === 404) return null;
    if (statusCodeOf(error) === 400)
      throw invalid(`${reference} is not the name of an image: ${engineMessage(error)}`, 'image');
    throw asEngineError(error);
  }
}

async function pull(
  docker: Docker,
  reference: string,
  credentials: RegistryCredentials | null,
  signal: AbortSignal,
): Promise<void> {
  const auth = credentials ? { ...credentials, serveraddress: registryHost(reference) } : {};
  const limit = AbortSignal.timeout(TOTAL_MS);
  try {
    const options = { ...splitReference(reference), abortSignal: AbortSignal.any([signal, limit]) };
    const body = (await docker.createImage(auth, options)) as Readable;
    for await (const _ of engineEvents(body, IDLE_MS));
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted)
      throw new RemoteError('registry', 'timeout', `${reference} was not there after ${TOTAL_MS / 60_000} minutes`);
    if (error instanceof EngineFailure) throw registryError(reference, error.message);
    throw statusCodeOf(error) === undefined ? asEngineError(error) : registryError(reference, engineMessage(error));
  }
}

/** The engine passes a registry's refusal on as text only: there is no code to go by. */
const FAULTS: readonly [RegExp, Fault, string][] = [
  [
    /manifest .*(unknown|not found)|not found: manifest|name unknown|repository .*not found/i,
    'not-found',
    'there is no such image in the registry',
  ],
  [
    /unauthorized|no basic auth|authentication required|status: 401|denied: /i,
    'auth',
    'the registry wants other credentials, or there is no such image',
  ],
  [/pull access denied/i, 'not-found', 'there is no such image, or it may not be pulled without credentials'],
  [
    /dial tcp|no such host|connection refused|i\/o timeout|TLS handshake|Client\.Timeout|EOF|x509|server gave HTTP/i,
    'unreachable',
    'the registry cannot be reached',
  ],
];

function registryError(reference: string, said: string): RemoteError {
  const known = FAULTS.find(([pattern]) => pattern.test(said));
  if (!known) return new RemoteError('registry', 'refused', `${reference} could not be pulled: ${said}`);
  return new RemoteError('registry', known[1], `${reference} could not be pulled: ${known[2]} (${said.trim()})`);
}

/** An API call without a tag would pull all of them. */
function splitReference(reference: string): { fromImage: string; tag: string } {
  const digest = reference.indexOf('@');
  if (digest >= 0) return { fromImage: withoutTag(reference.slice(0, digest)), tag: reference.slice(digest + 1) };
  const fromImage = withoutTag(reference);
  return { fromImage, tag: reference.slice(fromImage.length + 1) || 'latest' };
}

function withoutTag(reference: string): string {
  const colon = reference.lastIndexOf(':');
  return colon > reference.lastIndexOf('/') ? reference.slice(0, colon) : reference;
}

/** `docker.io` where the first part of the name is no host. */
export function registryHost(reference: string): string {
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && /[.:]|^localhost$/.test(first) ? first : 'docker.io';
}

/** The project's credentials if `reference` lies in its own registry: no other host is ever told them. */
export function credentialsFor(
  reference: string,
  registry: RegistrySpec | null,
  credentials: RegistryCredentials | null,
): RegistryCredentials | null {
  return registry && reference.startsWith(`${registry.url.replace(/\/+$/, '')}/`) ? credentials : null;
}
