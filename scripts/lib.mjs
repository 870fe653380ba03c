/** What the scripts share. They use Node alone, so that they work before anything is installed. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

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

/** Installs the locked dependencies where they are missing or older than the lock file. */
export function install() {
  const installed = path.join(root, 'node_modules/.package-lock.json');
  const lock = path.join(root, 'package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  const addon = cachedAddon();
  if (existsSync(addon.cached)) {
    // Compiling better-sqlite3 takes a minute: install without its script, and put the addon back.
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
    mkdirSync(path.dirname(addon.built), { recursive: true });
    copyFileSync(addon.cached, addon.built);
    if (attempt(process.execPath, ['-e', "new (require('better-sqlite3'))(':memory:')"]) === 0) return;
  }
  run('npm', ['ci', '--no-audit', '--no-fund']);
  mkdirSync(path.dirname(addon.cached), { recursive: true });
  // A rename, so that another checkout never loads half a file.
  copyFileSync(addon.built, `${addon.cached}.${process.pid}`);
  renameSync(`${addon.cached}.${process.pid}`, addon.cached);
}

/** An addon fits one version of its package, one ABI of Node, one platform and one C library. */
function cachedAddon() {
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
