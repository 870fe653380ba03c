/** A cache: values by name, in memory, for ten seconds. */
import http from 'node:http';
import { text } from 'node:stream/consumers';

const kept = new Map();

http
  .createServer(async (request, response) => {
    if (request.url === '/health') return response.end('ok\n');
    if (request.method === 'PUT') kept.set(request.url, { value: await text(request), until: Date.now() + 10_000 });
    const found = kept.get(request.url);
    response.end(found && found.until > Date.now() ? found.value : 'null');
  })
  .listen(3000);
process.on('SIGTERM', () => process.exit());
