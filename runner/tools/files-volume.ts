/**
 * Files that travel with a release, as a named volume on the engine: nothing is mounted from the runner's own disk, so
 * that engines may be remote. A volume is filled through a helper container that is never started.
 *
 * Each filling goes to a folder of its own, and a marker written last names the folder that counts. So a run that dies
 * half-way leaves no half-filled volume in use, and two runs at once cannot disturb each other.
 *
 * Everything is readable by everyone *inside* the volume (files 0444, or 0555 if executable; folders 0755): container
 * users are rarely root, and only the services that mount a file see it. On the engine's host the volumes lie below a
 * folder that root alone may enter. Compose and Swarm use the same mode for secrets.
 */
import { createHash, randomUUID } from 'node:crypto';
import type Docker from 'dockerode';
import type { FileVolume, SecretFile } from '../../pipelines/compose/render.ts';
import { AppError } from '../../pipelines/errors.ts';
import { withRole } from '../labels.ts';
import { type ArchiveFile, type ArchiveFolder, pack, readFromContainer } from './archive.ts';
import { asEngineError, removeContainer } from './containers.ts';

const MARKER = '.slipway-complete';
/** Where the helper mounts the volume: a place no image has. */
const MOUNT = '/slipway-volume';
const ROOT = { uid: 0, gid: 0 };
/** Bytes of secrets read back to compare; what is more was not written here. */
const SECRETS_LIMIT = 16 * 1024 * 1024;

export interface FillContext {
  docker: Docker;
  /** A local image for the helper container; nothing in it is used. */
  image: string;
  labels: Record<string, string>;
  getBlob: (sha256: string) => Promise<AsyncIterable<Uint8Array>>;
  signal: AbortSignal;
}

/** Makes sure that the volume holds these files; `mountpoint` is their folder on the engine's host. */
export async function ensureFileVolume(
  volume: FileVolume | SecretFile,
  context: FillContext,
): Promise<{ mountpoint: string }> {
  try {
    return await withHelper(volume, context, async (helper, root) => {
      let folder = await completeFolder(helper, context.signal);
      if (folder === null || !(await isCurrent(helper, folder, volume, context.signal))) {
        folder = await fill(helper, volume, context);
      }
      return { mountpoint: `${root}/${folder}` };
    });
  } catch (error) {
    context.signal.throwIfAborted();
    throw asEngineError(error);
  }
}

async function withHelper<T>(
  volume: FileVolume | SecretFile,
  { docker, image, signal, ...context }: FillContext,
  use: (helper: Docker.Container, root: string) => Promise<T>,
): Promise<T> {
  const name = 'entries' in volume ? volume.volume : volume.name;
  const labels = withRole(context.labels, 'files');
  // Creating a volume that exists answers with the one that is there.
  const made = await docker.createVolume({ Name: name, Labels: labels, abortSignal: signal });
  const { Mountpoint } = await made.inspect({ abortSignal: signal });
  const helper = await docker.createContainer({
    Image: image,
    Entrypoint: ['never-started'],
    Labels: labels,
    HostConfig: { Binds: [`${name}:${MOUNT}:nocopy`], NetworkMode: 'none' },
  });
  try {
    return await use(helper, Mountpoint);
  } finally {
    await removeContainer(docker, helper.id);
  }
}

/** Two runs at once each get a complete folder of their own; the later marker says which one is used from then on. */
async function fill(helper: Docker.Container, volume: FileVolume | SecretFile, context: FillContext): Promise<string> {
  const folder = randomUUID();
  const { signal } = context;
  const files = 'entries' in volume ? secretFiles(volume) : await bundledFiles(volume, context.getBlob);
  const directories = foldersOf(files, 'entries' in volume ? [] : volume.directories);
  const inside = [...directories, ...files].map((entry) => ({ ...entry, path: `${folder}/${entry.path}` }));
  const all: (ArchiveFile | ArchiveFolder)[] = [{ path: folder, folder: true, mode: 0o755, owner: ROOT }, ...inside];
  const marker: ArchiveFile = { path: MARKER, content: Buffer.from(folder), mode: 0o444 };
  await helper.putArchive(pack(all), { path: MOUNT, abortSignal: signal });
  await helper.putArchive(pack([marker]), { path: MOUNT, abortSignal: signal });
  return folder;
}

function foldersOf(files: ArchiveFile[], further: string[]): ArchiveFolder[] {
  const paths = new Set<string>();
  for (const path of [...files.map((file) => file.path), ...further.map((folder) => `${folder}/`)]) {
    for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) paths.add(path.slice(0, at));
  }
  return [...paths].sort().map((path) => ({ path, folder: true, mode: 0o755, owner: ROOT }));
}

const secretFiles = (volume: SecretFile): ArchiveFile[] =>
  volume.entries.map(({ path, value }) => ({ path, content: Buffer.from(value), mode: 0o444 }));

async function bundledFiles(volume: FileVolume, getBlob: FillContext['getBlob']): Promise<ArchiveFile[]> {
  const files: ArchiveFile[] = [];
  for (const { path, sha256, mode } of volume.files) {
    files.push({ path, content: await readBlob(getBlob, path, sha256), mode: mode & 0o111 ? 0o555 : 0o444 });
  }
  return files;
}

/** A bundled file; throws `unavailable` where it is not what the release says. */
export async function readBlob(getBlob: FillContext['getBlob'], path: string, sha256: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await getBlob(sha256)) chunks.push(chunk);
  const content = Buffer.concat(chunks);
  const actual = createHash('sha256').update(content).digest('hex');
  if (actual === sha256) return content;
  throw new AppError('unavailable', `${path}: the stored file has sha256 ${actual}, the release says ${sha256}`);
}

async function completeFolder(helper: Docker.Container, signal: AbortSignal): Promise<string | null> {
  for await (const { content } of readFromContainer(helper, `${MOUNT}/${MARKER}`, 1024, signal))
    return content.toString();
  return null;
}

/**
 * Bundled files are named by their content: what is complete is right. Secrets are compared, so that unchanged ones
 * leave their containers alone and changed ones get another folder, which makes Compose recreate the containers.
 */
async function isCurrent(
  helper: Docker.Container,
  folder: string,
  volume: FileVolume | SecretFile,
  signal: AbortSignal,
): Promise<boolean> {
  if (!('entries' in volume)) return true;
  const wanted = new Map(volume.entries.map(({ path, value }) => [path, value]));
  for await (const { path, content } of readFromContainer(helper, `${MOUNT}/${folder}`, SECRETS_LIMIT, signal)) {
    if (wanted.get(path) !== content.toString()) return false;
    wanted.delete(path);
  }
  return wanted.size === 0;
}
