/** Looks at what Slipway needs of this machine, and says how to mend what is missing. Nothing is changed. */
import { constants, existsSync } from 'node:fs';
import { access, statfs } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { AppError } from '../pipelines/errors.ts';
import { engineClient } from '../runner/tools/engine.ts';
import { exec } from '../runner/tools/exec.ts';
import { isCode } from '../runner/tools/processes.ts';
import { httpGet } from '../runner/tools/registry-http.ts';
import { MIN_FREE } from './disk.ts';

export interface Check {
  name: string;
  /** `note`: works, but there is something to know. `missing`: what needs it will fail. */
  state: 'ok' | 'note' | 'missing';
  /** What was found, or what will not work without it. */
  found: string;
  /** What to do, a line each; commands can be copied as they are. */
  mend: string[];
}

/** No answer within this is none, ms. */
const PATIENCE = 4_000;
/** Images fill a disk quickly: said well before intake stops, bytes. */
const COMFORTABLE = 5 * 2 ** 30;

/** All checks at once, in the order to be shown. Reads the settings it needs; never throws for what it finds. */
export async function diagnose(env: NodeJS.ProcessEnv): Promise<Check[]> {
  const data = path.resolve(env.SLIPWAY_DATA?.trim() || './data');
  const checks = await Promise.all([
    engine(env),
    compose(),
    git(),
    registries(data, env.SLIPWAY_CA_FILE?.trim() || null),
    disk(data),
    dataFolder(data),
  ]);
  return checks.flat();
}

const ok = (name: string, found: string): Check => ({ name, state: 'ok', found, mend: [] });

async function engine(env: NodeJS.ProcessEnv): Promise<Check> {
  const host = env.DOCKER_HOST || 'unix:///var/run/docker.sock';
  const name = 'engine';
  try {
    const { Version, Os, Arch } = await within(engineClient({ host }).version());
    return ok(name, `Docker ${Version} (${Os}/${Arch})`);
  } catch (error) {
    const found = `none answers at ${host}: steps, image builds and deployments will not work`;
    return { name, state: 'missing', found, mend: mendEngine(error, env, host) };
  }
}

function mendEngine(error: unknown, env: NodeJS.ProcessEnv, host: string): string[] {
  if (env.DOCKER_HOST) return [`DOCKER_HOST is ${host}: start that engine, or unset DOCKER_HOST for the local one`];
  if (isCode(error, 'EACCES', 'EPERM'))
    return ['this user may not use it: sudo usermod -aG docker "$USER", then log in again'];
  const start = 'sudo systemctl start docker   (without systemd, as root: dockerd &)';
  if (isCode(error, 'ECONNREFUSED') || existsSync('/usr/bin/dockerd') || existsSync('/usr/sbin/dockerd'))
    return [start];
  return ['Debian, Ubuntu: sudo apt-get install docker.io docker-compose', 'others: docs.docker.com/engine/install'];
}

async function compose(): Promise<Check> {
  const name = 'compose';
  const [plugin, alone] = await Promise.all([
    firstLine('docker', ['compose', 'version', '--short']),
    firstLine('docker-compose', ['version', '--short']),
  ]);
  const version = plugin ?? alone;
  if (version !== null) return ok(name, `Compose ${version.replace(/^v/, '')}`);
  return {
    name,
    state: 'missing',
    found: 'not installed: nothing can be deployed',
    mend: ['Debian, Ubuntu: sudo apt-get install docker-compose   (or the plugin: docker-compose-plugin)'],
  };
}

async function git(): Promise<Check> {
  const name = 'git';
  const version = await firstLine('git', ['--version']);
  if (version !== null) return ok(name, version.replace(/^git version /, 'Git '));
  const found = 'not installed: no Git repository can be watched or checked out';
  return { name, state: 'missing', found, mend: ['Debian, Ubuntu: sudo apt-get install git'] };
}

/** What a program says first; null where it is not there or fails. */
async function firstLine(command: string, args: string[]): Promise<string | null> {
  const signal = AbortSignal.timeout(PATIENCE);
  try {
    const env = { HOME: homedir() };
    const { code, stdout } = await exec({ command, args, env, timeoutMs: PATIENCE, signal });
    return code === 0 ? (stdout.split('\n')[0] ?? '').trim() : null;
  } catch (error) {
    if (signal.aborted || (error instanceof AppError && error.code === 'unavailable')) return null;
    throw error;
  }
}

interface RegistryRow {
  url: string;
  insecure: number;
}

/** Those that projects push to. Each must answer at all: whether it takes the credentials, a push will tell. */
async function registries(data: string, caFile: string | null): Promise<Check[]> {
  const all = configuredRegistries(path.join(data, 'slipway.db'));
  if (all.length === 0) return [ok('registry', 'none yet: each project names its own')];
  return Promise.all(
    all.map(async ({ url, insecure }): Promise<Check> => {
      const host = url.split('/')[0] ?? url;
      try {
        const options = { signal: AbortSignal.timeout(PATIENCE), timeoutMs: PATIENCE, caFile };
        await httpGet(`${insecure ? 'http' : 'https'}://${host}/v2/`, {}, options);
        return ok('registry', host);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        const mend = ['start it, or give the project another one: PUT /api/v1/projects/NAME/registry'];
        return { name: 'registry', state: 'missing', found: `${host} does not answer (${why}): pushes fail`, mend };
      }
    }),
  );
}

/** Of a database that is not there yet, or cannot be read, none: what is wrong with it, the server says as it opens it. */
function configuredRegistries(file: string): RegistryRow[] {
  if (!existsSync(file)) return [];
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { readonly: true });
    return db.prepare('SELECT DISTINCT url, insecure FROM registries').all() as RegistryRow[];
  } catch (error) {
    if (error instanceof Database.SqliteError) return [];
    throw error;
  } finally {
    db?.close();
  }
}

async function disk(data: string): Promise<Check> {
  const name = 'disk';
  const { bavail, bsize } = await statfs(existing(data));
  const free = bavail * bsize;
  const gib = `${(free / 2 ** 30).toFixed(1)} GiB free`;
  if (free >= COMFORTABLE) return ok(name, gib);
  const mend = ['make room (docker system df shows what images take), or set SLIPWAY_DATA to a folder on another disk'];
  if (free >= MIN_FREE) return { name, state: 'note', found: `${gib}: builds stop below 1 GiB`, mend };
  return { name, state: 'missing', found: `${gib}: no builds are taken below 1 GiB`, mend };
}

async function dataFolder(data: string): Promise<Check> {
  const name = 'data';
  const at = existing(data);
  try {
    await access(at, constants.W_OK | constants.X_OK);
    return ok(name, at === data ? data : `${data} (new)`);
  } catch (error) {
    if (!isCode(error, 'EACCES', 'EPERM', 'EROFS')) throw error;
    const mend = [`sudo chown -R "$USER" ${at}`, 'or set SLIPWAY_DATA to a folder of your own'];
    return { name, state: 'missing', found: `${data} cannot be written: the server cannot start`, mend };
  }
}

/** The folder, or the nearest one above it that is there. */
function existing(folder: string): string {
  return existsSync(folder) || folder === path.dirname(folder) ? folder : existing(path.dirname(folder));
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer')), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
