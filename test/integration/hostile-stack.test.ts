/** Stacks that lay hands on what belongs to others of the same engine. */
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { RenderedStack, StackRef } from '../../pipelines/ports.ts';
import { ComposeEngine } from '../../runner/tools/compose.ts';
import {
  defineStack,
  docker,
  type Image,
  type ImageStore,
  removeEverything,
  renderServices,
  sleeper,
  soon,
  startImageStore,
} from '../fixtures/stacks.ts';

const instance = randomUUID();
const engine = new ComposeEngine(null);
let store: ImageStore;
let image: Image;

beforeAll(async () => {
  store = await startImageStore();
  image = await store.push('hostile/web', 'one');
});
afterEach(() => removeEverything(instance));
afterAll(() => store.close());

function stackOf(project: string, environment: string, stack: string, composeProject?: string): StackRef {
  const plain = defineStack(instance, composeProject);
  const owner = { 'slipway.project': project, 'slipway.environment': environment, 'slipway.stack': stack };
  return { ...plain, labels: { ...plain.labels, ...owner } };
}

const withTop = (rendered: RenderedStack, top: string): RenderedStack => ({
  ...rendered,
  text: `${rendered.text}${top}`,
});
const pull = (stack: StackRef, rendered: RenderedStack) => engine.pull(stack, rendered, null, () => {}, soon());

test('two stacks whose names come to the same on the engine do not take each other over', async () => {
  const bank = stackOf('shop-dev', 'X', 'web');
  await engine.apply(bank, renderServices(bank, { web: sleeper(image) }), () => {}, soon());
  const shop = stackOf('shop', 'DEV', 'x-web', bank.composeProject);
  const rendered = renderServices(shop, { web: sleeper(image) });
  await expect(pull(shop, rendered)).rejects.toThrow(/already runs .* that of shop-dev \/ X \/ web/);
  await expect(engine.apply(shop, rendered, () => {}, soon())).rejects.toThrow(/give the stack another name/);
  await expect(engine.remove(shop, () => {}, soon())).rejects.toThrow(/give the stack another name/);
  expect(await engine.observe(bank, soon())).toMatchObject([{ name: 'web', replicas: 1 }]);
});

test("another project's or environment's volumes and networks cannot be named", async () => {
  const bank = stackOf('bank', 'PRO', 'web');
  const name = `${bank.composeProject}_data`;
  await docker.createVolume({ Name: name, Labels: bank.labels });
  const evil = stackOf('bank', 'DEV', 'web');
  const rendered = renderServices(evil, { web: sleeper(image) });
  for (const top of [`volumes: {x: {external: true, name: ${name}}}`, `volumes: {x: {name: ${name}}}`])
    await expect(pull(evil, withTop(rendered, top))).rejects.toThrow(
      `volumes.x: ${name} on the engine is that of bank / PRO`,
    );

  const network = await docker.createNetwork({ Name: `${bank.composeProject}_default`, Labels: bank.labels });
  const joined = renderServices(evil, { web: sleeper(image) });
  const text = joined.text.replace(
    'networks:',
    `networks:\n  x: {external: true, name: ${bank.composeProject}_default}`,
  );
  await expect(pull(evil, { ...joined, text })).rejects.toThrow(/networks.x: .* is that of bank \/ PRO/);
  await network.remove();
});

test('what people made for sharing, and the environment itself, can be named', async () => {
  const shared = `hostile-shared-${randomUUID().slice(0, 8)}`;
  await docker.createVolume({ Name: shared });
  const neighbour = stackOf('shop', 'DEV', 'db');
  await docker.createVolume({ Name: `${neighbour.composeProject}_data`, Labels: neighbour.labels });
  const stack = stackOf('shop', 'DEV', 'web');
  const top = `volumes: {a: {external: true, name: ${shared}}, b: {external: true, name: ${neighbour.composeProject}_data}}`;
  try {
    await pull(stack, withTop(renderServices(stack, { web: sleeper(image) }), top));
  } finally {
    await docker.getVolume(shared).remove();
  }
});
