/**
 * Steps find their files because the engine mounts the workspace by its path. That fails where the engine has other files
 * under that path: Slipway in a container whose data folder is elsewhere on the host, or an engine on another machine.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type Docker from 'dockerode';
import { RemoteError } from '../../pipelines/errors.ts';
import { readFromContainer } from '../tools/archive.ts';
import { asEngineError, removeBehind, removeContainer, statusCodeOf } from '../tools/containers.ts';

const shared = new Map<string, Promise<void>>();
const MOUNTED = '/shared';
const MAX_MARK = 64 * 1024;

/**
 * Throws `RemoteError('engine', 'refused', …)` where the engine does not see what this process writes below `folder`.
 * It is tried, not guessed: a file is looked for through a container of `image` that is made but never started. Once a
 * process, while it holds.
 */
export function requireShared(
  docker: Docker,
  image: string,
  folder: string,
  labels: Record<string, string>,
): Promise<void> {
  const known = shared.get(folder);
  if (known) return known;
  const asked = probe(docker, image, folder, labels);
  shared.set(folder, asked);
  asked.catch(() => shared.delete(folder));
  return asked;
}

async function probe(docker: Docker, image: string, folder: string, labels: Record<string, string>): Promise<void> {
  await mkdir(folder, { recursive: true });
  const marked = await mkdtemp(join(folder, 'probe-'));
  try {
    const mark = randomUUID();
    await writeFile(join(marked, 'mark'), mark);
    if ((await markSeen(docker, image, marked, labels)) === mark) return;
  } finally {
    await rm(marked, { recursive: true, force: true });
  }
  throw new RemoteError(
    'engine',
    'refused',
    `the Docker engine does not see the workspaces: what Slipway writes to ${folder} is not there for the engine. ` +
      `Where Slipway runs in a container, the data folder must have the same path on the host: -v ${folder}:${folder}`,
  );
}

/** What the engine finds in the folder's mark, or null. */
async function markSeen(
  docker: Docker,
  image: string,
  folder: string,
  labels: Record<string, string>,
): Promise<string | null> {
  let container: Docker.Container;
  try {
    container = await docker.createContainer({
      Image: image,
      Entrypoint: ['sh'],
      Labels: labels,
      HostConfig: { Mounts: [{ Type: 'bind', Source: folder, Target: MOUNTED, ReadOnly: true }] },
    });
  } catch (error) {
    // "bind source path does not exist": the engine's only 400 for such a plain request.
    if (statusCodeOf(error) === 400) return null;
    throw asEngineError(error);
  }
  try {
    for await (const file of readFromContainer(container, `${MOUNTED}/mark`, MAX_MARK)) return file.content.toString();
    return null;
  } finally {
    removeBehind(`the probe of ${basename(folder)}`, () => removeContainer(docker, container.id));
  }
}
