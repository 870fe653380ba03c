/** The engine and the programs beside it: installed and started where that is possible, allowed and said. */
import { existsSync } from 'node:fs';
import http from 'node:http';
import { orExplain, quietly } from './lib.mjs';
import { say, step } from './terminal.mjs';

const SOCKET = '/var/run/docker.sock';

/** Nothing is installed unless somebody is there to read of it. */
export const mayInstall = () =>
  Boolean(process.stdin.isTTY && process.stdout.isTTY) &&
  !process.argv.includes('--no-install') &&
  process.env.SLIPWAY_NO_INSTALL !== '1';

/**
 * Sees to an engine where none answers: as root it starts the `dockerd` that is there, and on Debian installs it first.
 * An engine named by `DOCKER_HOST` is somebody else's business. What is still missing then, the checks say.
 */
export async function provideEngine() {
  if (process.env.DOCKER_HOST || process.getuid() !== 0 || (await engineAnswers())) return;
  const installed = onPath('dockerd');
  if (!installed && !(mayInstall() && onPath('apt-get'))) return;
  if (!installed) {
    say('  No Docker engine here. Installing the packages docker.io, docker-compose and git;');
    say('  Ctrl-C stops this, and `npm start -- --no-install` goes without.');
  }
  const title = installed ? 'starting dockerd' : 'installing and starting docker';
  await orExplain(() => step(title, () => quietly('bash', ['scripts/setup.sh', 'engine'])));
}

export function engineAnswers() {
  return new Promise((resolve) => {
    const request = http.get({ socketPath: SOCKET, path: '/_ping', timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', () => resolve(false));
  });
}

/** The path of a program; those for administrators are found, too. */
export function onPath(program) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'];
  return folders.map((folder) => `${folder}/${program}`).find((file) => existsSync(file)) ?? null;
}
