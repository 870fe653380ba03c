import { createServer } from 'node:http';
import { priceOf } from './prices.js';

createServer((request, response) => {
  if (request.url === '/healthz') return response.end('ok\n');
  const price = priceOf(request.url.slice(1));
  response.statusCode = price === undefined ? 404 : 200;
  response.end(`${price ?? 'not sold here'}\n`);
}).listen(8080);
