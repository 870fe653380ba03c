/** Like a database: each value is a file on a volume, written whole or not at all. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';

http
  .createServer(async (request, response) => {
    if (request.url === '/health') return response.end('ok\n');
    const file = path.join('/data', path.basename(request.url));
    if (request.method === 'PUT') {
      await writeFile(`${file}.new`, await text(request));
      await rename(`${file}.new`, file);
    }
    response.end(await readFile(file, 'utf8').catch(() => 'null'));
  })
  .listen(3000);
process.on('SIGTERM', () => process.exit());
