/** Wraps every page in the frame that all of them share. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const pages = new URL('pages/', import.meta.url);
const out = new URL('dist/', import.meta.url);
mkdirSync(out, { recursive: true });
for (const name of readdirSync(pages)) {
  const body = readFileSync(new URL(name, pages), 'utf8');
  const title = /<h1>(.*?)<\/h1>/.exec(body)?.[1] ?? name;
  writeFileSync(new URL(name, out), `<!doctype html>\n<title>${title}</title>\n${body}`);
  console.log(`dist/${name}`);
}
