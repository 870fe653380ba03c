/**
 * Who owns the files of a workspace.
 *
 * The runner checks out as its own user, and most images work as root, so both can write. An image with another user can
 * not: before such a step, the whole workspace is given to that user. This needs a runner that runs as root; without it,
 * such images work only where their user id is the runner's own. Files that a container left as root, and that the
 * runner may therefore not remove, are removed by a container.
 */
import { lstat, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { invalid } from '../../pipelines/errors.ts';
import { readFromContainer } from '../tools/archive.ts';
import { removeContainer } from '../tools/containers.ts';
import { engineClient } from '../tools/engine.ts';
import { exec } from '../tools/exec.ts';
import type { RunnerSettings } from './step.ts';

export interface Owner {
  uid: number;
  gid: number;
}

const MAX_PASSWD = 1024 * 1024;
const CHOWN_TIMEOUT_MS = 5 * 60_000;

/** Where the runs' workspaces are; `sweep` tells from the name whose it is. */
export const workspaceFor = (settings: Pick<RunnerSettings, 'folder'>, runId: number): string =>
  join(settings.folder, 'workspaces', String(runId));

/** The user that `image` runs as, or null for root. Names are looked up in the image's own files, through a container with these labels. */
export async function imageUser(
  docker: Docker,
  image: Docker.ImageInspectInfo,
  labels: Record<string, string> = {},
): Promise<Owner | null> {
  const [user = '', group] = (image.Config.User ?? '').split(':');
  if (user === '' || user === 'root' || user === '0') return null;
  if (isNumber(user) && (group === undefined || isNumber(group))) return { uid: Number(user), gid: Number(group ?? 0) };
  const { passwd, groups } = await accountFiles(docker, image.Id, labels);
  const entry = passwd.find(([name, , uid]) => name === user || uid === user);
  if (!entry && !isNumber(user)) throw invalid(`the image's user ${user} is not in its /etc/passwd`, 'image');
  const gid = group === undefined ? entry?.[3] : (groups.find(([name]) => name === group)?.[2] ?? group);
  const owner = { uid: Number(entry?.[2] ?? user), gid: Number(gid ?? 0) };
  return owner.uid === 0 ? null : owner;
}

const isNumber = (text: string): boolean => /^\d+$/.test(text);

/** Through a container that is made but never started. */
async function accountFiles(
  docker: Docker,
  image: string,
  labels: Record<string, string>,
): Promise<{ passwd: string[][]; groups: string[][] }> {
  const container = await docker.createContainer({ Image: image, Entrypoint: ['sh'], Labels: labels });
  try {
    return { passwd: await readTable(container, '/etc/passwd'), groups: await readTable(container, '/etc/group') };
  } finally {
    await removeContainer(docker, container.id);
  }
}

async function readTable(container: Docker.Container, path: string): Promise<string[][]> {
  for await (const file of readFromContainer(container, path, MAX_PASSWD)) {
    return file.content
      .toString()
      .split('\n')
      .map((line) => line.split(':'));
  }
  return [];
}

/** Gives the workspace to `owner`. Without effect where this process is not root. */
export async function giveWorkspace(folder: string, owner: Owner, signal: AbortSignal): Promise<void> {
  if (process.getuid?.() !== 0) return;
  // The program, not a walk of our own: it holds on to directories by descriptor, so that a step running beside this
  // one cannot lead it out of the workspace through a link.
  const args = ['-R', '-h', '-P', '--', `${owner.uid}:${owner.gid}`, folder];
  const { code, stderr } = await exec({ command: 'chown', args, timeoutMs: CHOWN_TIMEOUT_MS, signal });
  if (code !== 0) throw new Error(`the workspace could not be given to user ${owner.uid}: ${stderr}`);
}

/** Removes a workspace, whoever owns what is in it; `labels` are for the container that may take. One that is gone is fine. */
export async function removeWorkspace(folder: string, labels: Record<string, string> = {}): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
    await emptyWithContainer(engineClient(null), folder, labels);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Images are tried smallest first, for not every one has a shell with `rm`. */
export async function emptyWithContainer(
  docker: Docker,
  folder: string,
  labels: Record<string, string> = {},
): Promise<void> {
  await lstat(folder);
  const images = (await docker.listImages()).sort((a, b) => a.Size - b.Size).slice(0, 20);
  for (const { Id } of images) if (await runRemoval(docker, Id, folder, labels)) return;
  throw new Error(`${folder} holds files of another user, and no image on the engine has an rm to remove them with`);
}

async function runRemoval(
  docker: Docker,
  image: string,
  folder: string,
  labels: Record<string, string>,
): Promise<boolean> {
  const container = await docker.createContainer({
    Image: image,
    User: '0:0',
    Entrypoint: ['sh'],
    Cmd: ['-c', 'rm -rf /folder/* /folder/.[!.]* /folder/..?*'],
    Labels: labels,
    NetworkDisabled: true,
    HostConfig: { Mounts: [{ Type: 'bind', Source: folder, Target: '/folder' }] },
  });
  try {
    await container.start();
    return ((await container.wait()) as { StatusCode: number }).StatusCode === 0;
  } catch (error) {
    // No sh in this image: the engine refuses the start, and the next one is tried.
    if (typeof (error as { statusCode?: number }).statusCode === 'number') return false;
    throw error;
  } finally {
    await removeContainer(docker, container.id);
  }
}
