/** The API: berths are kept in the store and read through the cache. */
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { moor } from './berths.mjs';

const cache = 'http://cache:3000/berths';
const store = 'http://store:3000/berths';

const read = async (url) => (await fetch(url)).json();
const write = (url, value) => fetch(url, { method: 'PUT', body: JSON.stringify(value) });

async function berths() {
  const cached = await read(cache);
  if (cached) return { berths: cached, from: 'cache' };
  const stored = (await read(store)) ?? [];
  await write(cache, stored);
  return { berths: stored, from: 'store' };
}

async function answer(request) {
  if (request.url === '/health') return [200, 'ok'];
  if (request.url !== '/berths') return [404, { error: 'there is nothing here' }];
  if (request.method === 'GET') return [200, { place: process.env.PLACE, ...(await berths()) }];
  if (request.method !== 'POST') return [405, { error: 'GET or POST' }];
  const all = moor((await read(store)) ?? [], JSON.parse(await text(request)).ship);
  await write(store, all);
  await write(cache, null);
  return [201, all.at(-1)];
}

http
  .createServer(async (request, response) => {
    const [status, body] = await answer(request).catch((error) => [
      error instanceof RangeError || error instanceof SyntaxError ? 422 : 502,
      { error: error.message },
    ]);
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
  })
  .listen(3000);
process.on('SIGTERM', () => process.exit());
