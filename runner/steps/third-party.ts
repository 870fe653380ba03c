/** Digests of images that no step of the build made. */
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { parseImage } from '../../pipelines/compose/pin.ts';
import { invalid, RemoteError } from '../../pipelines/errors.ts';
import type { RegistryCredentials, RegistrySpec, ReleaseImage } from '../../pipelines/model.ts';
import type { Notice } from '../../pipelines/ports.ts';
import { pushTag, registryFailure } from '../tools/push.ts';
import { headDigest } from '../tools/registry.ts';

export interface ThirdPartyContext {
  engine: Docker;
  project: string;
  /** The project's own, where copies go of images that exist nowhere else. */
  registry: RegistrySpec | null;
  credentials: RegistryCredentials | null;
  caFile: string | null;
  notice: Notice;
  write: (bytes: Uint8Array) => void;
  /** Awaited before anything is pushed. */
  beforePush: () => Promise<void>;
  signal: AbortSignal;
}

const LOOKUP_TIMEOUT = 5_000;
const UNREACHABLE_FOR = 10 * 60_000;
/** Registries that did not answer, and until when they are not asked again (monotonic ms): often there is no way out. */
const unreachable = new Map<string, number>();

/**
 * The digest that `image` means now: what its registry says, else what this engine pulled. An image that only this
 * engine has, without any digest, is copied to the project's registry. Throws `invalid` where nobody has it.
 */
export async function resolveImage(image: string, context: ThirdPartyContext): Promise<ReleaseImage> {
  const { repository, host, tag, digest } = parseImage(image);
  const pinned = (found: string): ReleaseImage => ({ name: image, reference: `${repository}@${found}`, digest: found });
  if (digest) return pinned(digest);
  const published = await publishedDigest(`${repository}:${tag}`, host, context);
  if (published) return pinned(published);
  const local = await inspectLocal(`${repository}:${tag}`, context);
  if (!local) throw invalid(`cannot find image ${image}: neither the registry nor this engine has it`, 'image');
  const pulled = digestFor(local.RepoDigests ?? [], repository);
  if (pulled) return pinned(pulled);
  return mirror(image, local, context);
}

/** What the registry says, asked through the engine: it knows the way, its proxies and its insecure registries. */
async function publishedDigest(name: string, host: string | null, context: ThirdPartyContext): Promise<string | null> {
  const registry = host ?? 'docker.io';
  if ((unreachable.get(registry) ?? 0) > performance.now()) return null;
  const own = host !== null && host === context.registry?.url.split('/')[0];
  const authconfig = own && context.credentials ? { ...context.credentials, serveraddress: host } : {};
  try {
    const lookup = context.engine.getImage(name).distribution({ authconfig } as Docker.ImageDistributionOptions);
    return (await within(lookup, LOOKUP_TIMEOUT, registry, context.signal)).Descriptor.digest;
  } catch (error) {
    context.signal.throwIfAborted();
    const failure = registryFailure(error);
    if (!failure || (own && failure.fault === 'auth')) throw failure ?? error;
    if (failure.fault === 'unreachable' || failure.fault === 'timeout') {
      unreachable.set(registry, performance.now() + UNREACHABLE_FOR);
      context.notice(`${failure.message}: looking at the images of this engine instead`);
    }
    return null;
  }
}

async function within<T>(lookup: Promise<T>, ms: number, registry: string, signal: AbortSignal): Promise<T> {
  const done = new AbortController();
  const late = delay(ms, undefined, { signal: AbortSignal.any([signal, done.signal]) }).then((): never => {
    throw new RemoteError('registry', 'timeout', `${registry} did not answer within ${ms / 1000} s`);
  });
  try {
    return await Promise.race([lookup, late]);
  } finally {
    done.abort();
  }
}

async function inspectLocal(name: string, { engine }: ThirdPartyContext): Promise<Docker.ImageInspectInfo | null> {
  try {
    return await engine.getImage(name).inspect();
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return null;
    throw error;
  }
}

/** Engines leave out Docker Hub's own prefixes, people do not always. */
const familiar = (repository: string): string =>
  repository.replace(/^(index\.)?docker\.io\//, '').replace(/^library\//, '');

function digestFor(repoDigests: readonly string[], repository: string): string | null {
  const prefix = `${familiar(repository)}@`;
  return repoDigests.find((entry) => familiar(entry).startsWith(prefix))?.split('@')[1] ?? null;
}

/** A copy in the project's registry: other engines have no other place to get this image from. */
async function mirror(
  image: string,
  local: Docker.ImageInspectInfo,
  context: ThirdPartyContext,
): Promise<ReleaseImage> {
  const { engine, project, registry, credentials, caFile, notice, signal } = context;
  if (!registry) {
    throw invalid(
      `${image} exists only on this engine, and the project has no registry to keep a copy in: PUT /projects/${project}/registry`,
      'image',
    );
  }
  const { repository, tag } = parseImage(image);
  const name = `${project}/mirror/${withoutHost(familiar(repository))}`.toLowerCase();
  const copy = `${registry.url}/${name}`;
  const pinned = (digest: string): ReleaseImage => ({ name: image, reference: `${copy}@${digest}`, digest });

  const before = digestFor(local.RepoDigests ?? [], copy);
  if (before && (await headDigest(registry, credentials, name, tag, signal, { caFile }))?.digest === before)
    return pinned(before);
  await context.beforePush();
  await engine.getImage(local.Id).tag({ repo: copy, tag });
  const write = (line: string) => context.write(Buffer.from(`${line}\n`));
  const pushed = await pushTag(engine, { registry, credentials }, copy, tag, write, signal);
  const stored = await headDigest(registry, credentials, name, tag, signal, { caFile });
  if (stored?.digest !== pushed) {
    throw new RemoteError(
      'registry',
      'protocol',
      `pushed ${copy}:${tag} as ${pushed}, but the registry has ${stored?.digest ?? 'nothing'}`,
    );
  }
  notice(`${image} exists only on this engine: copied to ${copy}:${tag}`);
  return pinned(pushed);
}

function withoutHost(repository: string): string {
  const { host } = parseImage(repository);
  return host === null ? repository : repository.slice(host.length + 1);
}
