import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LABEL, stepCookie, stepLabels, withRole } from '../../runner/labels.ts';
import { workspaceFor } from '../../runner/steps/workspace.ts';
import { sweep } from '../../runner/sweep.ts';
import { removeContainer, removeNetwork } from '../../runner/tools/containers.ts';
import { engineClient } from '../../runner/tools/engine.ts';
import { COOKIE } from '../../runner/tools/processes.ts';

const docker = engineClient(null);
const ours = randomUUID();
const theirs = randomUUID();
const never = new AbortController().signal;
let folder: string;
const made: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-sweep-'));
});
afterEach(async () => {
  for (const remove of made.splice(0).reverse()) await remove();
  await rm(folder, { recursive: true });
});

async function startContainer(labels: Record<string, string>): Promise<string> {
  const container = await docker.createContainer({ Image: 'busybox:1.36', Cmd: ['sleep', '600'], Labels: labels });
  made.push(() => removeContainer(docker, container.id));
  await container.start();
  return container.id;
}

async function createNetwork(labels: Record<string, string>): Promise<string> {
  const { id } = await docker.createNetwork({ Name: `slipway-test-${randomUUID()}`, Labels: labels });
  made.push(() => removeNetwork(docker, id));
  return id;
}

function startProcess(cookie: string) {
  const child = spawn('sleep', ['600'], { env: { ...process.env, [COOKIE]: cookie } });
  made.push(async () => child.kill('SIGKILL'));
  return child;
}

const labelled = (instance: string) => ({ label: [`${LABEL.instance}=${instance}`] });
const containersOf = async (instance: string) =>
  (await docker.listContainers({ all: true, filters: labelled(instance) })).map(({ Id }) => Id);
const networksOf = async (instance: string) =>
  (await docker.listNetworks({ filters: labelled(instance) })).map(({ Id }) => Id);

describe('sweep', () => {
  it('removes what runs that are over have left, and nothing else', async () => {
    await startContainer(stepLabels(ours, 1, 'unit'));
    await startContainer(withRole(stepLabels(ours, 1, 'unit'), 'service'));
    const held = await startContainer(stepLabels(ours, 2, 'unit'));
    const stack = await startContainer(withRole(stepLabels(ours, 1, 'deploy'), 'stack'));
    const other = await startContainer(stepLabels(theirs, 1, 'unit'));
    await createNetwork(stepLabels(ours, 1, 'unit'));
    const heldNetwork = await createNetwork(stepLabels(ours, 2, 'unit'));
    const otherNetwork = await createNetwork(stepLabels(theirs, 1, 'unit'));
    for (const run of [1, 2]) await mkdir(join(workspaceFor({ folder }, run), 'sub'), { recursive: true });

    expect(await sweep({ instance: ours, folder }, [2], never)).toEqual({
      containers: 2,
      networks: 1,
      processes: 0,
      workspaces: 1,
    });

    expect((await containersOf(ours)).sort()).toEqual([held, stack].sort());
    expect(await containersOf(theirs)).toEqual([other]);
    expect(await networksOf(ours)).toEqual([heldNetwork]);
    expect(await networksOf(theirs)).toEqual([otherNetwork]);
    expect(await readdir(join(folder, 'workspaces'))).toEqual(['2']);
  });

  it('ends the processes of runs that are over', async () => {
    const left = startProcess(stepCookie(ours, 1, 'unit'));
    const held = startProcess(stepCookie(ours, 12, 'unit'));
    const ofNoRun = startProcess(`${ours}:git:${randomUUID()}`);
    const other = startProcess(stepCookie(theirs, 1, 'unit'));
    await Promise.all([left, held, ofNoRun, other].map((child) => once(child, 'spawn')));
    const ended = once(left, 'exit');

    expect(await sweep({ instance: ours, folder }, [12], never)).toMatchObject({ processes: 1 });

    expect((await ended)[1]).toBe('SIGTERM');
    expect([held, ofNoRun, other].map(({ exitCode, signalCode }) => exitCode ?? signalCode)).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('finds nothing to do where nothing was left', async () => {
    expect(await sweep({ instance: ours, folder }, [], never)).toEqual({
      containers: 0,
      networks: 0,
      processes: 0,
      workspaces: 0,
    });
  });
});
