import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stepLabels } from '../../runner/labels.ts';
import { emptyWithContainer, imageUser } from '../../runner/steps/workspace.ts';
import { engineClient } from '../../runner/tools/engine.ts';
import { needs } from '../fixtures/real.ts';

needs('docker', 'base-image')('a workspace', () => {
  const docker = engineClient(null);
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-workspace-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Labels of the container that `work` makes and removes. */
  async function labelsOf(instance: string, work: () => Promise<unknown>): Promise<Record<string, string>> {
    const filters = { event: ['destroy'], label: [`slipway.instance=${instance}`] };
    // Since before now: the engine answers a moment before it listens.
    const since = Math.floor(Date.now() / 1000) - 1;
    const events = (await docker.getEvents({ filters, since })) as Readable;
    try {
      const destroyed = once(events, 'data');
      await work();
      const [event] = await destroyed;
      return JSON.parse(String(event)).Actor.Attributes;
    } finally {
      events.destroy();
    }
  }

  test('is emptied by a container that bears the labels it is given', async () => {
    await writeFile(join(folder, 'file'), '');
    const instance = randomUUID();
    const labels = stepLabels(instance, 1, 'workspace');
    expect(await labelsOf(instance, () => emptyWithContainer(docker, folder, labels))).toMatchObject(labels);
    expect(await readdir(folder)).toEqual([]);
  });

  test('belongs to a user whose name is looked up through a container with labels, too', async () => {
    const image = await docker.getImage('busybox:1.36').inspect();
    const instance = randomUUID();
    const labels = stepLabels(instance, 1, 'test');
    const named = { ...image, Config: { ...image.Config, User: 'not-there' } };
    const lookUp = () =>
      expect(imageUser(docker, named, labels)).rejects.toThrow("the image's user not-there is not in its /etc/passwd");
    expect(await labelsOf(instance, lookUp)).toMatchObject(labels);
  });
});
