import { createHash } from 'node:crypto';
import http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headDigest, ping } from '../../runner/tools/registry.ts';
import { close, freePort, listen, serveSilence } from '../fixtures/git-server.ts';
import { type RegistryServer, startRegistry } from '../fixtures/registry-server.ts';

const signal = new AbortController().signal;
const user = { username: 'ci', password: 'p@ss:w/örd' };
const hashOf = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const quick = { timeoutMs: 60_000, backoffMs: 1 };
const impatient = { ...quick, timeoutMs: 1_000 };
const spec = (host: string, path = '') => ({ url: `${host}${path}`, insecure: true });

/** Pushes a tiny image with plain requests; answers its manifest's digest. */
async function push(registry: RegistryServer, name: string, tag: string, content: string): Promise<string> {
  const headers = { authorization: `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}` };
  const blob = async (text: string) => {
    const start = await fetch(`${registry.url}/v2/${name}/blobs/uploads/`, { method: 'POST', headers });
    const location = new URL(start.headers.get('location') ?? '', registry.url);
    location.searchParams.set('digest', hashOf(text));
    const put = await fetch(location, {
      method: 'PUT',
      headers: { ...headers, 'content-type': 'application/octet-stream' },
      body: text,
    });
    expect(put.status).toBe(201);
    return { digest: hashOf(text), size: Buffer.byteLength(text) };
  };
  const type = 'application/vnd.docker.distribution.manifest.v2+json';
  const config = { mediaType: 'application/vnd.docker.container.image.v1+json', ...(await blob('{}')) };
  const layer = { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', ...(await blob(content)) };
  return putManifest(
    registry,
    name,
    tag,
    type,
    { schemaVersion: 2, mediaType: type, config, layers: [layer] },
    headers,
  );
}

async function putManifest(
  registry: RegistryServer,
  name: string,
  tag: string,
  type: string,
  manifest: object,
  headers: Record<string, string>,
): Promise<string> {
  const body = JSON.stringify(manifest);
  const put = await fetch(`${registry.url}/v2/${name}/manifests/${tag}`, {
    method: 'PUT',
    headers: { ...headers, 'content-type': type },
    body,
  });
  expect(put.status).toBe(201);
  return hashOf(body);
}

describe('a real registry', () => {
  let open: RegistryServer;
  let locked: RegistryServer;
  beforeAll(async () => {
    [open, locked] = await Promise.all([
      startRegistry(),
      startRegistry({ htpasswd: { user: user.username, password: user.password } }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([open.stop(), locked.stop()]);
  });

  it('tells digest and size of an image by tag and by digest; null where there is none', async () => {
    const digest = await push(open, 'team/shop/web', 'v1', 'twelve bytes');
    const expected = { digest, size: 2 + 12 };
    expect(await headDigest(spec(open.host), null, 'team/shop/web', 'v1', signal)).toEqual(expected);
    expect(await headDigest(spec(open.host, '/team'), null, 'shop/web', digest, signal)).toEqual(expected);
    expect(await headDigest(spec(open.host), null, 'team/shop/web', 'v2', signal)).toBeNull();
    expect(await headDigest(spec(open.host), null, 'none', hashOf('x'), signal)).toBeNull();
  });

  it('of a list of images, its own digest and the size of one of them', async () => {
    const digest = await push(open, 'multi', 'one', 'content');
    const image = 'application/vnd.docker.distribution.manifest.v2+json';
    const type = 'application/vnd.docker.distribution.manifest.list.v2+json';
    const manifests = [{ mediaType: image, digest, size: 1, platform: { os: 'linux', architecture: 'amd64' } }];
    const list = await putManifest(open, 'multi', 'all', type, { schemaVersion: 2, mediaType: type, manifests }, {});
    expect(await headDigest(spec(open.host), null, 'multi', 'all', signal)).toEqual({ digest: list, size: 9 });
  });

  it('a password is used where it is asked for; a wrong or missing one fails as auth, unmentioned', async () => {
    const digest = await push(locked, 'web', 'v1', 'x');
    expect(await headDigest(spec(locked.host), user, 'web', 'v1', signal)).toMatchObject({ digest });
    await ping(spec(locked.host), user, signal);
    await ping(spec(open.host), user, signal);
    const wrong = { ...user, password: 'guessed-wr0ng' };
    const failure = await ping(spec(locked.host), wrong, signal).catch((error: Error) => error);
    expect(failure).toMatchObject({ party: 'registry', fault: 'auth' });
    expect(JSON.stringify([failure, String(failure)])).not.toContain('guessed-wr0ng');
    await expect(headDigest(spec(locked.host), null, 'web', 'v1', signal)).rejects.toMatchObject({ fault: 'auth' });
  });
});

describe('a registry in trouble', () => {
  /** Answers by a script: the n-th request gets the n-th answer, the last one for ever. */
  async function scripted(...answers: ((request: http.IncomingMessage, response: http.ServerResponse) => void)[]) {
    let count = 0;
    const server = http.createServer((request, response) => {
      answers[Math.min(count++, answers.length - 1)]?.(request, response);
    });
    const port = await listen(server);
    return { host: `127.0.0.1:${port}`, requests: () => count, stop: () => close(server) };
  }
  const answer =
    (status: number, body = '', headers = {}) =>
    (_: unknown, response: http.ServerResponse) =>
      void response.writeHead(status, headers).end(body);
  const reset = (request: http.IncomingMessage) => void request.socket.resetAndDestroy();

  it('is asked again after 500s and resets', async () => {
    const server = await scripted(answer(500), reset, answer(503), reset, answer(429), answer(200));
    await ping(spec(server.host), null, signal, quick);
    expect(server.requests()).toBe(6);
    await server.stop();
  });

  it('is given up after five retries', async () => {
    const failing = await scripted(answer(502));
    await expect(ping(spec(failing.host), null, signal, quick)).rejects.toMatchObject({ fault: 'refused' });
    expect(failing.requests()).toBe(6);
    await failing.stop();
    const breaking = await scripted(reset);
    await expect(ping(spec(breaking.host), null, signal, quick)).rejects.toMatchObject({ fault: 'unreachable' });
    await breaking.stop();
  });

  it('that is silent, away, not there or no registry is told apart', async () => {
    const silence = await serveSilence();
    await expect(ping(spec(`127.0.0.1:${silence.port}`), null, signal, impatient)).rejects.toMatchObject({
      fault: 'timeout',
    });
    await silence.stop();
    await expect(ping(spec(`127.0.0.1:${await freePort()}`), null, signal, quick)).rejects.toMatchObject({
      fault: 'unreachable',
    });
    await expect(ping(spec('no-such-host.invalid'), null, signal, quick)).rejects.toMatchObject({
      fault: 'unreachable',
    });
    const web = await scripted(answer(404, '<html>'));
    await expect(ping(spec(web.host), null, signal, quick)).rejects.toMatchObject({ fault: 'protocol' });
    await expect(ping({ url: web.host, insecure: false }, null, signal, quick)).rejects.toMatchObject({
      fault: 'protocol',
    });
    await web.stop();
  });

  it('that sends something other than was asked for by digest is not believed', async () => {
    const server = await scripted(answer(200, '{"schemaVersion":2}'));
    await expect(headDigest(spec(server.host), null, 'web', hashOf('x'), signal, quick)).rejects.toMatchObject({
      fault: 'protocol',
    });
    await server.stop();
    const lying = await scripted(answer(200, '{}', { 'docker-content-digest': hashOf('y') }));
    await expect(headDigest(spec(lying.host), null, 'web', 'v1', signal, quick)).rejects.toMatchObject({
      fault: 'protocol',
    });
    await lying.stop();
  });

  it('a bearer token is fetched with the password and then used', async () => {
    const seen: (string | undefined)[] = [];
    const tokens = await scripted((request, response) => {
      seen.push(request.url, request.headers.authorization);
      answer(200, '{"token":"abc"}')(request, response);
    });
    const challenge = {
      'www-authenticate': `Bearer realm="http://${tokens.host}/token",service="s",scope="repository:web:pull"`,
    };
    const server = await scripted(answer(401, '', challenge), (request, response) => {
      seen.push(request.headers.authorization);
      answer(200, '{"config":{"size":3}}')(request, response);
    });
    expect(await headDigest(spec(server.host), user, 'web', 'v1', signal, quick)).toMatchObject({ size: 3 });
    const basic = `Basic ${Buffer.from(`${user.username}:${user.password}`).toString('base64')}`;
    expect(seen).toEqual(['/token?service=s&scope=repository%3Aweb%3Apull', basic, 'Bearer abc']);
    await Promise.all([server.stop(), tokens.stop()]);
  });

  it('an abort ends the waiting, with its reason', async () => {
    const silence = await serveSilence();
    const stop = new AbortController();
    const waiting = ping(spec(`127.0.0.1:${silence.port}`), null, stop.signal);
    stop.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
    await silence.stop();
  });
});
