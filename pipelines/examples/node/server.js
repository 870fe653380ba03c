import { createServer } from 'node:http';
import { greet } from './greet.js';

const { PORT = '8080', VERSION = 'dev' } = process.env;

const server = createServer((request, response) => {
  if (request.url === '/healthz') return response.end('ok\n');
  response.end(`${greet('world')} This is version ${VERSION}.\n`);
});
server.listen(Number(PORT), () => console.log(`hello ${VERSION} listens on ${PORT}`));
process.on('SIGTERM', () => server.close());
