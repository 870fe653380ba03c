/** The built web client. Its files are named by content and kept by browsers for good; the page itself is asked for each time. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import express, { type RequestHandler, Router } from 'express';

/** Beside the compiled server; where the server runs from its sources, in the folder of the build. */
const CLIENT = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../dist/ui' : '../ui', import.meta.url));
const YEAR = 365 * 24 * 60 * 60 * 1000;
/** Answered in JSON, whoever asks. */
const NOT_PAGES = /^\/(api|hooks|schema|assets)(\/|$)/;

/** Serves the client; any address of a page gives `index.html`, which finds the page. Without a build it serves nothing. */
export function serveClient(folder = CLIENT): RequestHandler {
  const router = Router();
  const index = path.join(folder, 'index.html');
  if (!existsSync(index)) return router;
  const assets = path.join(folder, 'assets');
  const forGood = { immutable: true, maxAge: YEAR, index: false, redirect: false };
  router.use('/assets', compressed(assets), express.static(assets, forGood));
  router.use(express.static(folder, { index: false, redirect: false, maxAge: '1h' }));
  router.use((request, response, next) => {
    const wanted = request.method === 'GET' || request.method === 'HEAD';
    if (!wanted || NOT_PAGES.test(request.path) || !/\btext\/html\b/.test(request.get('accept') ?? '')) return next();
    response.sendFile(index, { headers: { 'Cache-Control': 'no-cache' } });
  });
  return router;
}

/** Names the `.gz` that the build laid beside a file, for those who can read it. */
function compressed(assets: string): RequestHandler {
  const packed = new Set(readdirSync(assets).filter((name) => name.endsWith('.gz')));
  return (request, response, next) => {
    const name = request.path.slice(1);
    if (packed.has(`${name}.gz`)) {
      response.vary('Accept-Encoding');
      if (request.acceptsEncodings('gzip')) {
        response.type(path.extname(name));
        response.setHeader('Content-Encoding', 'gzip');
        request.url = `${request.url.replace(/\?.*$/, '')}.gz`;
      }
    }
    next();
  };
}
