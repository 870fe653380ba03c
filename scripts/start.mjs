/** `npm start`: installs and builds what is missing, then runs the server with the embedded defaults until a signal. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { install, root } from './lib.mjs';

install();
const { build, isStale } = await import('./build.mjs');
if (isStale()) {
  console.log('building…');
  build();
}

const main = path.join(root, 'dist/server/cli/main.js');
const server = spawn(process.execPath, ['--enable-source-maps', main, 'server'], { cwd: root, stdio: 'inherit' });
// A terminal sends its signals to the server, too; it takes the second one for the same wish.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => server.kill(signal));
server.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
