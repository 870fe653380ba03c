/** What the demo starts beside the application: a registry, a mail catcher, a Slipway server. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ProgramFailed, root } from '../lib.mjs';
import { onPath } from '../start-parts.mjs';
import { LABEL, provideImage } from './images.mjs';

/** `wanted` where it is free, else any other. */
export async function freePort(wanted) {
  // Somebody may have a port on one address only, and the engine publishes on another: both are tried.
  for (const port of [wanted, 0, 0, 0]) {
    const found = await tryPort(port, '127.0.0.1');
    if (found !== null && (await tryPort(found, '0.0.0.0')) !== null) return found;
  }
  throw new Error('there is no free port on this machine');
}

function tryPort(port, host) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(null));
    server.listen(port, host, () => {
      const { port: found } = server.address();
      server.close(() => resolve(found));
    });
  });
}

/** Debian's docker-registry where it is installed, else the official image. Answers `{ host, kind }`. */
export async function startRegistry(home, docker) {
  const port = await freePort(0);
  const host = `127.0.0.1:${port}`;
  if (onPath('docker-registry')) {
    const folder = path.join(home.folder, 'registry');
    mkdirSync(folder);
    const config = {
      version: '0.1',
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: folder } },
      http: { addr: host },
    };
    // JSON is YAML.
    writeFileSync(path.join(home.folder, 'registry.yml'), JSON.stringify(config));
    const child = launch(home, 'registry', onPath('docker-registry'), [
      'serve',
      path.join(home.folder, 'registry.yml'),
    ]);
    await answers(`http://${host}/v2/`, child);
    return { host, kind: 'docker-registry' };
  }
  await provideImage(docker, 'registry', 'registry:2', ['docker-registry']);
  const container = await docker.createContainer({
    Image: `${LABEL}/registry`,
    Labels: { [LABEL]: '1' },
    HostConfig: { PortBindings: { '5000/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] } },
    ExposedPorts: { '5000/tcp': {} },
  });
  await container.start();
  await answers(`http://${host}/v2/`);
  return { host, kind: 'registry:2' };
}

/** A server of its own, on data of its own. Answers `{ url, token, password }`. */
export async function startSlipway(home, { mail }) {
  const port = await freePort(Number(process.env.SLIPWAY_PORT) || 8080);
  const host = process.env.SLIPWAY_HOST ?? '127.0.0.1';
  const secrets = { token: randomBytes(24).toString('base64url'), password: randomBytes(9).toString('base64url') };
  const url = `http://${host === '0.0.0.0' ? 'localhost' : host}:${port}`;
  const child = launch(home, 'server', process.execPath, [path.join(root, 'dist/server/cli/main.js'), 'server'], {
    SLIPWAY_DATA: path.join(home.folder, 'data'),
    SLIPWAY_HOST: host,
    SLIPWAY_PORT: String(port),
    SLIPWAY_PUBLIC_URL: process.env.SLIPWAY_PUBLIC_URL ?? url,
    SLIPWAY_ADMIN_TOKEN: secrets.token,
    SLIPWAY_ADMIN_PASSWORD: secrets.password,
    SLIPWAY_ALLOW_FILE_SOURCES: '1',
    SLIPWAY_SMTP_URL: mail,
    SLIPWAY_MAIL_FROM: 'Slipway <slipway@example.com>',
  });
  await answers(`${url}/readyz`, child);
  return { url, ...secrets };
}

/** In a process group of its own: a Ctrl-C is for the demo, which ends its parts in the right order. */
function launch(home, name, program, args, settings = {}) {
  const log = path.join(home.folder, `${name}.log`);
  const output = openSync(log, 'a');
  const child = spawn(program, args, {
    cwd: home.folder,
    env: { ...home.environment, ...settings },
    stdio: ['ignore', output, output],
    detached: true,
  });
  return Object.assign(child, { log, called: name });
}

/** Resolves once something answers there. */
async function answers(url, child) {
  for (let waited = 0; waited < 30_000; waited += 50) {
    if (child && (child.exitCode !== null || child.signalCode !== null))
      throw new ProgramFailed(
        child.called,
        `ended with ${child.exitCode ?? child.signalCode}`,
        readFileSync(child.log, 'utf8'),
      );
    if (await reached(url)) return;
    await delay(50);
  }
  throw new ProgramFailed(child?.called ?? url, 'does not answer', child ? readFileSync(child.log, 'utf8') : '');
}

const reached = (url) =>
  new Promise((resolve) => {
    const request = http.get(url, { timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode < 500);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
