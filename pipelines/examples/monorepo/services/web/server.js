import { createServer } from 'node:http';
import { page } from './page.js';

const api = process.env.API_URL ?? 'http://api:8080';

createServer(async (_request, response) => {
  const price = await fetch(`${api}/tea`).then((answer) => answer.text());
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.end(page(price.trim()));
}).listen(8080);
