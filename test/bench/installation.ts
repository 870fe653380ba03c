/** What is measured: a built Slipway in a process of its own, with one repository whose pipelines are the rows' work. */
import { readdirSync, readFileSync } from 'node:fs';
import { commit, defineRepo, type Repo, removeFolder } from '../fixtures/git-server.ts';
import { type RegistryServer, startRegistry } from '../fixtures/registry-server.ts';
import { clearEngine, instanceOf, type Slipway, startSlipway } from '../fixtures/slipway.ts';
import { type EventStream, openEvents, type RunEvent } from './events.ts';

export interface Installation {
  slipway: Slipway;
  repo: Repo;
  registry: RegistryServer;
  events: EventStream;
  /** Commits a pipeline file and makes a pipeline of it, whose revision is mirrored once it has built. */
  definePipeline(name: string, text: string): Promise<void>;
  /** POSTs a build of the branch's head, and waits until the event stream says that it has finished. Throws unless it passed. */
  build(pipeline: string): Promise<RunEvent>;
  /** Opens the event stream again: that of a server that was restarted. */
  reconnect(): Promise<void>;
  close(): Promise<void>;
}

/** Polls never fire: a row triggers for itself. */
const NEVER = '0 0 29 2 *';

export async function install(files: Record<string, string>): Promise<Installation> {
  const registry = await startRegistry();
  const repo = defineRepo(files);
  const slipway = await startSlipway({
    SLIPWAY_ALLOW_HOST_STEPS: '1',
    SLIPWAY_LOG_LIMIT: String(256 * 1024 ** 2),
    SLIPWAY_RUNNER_SLOTS: '2',
  });
  await slipway.api('PUT', '/projects/bench', { name: 'Bench' });
  await slipway.api('PUT', '/projects/bench/registry', { url: registry.host, insecure: true });
  const { token } = await slipway.api('POST', '/me/tokens', { name: 'bench' });
  const made: Installation = {
    slipway,
    repo,
    registry,
    events: await openEvents(slipway.url, token),
    async definePipeline(name, text) {
      const file = `${name}.yml`;
      commit(repo, { [file]: text }, `define ${name}`);
      const source = { kind: 'git', url: repo.url, branches: ['main'] };
      await slipway.api('PUT', `/projects/bench/pipelines/${name}`, { source, file, poll: NEVER });
    },
    async build(pipeline) {
      const finished = made.events.next((event) => event.kind === 'build' && event.status === 'finished');
      await slipway.api('POST', `/projects/bench/pipelines/${pipeline}/builds`, {});
      const event = await finished;
      if (event.result !== 'passed')
        throw new Error(`build ${event.number} of ${pipeline} ${event.result}: ${event.reason}`);
      return event;
    },
    async reconnect() {
      made.events.close();
      made.events = await openEvents(slipway.url, token);
    },
    async close() {
      made.events.close();
      const instance = instanceOf(slipway);
      await slipway.stop();
      await clearEngine(instance);
      await registry.stop();
      removeFolder(repo.dir);
    },
  };
  return made;
}

/** The process that serves this data folder. */
export function serverPid({ data }: Slipway): number {
  const found = readdirSync('/proc').find((name) => Number(name) > 0 && serves(Number(name), data));
  if (found === undefined) throw new Error(`there is no process with the data folder ${data}`);
  return Number(found);
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) * 1024;
}

function serves(pid: number, data: string): boolean {
  try {
    const own = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`SLIPWAY_DATA=${data}\0`);
    return own && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('main.js\0server');
  } catch (error) {
    // Ended while we looked, or another user's.
    if (['ENOENT', 'ESRCH', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
