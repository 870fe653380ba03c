/** Passes each request on to the service whose prefix in routes.json matches first. */
import { readFileSync } from 'node:fs';
import http from 'node:http';

const routes = Object.entries(JSON.parse(readFileSync('routes.json', 'utf8')));

http
  .createServer((request, response) => {
    if (request.url === '/health') return response.end('ok\n');
    const [prefix, target] = routes.find(([start]) => request.url.startsWith(start));
    const { method, headers } = request;
    const onward = http.request(target + request.url.slice(prefix.length), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', (error) => response.writeHead(502).end(`${target}: ${error.message}\n`));
    request.pipe(onward);
  })
  .listen(8080);
process.on('SIGTERM', () => process.exit());
