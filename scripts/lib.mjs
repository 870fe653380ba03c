/** What the scripts share. They use Node alone, so that they work before anything is installed. */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { duration, marks, say, step } from './terminal.mjs';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Runs a program with the terminal's streams; where it fails, ends this process with its exit code. */
export function run(program, args, options = {}) {
  const status = attempt(program, args, options);
  if (status !== 0) process.exit(status);
}

/** Like `run`, and answers the exit code. */
export function attempt(program, args, options = {}) {
  const { status, error, signal } = spawnSync(program, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) console.error(`${program}: ${error.message}`);
  if (signal) console.error(`${program}: ended by ${signal}`);
  return status ?? 1;
}

/** A program that did not do its work; `said` is the end of its output. */
export class ProgramFailed extends Error {
  constructor(program, how, said) {
    super(`${program} ${how}`);
    this.said = said;
  }
}

/** Runs a program without its output; resolves with it, and throws `ProgramFailed` where it fails. */
export function quietly(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options });
    let said = '';
    const keep = (chunk) => {
      said = (said + chunk).slice(-20_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => reject(new ProgramFailed(program, `cannot be started: ${error.message}`, said)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(said);
      else reject(new ProgramFailed(program, signal ? `was ended by ${signal}` : `ended with exit code ${code}`, said));
    });
  });
}

/** Runs `work`; where a program in it fails, shows the end of what it said and a `hint`, and ends this process. */
export async function orExplain(work, hint = () => null) {
  try {
    return await work();
  } catch (thrown) {
    if (!(thrown instanceof ProgramFailed)) throw thrown;
    const lines = thrown.said.trimEnd().split('\n').slice(-25);
    say(`\n${lines.map((line) => `    ${line}`).join('\n')}\n`);
    say(`  ${marks.failed} ${thrown.message}`);
    const advice = hint(thrown);
    if (advice) say(`    ${advice}`);
    process.exit(1);
  }
}

/** Installs the locked dependencies where they are missing or older than the lock file. */
export async function install() {
  const installed = path.join(root, 'node_modules/.package-lock.json');
  const lock = path.join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  if (!process.stdout.isTTY) say('  installing dependencies, about a minute the first time');
  await orExplain(() => step('installing dependencies', installLocked), installHint);
}

async function installLocked() {
  const { built, cached } = addonFiles();
  if (existsSync(cached)) {
    // Compiling better-sqlite3 takes a minute: install without its script, and put the addon back.
    await npmCi('--ignore-scripts');
    mkdirSync(path.dirname(built), { recursive: true });
    copyFileSync(cached, built);
    if (await addonLoads()) return;
  }
  await npmCi();
  mkdirSync(path.dirname(cached), { recursive: true });
  // A rename, so that another checkout never loads half a file.
  copyFileSync(built, `${cached}.${process.pid}`);
  renameSync(`${cached}.${process.pid}`, cached);
}

const npmCi = (...options) =>
  quietly('npm', ['ci', '--no-audit', '--no-fund', ...options], { env: { ...ownHeaders(), ...process.env } });

/** Node's headers beside Node itself, where it came with them: compiling an addon then downloads none. */
function ownHeaders() {
  const prefix = path.dirname(path.dirname(realpathSync(process.execPath)));
  return existsSync(path.join(prefix, 'include/node/node.h')) ? { npm_config_nodedir: prefix } : {};
}

const addonLoads = () =>
  quietly(process.execPath, ['-e', "new (require('better-sqlite3'))(':memory:')"]).then(
    () => true,
    () => false,
  );

function installHint({ said }) {
  if (/gyp.*-headers\.tar\.gz/.test(said))
    return "One module is compiled, and Node's headers cannot be downloaded: put them in place (Debian: apt-get install libnode-dev, or a Node from its own archive), then `npm config set nodedir PREFIX`, where PREFIX/include/node has them.";
  if (/node-gyp|prebuild-install/.test(said))
    return 'One module is compiled where it cannot be downloaded: install python3, make and g++ (Debian: apt-get install python3 make g++), then start again.';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|network/i.test(said))
    return 'npm cannot reach its registry: behind a proxy set HTTPS_PROXY, with a registry of your own `npm config set registry URL`.';
  return null;
}

/** An addon fits one version of its package, one ABI of Node, one platform and one C library. */
function addonFiles() {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const { version } = lock.packages['node_modules/better-sqlite3'];
  const libc = process.report.getReport().header.glibcVersionRuntime ?? 'musl';
  const name = ['better-sqlite3', version, process.versions.modules, process.platform, process.arch, libc].join('-');
  const caches = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  return {
    built: path.join(root, 'node_modules/better-sqlite3/build/Release/better_sqlite3.node'),
    cached: path.join(caches, 'slipway', `${name}.node`),
  };
}

/** Installs and builds what is missing or older than its sources. Takes no time where nothing is. */
export async function makeReady() {
  await install();
  const { isStale } = await import('./build.mjs');
  if (isStale()) await orExplain(() => step('building', () => quietly(process.execPath, ['scripts/build.mjs'])));
}

/** Tells how long this process has been running, for the last line of a start. */
export const sinceStart = () => duration(performance.now());
