/** Clears away what runs that nobody holds any more have left behind: containers, networks, processes, workspaces. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { LABEL } from './labels.ts';
import type { RunnerSettings } from './steps/step.ts';
import { removeWorkspace } from './steps/workspace.ts';
import { removeContainer, removeNetwork } from './tools/containers.ts';
import { engineClient } from './tools/engine.ts';
import { COOKIE, findByCookie, isCode, killByCookie } from './tools/processes.ts';

export interface Swept {
  containers: number;
  networks: number;
  processes: number;
  workspaces: number;
}

/**
 * Removes the step containers, step networks, host processes and workspaces of this installation whose run is not in
 * `keep`: on one machine that must be the runs of all its runners. Stacks, caches and everything without this
 * installation's label stay. Repeating is harmless.
 */
export async function sweep(
  settings: Pick<RunnerSettings, 'instance' | 'folder'>,
  keep: readonly number[],
  signal: AbortSignal,
): Promise<Swept> {
  const docker = engineClient(null);
  const kept = new Set(keep.map(String));
  const isLeft: IsLeft = ({ [LABEL.role]: role, [LABEL.run]: run }) =>
    (role === 'step' || role === 'service') && run !== undefined && !kept.has(run);
  const containers = await sweepContainers(docker, settings.instance, isLeft);
  const networks = await sweepNetworks(docker, settings.instance, isLeft);
  const processes = await sweepProcesses(settings.instance, kept, signal);
  const workspaces = await sweepWorkspaces(settings.folder, kept);
  return { containers, networks, processes, workspaces };
}

type IsLeft = (labels: Record<string, string>) => boolean;
const ofInstance = (instance: string) => ({ label: [`${LABEL.instance}=${instance}`] });

async function sweepContainers(docker: Docker, instance: string, isLeft: IsLeft): Promise<number> {
  const all = await docker.listContainers({ all: true, filters: ofInstance(instance) });
  const left = all.filter(({ Labels }) => isLeft(Labels));
  await Promise.all(left.map(({ Id }) => removeContainer(docker, Id)));
  return left.length;
}

async function sweepNetworks(docker: Docker, instance: string, isLeft: IsLeft): Promise<number> {
  const all = await docker.listNetworks({ filters: ofInstance(instance) });
  const left = all.filter(({ Labels }) => isLeft(Labels ?? {}));
  await Promise.all(left.map(({ Id }) => removeNetwork(docker, Id)));
  return left.length;
}

async function sweepProcesses(instance: string, kept: ReadonlySet<string>, signal: AbortSignal): Promise<number> {
  const runs = new Set<string>();
  for (const pid of findByCookie(instance)) {
    const run = (await cookieOf(pid))?.slice(`${instance}:`.length).split(':')[0];
    // Not a number: of no run, such as the git processes of this very process.
    if (run !== undefined && /^\d+$/.test(run) && !kept.has(run)) runs.add(run);
  }
  const ended = await Promise.all([...runs].map((run) => killByCookie(`${instance}:${run}`, signal)));
  return ended.reduce((sum, count) => sum + count, 0);
}

async function cookieOf(pid: number): Promise<string | undefined> {
  try {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    return environment
      .split('\0')
      .find((entry) => entry.startsWith(`${COOKIE}=`))
      ?.slice(COOKIE.length + 1);
  } catch (error) {
    if (isCode(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

async function sweepWorkspaces(folder: string, kept: ReadonlySet<string>): Promise<number> {
  const workspaces = join(folder, 'workspaces');
  const left = (await namesIn(workspaces)).filter((name) => !kept.has(name.match(/^\d+/)?.[0] ?? ''));
  for (const name of left) await removeWorkspace(join(workspaces, name));
  return left.length;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return [];
    throw error;
  }
}
