/** The demo's one folder, and what it leaves: nothing. What a demo that was killed could not clear away, the next one does. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { LABEL } from './images.mjs';

const PREFIX = 'slipway-demo-';
/** In the environment of every process that the demo starts. */
const COOKIE = 'SLIPWAY_DEMO';
const INSTANCE = 'slipway.instance';

export function makeHome() {
  const folder = mkdtempSync(path.join(os.tmpdir(), PREFIX));
  writeFileSync(path.join(folder, 'owner'), `${process.pid} ${startedAt(process.pid)}`);
  return { folder, environment: { ...withoutSlipway(process.env), [COOKIE]: folder } };
}

/** The pid of a demo that runs on this machine, or null. */
export function runningDemo() {
  const owners = homes().map(ownerOf).filter(Boolean);
  return owners.find(({ pid, since }) => startedAt(pid) === since)?.pid ?? null;
}

/**
 * Removes everything that bears the demo's mark, of whichever demo: processes first, since they make the rest. Answers what
 * it was, in words; empty where there was nothing. `docker` is null where no engine answers.
 */
export async function sweep(docker) {
  const folders = homes();
  const instances = new Set(folders.map(instanceOf).filter(Boolean));
  const processes = await endProcesses();
  const counts = docker ? await sweepEngine(docker, instances) : {};
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  return Object.entries({ process: processes, ...counts, folder: folders.length })
    .filter(([, count]) => count > 0)
    .map(([noun, count]) => plural(count, noun))
    .join(', ');
}

export const plural = (count, noun) => `${count} ${noun}${count === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`;

const homes = () =>
  readdirSync(os.tmpdir())
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => path.join(os.tmpdir(), name));

const withoutSlipway = (env) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SLIPWAY_')));

function ownerOf(folder) {
  const [pid, since] = (readOr(path.join(folder, 'owner')) ?? '').split(' ');
  return since ? { pid: Number(pid), since } : null;
}

/** When a process began, in ticks since boot: a pid alone may have been given to another. Null where it is gone. */
function startedAt(pid) {
  const stat = readOr(`/proc/${pid}/stat`);
  // The second field is a name in parentheses, which may hold anything.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  // A zombie has ended, whenever its parent may take notice.
  return fields[0] === 'Z' ? null : (fields[19] ?? null);
}

function readOr(file, otherwise = null) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    // Processes end while they are looked at, and those of others are not ours to read.
    if (['ENOENT', 'ESRCH', 'EACCES', 'ENOTDIR', 'EPERM'].includes(error.code)) return otherwise;
    throw error;
  }
}

/** The name under which the demo's server marks what it makes on the engine. */
function instanceOf(folder) {
  try {
    const db = new Database(path.join(folder, 'data', 'slipway.db'), { readonly: true });
    try {
      return db.prepare("SELECT value FROM meta WHERE key = 'instance'").get()?.value ?? null;
    } finally {
      db.close();
    }
  } catch (error) {
    // Stopped before its server had made one.
    if (error instanceof Database.SqliteError || error instanceof TypeError) return null;
    throw error;
  }
}

async function endProcesses() {
  const found = marked();
  for (const pid of found) signal(pid, 'SIGTERM');
  // The server ends what its steps have started before it ends.
  for (let waited = 0; marked().length > 0 && waited < 15_000; waited += 50) await delay(50);
  for (const pid of marked()) signal(pid, 'SIGKILL');
  return found.length;
}

const marked = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) =>
      readOr(`/proc/${pid}/environ`, '')
        .split('\0')
        .some((entry) => entry.startsWith(`${COOKIE}=`)),
    )
    .filter((pid) => !/^State:\s+Z/m.test(readOr(`/proc/${pid}/status`, 'State: Z')))
    .map(Number);

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Again until a pass finds nothing: what was under way in the engine when its client went may still appear. */
async function sweepEngine(docker, instances) {
  const total = { container: 0, network: 0, volume: 0, image: 0 };
  for (let pass = 0; pass < 10; pass += 1) {
    const found = await sweepOnce(docker, instances);
    for (const [noun, count] of Object.entries(found)) total[noun] += count;
    if (Object.values(found).every((count) => count === 0)) break;
  }
  return total;
}

async function sweepOnce(docker, instances) {
  const labelled = (label) => ({ filters: { label: [label] } });
  const demos = await docker.listContainers({ all: true, ...labelled(LABEL) });
  for (const { Labels } of demos) if (Labels[INSTANCE]) instances.add(Labels[INSTANCE]);
  const ofInstances = async (list) =>
    (await Promise.all([...instances].map((id) => list(labelled(`${INSTANCE}=${id}`))))).flat();
  const containers = new Set(
    [...demos, ...(await ofInstances((filter) => docker.listContainers({ all: true, ...filter })))].map(({ Id }) => Id),
  );
  await Promise.all([...containers].map((id) => gone(docker.getContainer(id).remove({ force: true, v: true }))));
  const networks = await ofInstances((filter) => docker.listNetworks(filter));
  await Promise.all(networks.map(({ Id }) => gone(docker.getNetwork(Id).remove())));
  const volumes = (await ofInstances((filter) => docker.listVolumes(filter))).flatMap(({ Volumes }) => Volumes ?? []);
  await Promise.all(volumes.map(({ Name }) => gone(docker.getVolume(Name).remove({ force: true }))));
  const images = await docker.listImages(labelled(LABEL));
  // One after the other: an image that others are made of goes with the last of them, in the next pass.
  for (const { Id } of images) await gone(docker.getImage(Id).remove({ force: true }));
  return { container: containers.size, network: networks.length, volume: volumes.length, image: images.length };
}

/** Somebody was faster (404), or something still holds it (409) and the next pass sees. */
const gone = (removal) =>
  removal.catch((error) => {
    if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
  });
