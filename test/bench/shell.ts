/** The other side of every comparison: the same commands, typed into a shell. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a script by `sh -e`; its output is dropped unless it fails. */
export async function shell(script: string, env: Record<string, string> = {}): Promise<void> {
  const child = spawn('sh', ['-e', '-c', script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk) => {
    complaint = `${complaint}${chunk}`.slice(-2_000);
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the bare script ended with ${code}: ${complaint}`);
}

/** First line of what a program prints; null where it is missing or fails. */
export function firstLine(program: string, ...args: string[]): string | null {
  try {
    const text = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.trim().split('\n')[0] ?? null;
  } catch {
    return null;
  }
}

/** A docker client that builds with BuildKit, as Slipway does; a client since 23 needs the plugin buildx for that. */
export function buildingDocker(): string {
  const builds = (docker: string) => {
    const version = Number(firstLine(docker, 'version', '--format', '{{.Client.Version}}')?.split('.')[0] ?? 0);
    return version > 0 && (version < 23 || firstLine(docker, 'buildx', 'version') !== null);
  };
  const found = ['docker', '/usr/bin/docker'].find(builds);
  if (!found) throw new Error('no docker client here can build with BuildKit: install docker-buildx');
  return found;
}

/** `docker compose`, or the older program of its own. */
export const composeCommand = (): string =>
  firstLine('docker', 'compose', 'version') === null ? 'docker-compose' : 'docker compose';
