/** Basic and bearer-token authentication, as registries ask for them in `WWW-Authenticate`. */
import { RemoteError } from '../../pipelines/errors.ts';
import type { RegistryCredentials, RegistrySpec } from '../../pipelines/model.ts';
import { type HttpOptions, httpGet, transportError } from './registry-http.ts';

/** The `Authorization` header that answers a challenge; null where there is nothing to answer it with. */
export async function authorise(
  challenge: string,
  registry: RegistrySpec,
  credentials: RegistryCredentials | null,
  http: HttpOptions,
): Promise<string | null> {
  if (/^basic\b/i.test(challenge)) return credentials && basic(credentials);
  if (/^bearer\b/i.test(challenge)) return bearer(challenge, registry, credentials, http);
  throw new RemoteError(
    'registry',
    'protocol',
    `the registry ${registry.url} asks for an authentication other than Basic and Bearer`,
  );
}

const basic = ({ username, password }: RegistryCredentials) =>
  `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;

/** See "Token Authentication Specification" of the distribution project. */
async function bearer(
  challenge: string,
  registry: RegistrySpec,
  credentials: RegistryCredentials | null,
  http: HttpOptions,
): Promise<string | null> {
  const parameters = Object.fromEntries(
    [...challenge.matchAll(/([a-z]+)="([^"]*)"/gi)].map(([, name, value]) => [name?.toLowerCase(), value]),
  );
  const protocol = (text: string, cause?: unknown) =>
    new RemoteError('registry', 'protocol', `the registry ${registry.url} ${text}`, cause);
  if (!URL.canParse(parameters.realm ?? '')) throw protocol('names no valid token service');
  const url = new URL(parameters.realm as string);
  // The password goes there: never in clear text, unless the registry itself is used so.
  if (url.protocol !== 'https:' && !(registry.insecure && url.protocol === 'http:'))
    throw protocol('names a token service without TLS');
  for (const name of ['service', 'scope'] as const) {
    if (parameters[name] !== undefined) url.searchParams.set(name, parameters[name]);
  }

  const reply = await httpGet(url.href, credentials ? { authorization: basic(credentials) } : {}, http).catch(
    (error: unknown) => {
      http.signal.throwIfAborted();
      const { fault, sentence } = transportError(error);
      throw new RemoteError('registry', fault, `the token service of the registry ${registry.url} ${sentence}`, error);
    },
  );
  if (reply.status === 401 || reply.status === 403) return null;
  if (reply.status !== 200) throw protocol(`has a token service that answered ${reply.status}`);
  const token = tokenOf(reply.body);
  if (token === null) throw protocol('has a token service that sent no token');
  return `Bearer ${token}`;
}

function tokenOf(body: Buffer): string | null {
  try {
    const { token, access_token } = JSON.parse(body.toString('utf8')) as { token?: unknown; access_token?: unknown };
    const found = token ?? access_token;
    return typeof found === 'string' && found !== '' ? found : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
