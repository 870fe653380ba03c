import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestOptions, type Server, request as send } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { brotliCompressSync, Gunzip, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { isDeeperThan, parseJson, readBody } from '../../server/hooks/body.ts';
import { problemOf } from '../../server/problem.ts';

const LIMIT = 64 * 1024;
let server: Server | undefined;

afterEach(async () => {
  server?.closeAllConnections();
  if (server) await new Promise((resolve) => server?.close(resolve));
  server = undefined;
});

interface Receiver {
  port: number;
  /** What became of each request: the bytes, or the status that its error gives. */
  outcomes: (Buffer | number)[];
  /** Of the request at hand. */
  received: () => number;
  settled: Promise<void>;
}

async function receive(options: { limit?: number; time?: number } = {}): Promise<Receiver> {
  const outcomes: (Buffer | number)[] = [];
  let socket: Socket | undefined;
  let done = () => {};
  const settled = new Promise<void>((resolve) => {
    done = resolve;
  });
  server = createServer(async (request: IncomingMessage, response) => {
    socket = request.socket;
    try {
      const body = await readBody(request, options.limit ?? LIMIT, options.time);
      outcomes.push(body);
      response.end(String(body.length));
    } catch (error) {
      const status = problemOf(error)?.status ?? 500;
      outcomes.push(status);
      response.writeHead(status).end(error instanceof Error ? error.message : '');
    }
    done();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    outcomes,
    received: () => socket?.bytesRead ?? 0,
    settled,
  };
}

const open = (port: number, headers: RequestOptions['headers'] = {}) =>
  send({ port, host: '127.0.0.1', method: 'POST', headers: { ...headers } });

async function post(port: number, body: Buffer | Buffer[], headers: RequestOptions['headers'] = {}) {
  const outgoing = open(port, headers);
  outgoing.on('error', () => {});
  const answer = once(outgoing, 'response') as Promise<[IncomingMessage]>;
  for (const chunk of [body].flat()) outgoing.write(chunk);
  outgoing.end();
  const [response] = await answer;
  return { status: response.statusCode, body: await text(response) };
}

describe('a body', () => {
  it('is read as it was sent', async () => {
    const { port, outcomes } = await receive();
    const bytes = Buffer.from([0, 255, 10, 13, 123]);
    expect(await post(port, [bytes, bytes])).toEqual({ status: 200, body: '10' });
    expect((await post(port, [])).body).toBe('0');
    expect(outcomes).toEqual([Buffer.concat([bytes, bytes]), Buffer.alloc(0)]);
  });

  it('may be as large as the limit, and no larger', async () => {
    const { port } = await receive();
    expect(await post(port, Buffer.alloc(LIMIT))).toMatchObject({ status: 200 });
    expect(await post(port, Buffer.alloc(LIMIT + 1), { 'content-length': LIMIT + 1 })).toMatchObject({ status: 413 });
    expect(await post(port, [Buffer.alloc(LIMIT), Buffer.alloc(1)])).toMatchObject({ status: 413 });
  });

  it('is refused as soon as it is announced to be too large', async () => {
    const { port, received } = await receive();
    const outgoing = open(port, { 'content-length': 10 * LIMIT });
    outgoing.on('error', () => {});
    outgoing.flushHeaders();
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(413);
    expect(received()).toBeLessThan(1000);
    outgoing.destroy();
  });

  it('is refused while it is still coming, and the connection closed some time later', async () => {
    const { port, outcomes } = await receive();
    const outgoing = open(port);
    const closed = new Promise((resolve) => outgoing.on('error', () => {}).on('close', resolve));
    const answer = once(outgoing, 'response') as Promise<[IncomingMessage]>;
    outgoing.write(Buffer.alloc(LIMIT + 1));
    const [response] = await answer;
    expect(response.statusCode).toBe(413);
    response.resume();
    // Nothing more is sent, and the request never ended: so it is the server that ends it.
    await closed;
    expect(outcomes).toEqual([413]);
  });

  it('must come within the time', async () => {
    const { port, outcomes, settled } = await receive({ time: 50 });
    const outgoing = open(port, { 'content-length': 10 });
    outgoing.on('error', () => {}).write('12345');
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(408);
    await settled;
    expect(outcomes).toEqual([408]);
    outgoing.destroy();
  });

  it('is given up where the sender hangs up', async () => {
    const { port, outcomes, settled } = await receive();
    const outgoing = open(port, { 'content-length': 10 });
    outgoing.on('error', () => {}).write('12345');
    await once(server as Server, 'request');
    outgoing.destroy();
    await settled;
    expect(outcomes).toEqual([400]);
  });
});

describe('a compressed body', () => {
  const gzip = { 'content-encoding': 'gzip' };

  it('is inflated', async () => {
    const { port, outcomes } = await receive();
    const bytes = Buffer.from('äöü'.repeat(1000));
    expect((await post(port, gzipSync(bytes), gzip)).status).toBe(200);
    expect((await post(port, bytes, { 'content-encoding': 'Identity' })).status).toBe(200);
    expect(outcomes).toEqual([bytes, bytes]);
  });

  it('may have the size of the limit, inflated', async () => {
    const { port } = await receive();
    expect((await post(port, gzipSync(Buffer.alloc(LIMIT)), gzip)).status).toBe(200);
    expect((await post(port, gzipSync(Buffer.alloc(LIMIT + 1)), gzip)).status).toBe(413);
  });

  it('is not inflated further than the limit', async () => {
    const pushed = vi.spyOn(Readable.prototype, 'push');
    const { port } = await receive();
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024), { level: 9 });
    expect(bomb.length).toBeLessThan(LIMIT);
    expect((await post(port, bomb, gzip)).status).toBe(413);
    const pieces = pushed.mock.calls.filter((_, at) => pushed.mock.contexts[at] instanceof Gunzip);
    const inflated = pieces.reduce((sum, [piece]) => sum + ((piece as Buffer | null)?.length ?? 0), 0);
    pushed.mockRestore();
    expect(inflated).toBeGreaterThan(LIMIT);
    expect(inflated).toBeLessThan(3 * LIMIT);
  });

  it('of which nothing comes out is bounded, too', async () => {
    const { port } = await receive();
    const nothing = gzipSync('');
    const many = Buffer.concat(Array.from({ length: Math.ceil((LIMIT + 1) / nothing.length) }, () => nothing));
    expect((await post(port, [many], gzip)).status).toBe(413);
  });

  it.each([
    ['no gzip', Buffer.from('{}')],
    ['cut off', gzipSync('{"a":1}').subarray(0, 15)],
    ['spoilt', Buffer.concat([gzipSync('{}').subarray(0, 12), Buffer.from('spoilt')])],
  ])('is refused where it is %s', async (_, body) => {
    const { port } = await receive();
    expect((await post(port, body, gzip)).status).toBe(422);
  });

  it.each(['br', 'deflate', 'zstd', 'x', 'gzip, br'])('is refused as %s', async (encoding) => {
    const { port } = await receive();
    expect((await post(port, brotliCompressSync('{}'), { 'content-encoding': encoding })).status).toBe(415);
  });

  it('is inflated at the pace at which it comes', async () => {
    const { port, outcomes } = await receive({ limit: 30_000_000 });
    const bytes = Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => `${i * 7919}`).join());
    const packed = gzipSync(bytes);
    const pieces = Array.from({ length: Math.ceil(packed.length / 1000) }, (_, i) =>
      packed.subarray(i * 1000, i * 1000 + 1000),
    );
    expect((await post(port, pieces, gzip)).status).toBe(200);
    expect(bytes.equals(outcomes[0] as Buffer)).toBe(true);
  });
});

describe('JSON', () => {
  it('is measured without regard to what is in texts', () => {
    const deep = (json: string, limit: number) => isDeeperThan(Buffer.from(json), limit);
    expect(deep('[[1]]', 2)).toBe(false);
    expect(deep('[[1]]', 1)).toBe(true);
    expect(deep('["[\\"[","[["]', 1)).toBe(false);
    expect(deep('["\\\\",[[1]]]', 2)).toBe(true);
    expect(deep('[{},{},[],[]]', 2)).toBe(false);
    expect(deep('{"a":{"b":1}}', 1)).toBe(true);
  });

  it('may begin with a byte order mark, as PowerShell likes it', () => {
    expect(parseJson(Buffer.from('\ufeff{"a":1}'))).toEqual({ a: 1 });
  });
});
