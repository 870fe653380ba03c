/** What a registry has, asked over HTTP: the digest that counts is the one read back here, not the one a push reported. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { RemoteError } from '../../pipelines/errors.ts';
import type { RegistryCredentials, RegistrySpec } from '../../pipelines/model.ts';
import { authorise } from './registry-auth.ts';
import { type HttpOptions, type HttpReply, httpGet, type RegistryOptions, transportError } from './registry-http.ts';

const RETRIES = 5;
const BACKOFF_MS = 200;
const MANIFESTS = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];

interface Manifest {
  config?: { size?: number };
  layers?: { size?: number }[];
  manifests?: { digest: string; platform?: { os?: string; architecture?: string } }[];
}

/**
 * Digest and size (configuration and layers as stored; of a list, those of its linux/amd64 image or its first) of
 * `repository`, a name below the registry's `url`, at a tag or digest. Null where the registry has no such manifest.
 * Throws `RemoteError('registry', …)`: `auth` and `timeout` at once, after five retries `unreachable` or `refused`.
 */
export async function headDigest(
  registry: RegistrySpec,
  credentials: RegistryCredentials | null,
  repository: string,
  reference: string,
  signal: AbortSignal,
  options: RegistryOptions = {},
): Promise<{ digest: string; size: number } | null> {
  const client = new Client(registry, credentials, signal, options);
  const name = [...client.prefix, ...repository.split('/')].map(encodeURIComponent).join('/');
  const found = await client.manifest(name, reference);
  if (found === null) return null;
  const { manifest, digest } = found;
  if (!manifest.manifests?.length) return { digest, size: sizeOf(manifest) };
  const child =
    manifest.manifests.find(({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64') ??
    manifest.manifests[0];
  const image = child ? await client.manifest(name, child.digest) : null;
  return { digest, size: image === null ? 0 : sizeOf(image.manifest) };
}

/** Resolves where the registry answers and accepts the credentials; throws as `headDigest` does. */
export async function ping(
  registry: RegistrySpec,
  credentials: RegistryCredentials | null,
  signal: AbortSignal,
  options: RegistryOptions = {},
): Promise<void> {
  const client = new Client(registry, credentials, signal, options);
  const reply = await client.get('/v2/');
  if (reply.status !== 200) throw client.error('protocol', `answered ${reply.status} to /v2/: this is not a registry`);
}

const sizeOf = (manifest: Manifest): number =>
  [manifest.config, ...(manifest.layers ?? [])].reduce((sum, part) => sum + (part?.size ?? 0), 0);

class Client {
  /** Path below the host that all names begin with. */
  readonly prefix: string[];
  private readonly origin: string;
  private readonly http: HttpOptions;
  private readonly credentials: RegistryCredentials | null;
  private readonly registry: RegistrySpec;
  private readonly backoffMs: number;
  private authorization: string | undefined;

  constructor(
    registry: RegistrySpec,
    credentials: RegistryCredentials | null,
    signal: AbortSignal,
    options: RegistryOptions,
  ) {
    const [host = '', ...prefix] = registry.url.split('/').filter(Boolean);
    this.prefix = prefix;
    this.origin = `${registry.insecure ? 'http' : 'https'}://${host}`;
    this.registry = registry;
    this.credentials = credentials;
    this.http = { signal, timeoutMs: options.timeoutMs ?? 10_000, caFile: options.caFile ?? null };
    this.backoffMs = options.backoffMs ?? BACKOFF_MS;
  }

  async manifest(name: string, reference: string): Promise<{ manifest: Manifest; digest: string } | null> {
    const reply = await this.get(`/v2/${name}/manifests/${encodeURIComponent(reference)}`);
    if (reply.status === 404) return null;
    if (reply.status !== 200) throw this.error('refused', `answered ${reply.status} for ${name}:${reference}`);
    const digest = `sha256:${createHash('sha256').update(reply.body).digest('hex')}`;
    const claimed = reply.headers['docker-content-digest'];
    if ((claimed !== undefined && claimed !== digest) || (reference.startsWith('sha256:') && reference !== digest)) {
      throw this.error('protocol', `sent a manifest of ${name}:${reference} that does not have the digest it should`);
    }
    return { manifest: this.parse(reply.body), digest };
  }

  /** A reply other than 401, 403 and 5xx. */
  async get(path: string): Promise<HttpReply> {
    let reply = await this.retrying(path);
    const challenge = reply.headers['www-authenticate'];
    if (reply.status === 401 && challenge !== undefined) {
      const grant = await authorise(challenge, this.registry, this.credentials, this.http);
      if (grant !== null) {
        this.authorization = grant;
        reply = await this.retrying(path);
      }
    }
    if (reply.status !== 401 && reply.status !== 403) return reply;
    throw this.error(
      'auth',
      this.credentials ? 'does not accept the username and password' : 'wants a username and password',
    );
  }

  error(fault: RemoteError['fault'], sentence: string, cause?: unknown): RemoteError {
    return new RemoteError('registry', fault, `the registry ${this.registry.url} ${sentence}`, cause);
  }

  private async retrying(path: string): Promise<HttpReply> {
    const headers = {
      accept: MANIFESTS.join(', '),
      ...(this.authorization === undefined ? {} : { authorization: this.authorization }),
    };
    for (let attempt = 0; ; attempt++) {
      let failure: RemoteError;
      try {
        const reply = await httpGet(`${this.origin}${path}`, headers, this.http);
        if (reply.status < 500 && reply.status !== 429) return reply;
        failure = this.error('refused', `answered ${reply.status}`);
      } catch (error) {
        this.http.signal.throwIfAborted();
        const { fault, sentence, again } = transportError(error);
        failure = this.error(fault, sentence, error);
        if (!again) throw failure;
      }
      if (attempt === RETRIES) throw failure;
      await delay(this.backoffMs * 2 ** attempt, undefined, { signal: this.http.signal });
    }
  }

  private parse(body: Buffer): Manifest {
    try {
      return JSON.parse(body.toString('utf8')) as Manifest;
    } catch (error) {
      throw this.error('protocol', 'sent a manifest that is not JSON', error);
    }
  }
}
