/**
 * `npm start`: installs and builds what is missing, says what this machine has and how to mend what it lacks, then runs the
 * server with the embedded defaults until a signal. `npm start -- --no-install` leaves the machine as it is.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { makeReady, root, sinceStart } from './lib.mjs';
import { provideEngine } from './start-parts.mjs';
import { marks, paint, say } from './terminal.mjs';

const data = path.resolve(root, process.env.SLIPWAY_DATA?.trim() || 'data');
const { SLIPWAY_ADMIN_PASSWORD, SLIPWAY_ADMIN_TOKEN } = process.env;
/** Whether the server will make up a password, and print it after the line that says where it listens. */
const makesPassword = !existsSync(path.join(data, 'slipway.db')) && !SLIPWAY_ADMIN_PASSWORD && !SLIPWAY_ADMIN_TOKEN;

await makeReady();
await provideEngine();
const server = startServer();
// The server starts while the machine is looked at: neither waits for the other.
const checks = await import('../dist/server/doctor.js').then(({ diagnose }) => diagnose(process.env));
report(checks);
welcome(await server.ready);

function startServer() {
  const main = path.join(root, 'dist/server/cli/main.js');
  const child = spawn(process.execPath, ['--enable-source-maps', main, 'server'], {
    cwd: root,
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  // A terminal sends its signals to the server, too; it takes the second one for the same wish.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
  return { ready: new Promise((resolve) => readWelcome(child.stdout, resolve)) };
}

/** Collects what the server prints when it is ready; all else is passed on. */
function readWelcome(stream, ready) {
  const found = { url: null, password: null };
  createInterface({ input: stream }).on('line', (line) => {
    const [, url] = /^slipway listening on (\S+)$/.exec(line) ?? [];
    const [, password] = /^one-time password: (\S+)$/.exec(line) ?? [];
    if (url) found.url = url;
    else if (password) found.password = password;
    else if (line !== 'administrator: admin') say(line);
    if (found.url && (found.password || !makesPassword)) ready(found);
  });
}

function report(checks) {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const mark = { ok: marks.passed, note: marks.note, missing: marks.failed };
  say();
  for (const { name, state, found, mend } of checks) {
    say(`  ${mark[state]} ${name.padEnd(width)}  ${found}`);
    for (const line of mend) say(`      ${' '.repeat(width)}${paint('dim', '→')} ${line}`);
  }
}

/** The first line is for programs that wait for it, the others are for people. */
function welcome({ url, password }) {
  const { protocol, hostname, port } = new URL(url);
  const here = ['0.0.0.0', '[::]'].includes(hostname) ? 'localhost' : hostname;
  const line = (name, text) => say(`  ${paint('dim', name.padEnd(10))}${text}`);
  say();
  say(`slipway listening on ${url}`);
  say();
  line('open', paint('bold', process.env.SLIPWAY_PUBLIC_URL ?? `${protocol}//${here}${port && `:${port}`}`));
  line('user', 'admin');
  if (password) line('password', `${paint('bold', password)}   (shown this once: keep it, or set your own)`);
  else line('password', SLIPWAY_ADMIN_PASSWORD ? 'as SLIPWAY_ADMIN_PASSWORD says' : 'as at the first start');
  line('stop', `Ctrl-C   ${paint('dim', `(ready after ${sinceStart()})`)}`);
  say();
}
