/** The Compose program of this machine: the v2 plugin where it works, else `docker-compose`. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '../../pipelines/errors.ts';
import type { EngineSpec } from '../../pipelines/model.ts';
import { exec } from './exec.ts';

export interface ComposeCommand {
  engine: EngineSpec;
  /** Compose's `-p`. */
  project: string;
  /** The final text: goes to stdin, never to disk. */
  text: string;
  /** What `${…}` in the text stands for. */
  environment: Record<string, string>;
  args: string[];
  cookie: string;
  write: (bytes: Uint8Array) => void;
  signal: AbortSignal;
}

/** Ends a Compose that hangs; the deadline of a deployment comes by signal, much earlier. */
const HARD_LIMIT = 24 * 60 * 60 * 1000;
/** Longer than any sensible `stop_grace_period`; version 1 would give up after 60 s. Seconds. */
const HTTP_TIMEOUT = '900';

/** Resolves with the exit code and the end of what Compose said. */
export async function runCompose(command: ComposeCommand): Promise<{ code: number | null; said: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-compose-'));
  try {
    const [program, ...base] = await findCompose();
    // An empty folder of its own: no `.env`, no override file and no relative path can be picked up.
    const cwd = join(folder, 'empty');
    await mkdir(cwd);
    const { code, stdout, stderr } = await exec({
      command: program,
      args: [...base, '--ansi', 'never', '-p', command.project, '-f', '-', ...command.args],
      cwd,
      env: {
        ...command.environment,
        ...(await clientEnvironment(folder)),
        ...(await engineEnvironment(command.engine, folder)),
        COMPOSE_HTTP_TIMEOUT: HTTP_TIMEOUT,
      },
      input: command.text,
      timeoutMs: HARD_LIMIT,
      cookie: command.cookie,
      onOutput: command.write,
      signal: command.signal,
    });
    command.signal.throwIfAborted();
    return { code, said: stderr || stdout };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A home of its own, so that nobody's registry logins or contexts play a part; plugins of the real home are still found. */
async function clientEnvironment(folder: string): Promise<Record<string, string>> {
  const plugins = join(process.env.DOCKER_CONFIG ?? join(homedir(), '.docker'), 'cli-plugins');
  await writeFile(join(folder, 'config.json'), JSON.stringify({ cliPluginsExtraDirs: [plugins] }));
  return { HOME: folder, DOCKER_CONFIG: folder, PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin' };
}

async function engineEnvironment({ host, tls }: EngineSpec, folder: string): Promise<Record<string, string>> {
  if (!tls) return { DOCKER_HOST: host };
  const files = { 'ca.pem': tls.ca, 'cert.pem': tls.cert, 'key.pem': tls.key };
  for (const [name, content] of Object.entries(files)) {
    if (content !== undefined) await writeFile(join(folder, name), content, { mode: 0o600 });
  }
  return { DOCKER_HOST: host, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: folder };
}

type Argv = [program: string, ...args: string[]];
let found: Promise<Argv> | null = null;

/** Looks once a process; looks again where nothing was found, so that installing it needs no restart. */
function findCompose(): Promise<Argv> {
  found ??= detect().catch((error: unknown) => {
    found = null;
    throw error;
  });
  return found;
}

async function detect(): Promise<Argv> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-compose-'));
  try {
    const env = await clientEnvironment(folder);
    if (await answers('docker', ['compose', 'version', '--short'], env)) return ['docker', 'compose'];
    if (await answers('docker-compose', ['version', '--short'], env)) return ['docker-compose'];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  throw new AppError(
    'unavailable',
    'this runner has no Compose: install the Docker Compose plugin, so that `docker compose version` answers, or docker-compose 1.28 or newer',
  );
}

/** A signal of its own: what is found is kept for the whole process, whoever asked first. */
async function answers(command: string, args: string[], env: Record<string, string>): Promise<boolean> {
  try {
    const { code } = await exec({ command, args, env, timeoutMs: 10_000, signal: AbortSignal.timeout(10_000) });
    return code === 0;
  } catch (error) {
    if (error instanceof AppError && error.code === 'unavailable') return false; // not installed
    throw error;
  }
}
