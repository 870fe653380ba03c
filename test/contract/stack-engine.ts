/** What every `StackEngine` promises. */
import { expect, test } from 'vitest';
import type { Notice, RenderedStack, StackEngine, StackRef } from '../../pipelines/ports.ts';

export interface StackEngineCase {
  engine: StackEngine;
  /** A stack of a new name. */
  stack(): StackRef;
  /** A healthy service `web`, in two versions. */
  render(stack: StackRef, version: 1 | 2): RenderedStack;
  signal(): AbortSignal;
}

const silent: Notice = () => {};
const nowhere = (): void => {};

export function stackEngineContract(given: () => StackEngineCase): void {
  async function deploy(stack: StackRef, rendered: RenderedStack) {
    const { engine, signal } = given();
    await engine.pull(stack, rendered, null, silent, signal());
    await engine.apply(stack, rendered, nowhere, signal());
    return engine.settle(stack, rendered, silent, signal());
  }

  test('what was never deployed is observed as nothing', async () => {
    const { engine, stack, signal } = given();
    expect(await engine.observe(stack(), signal())).toEqual([]);
  });

  test('a deployed stack is healthy, with the digests of its release', async () => {
    const { engine, render, signal, ...rest } = given();
    const stack = rest.stack();
    const settled = await deploy(stack, render(stack, 1));
    const digest = render(stack, 1).images.web?.digest;
    expect(settled).toEqual([{ name: 'web', replicas: 1, healthy: 1, digest }]);
    expect(await engine.observe(stack, signal())).toEqual(settled);
  });

  test('another release takes its place, and the first one comes back', async () => {
    const { render, ...rest } = given();
    const stack = rest.stack();
    for (const version of [1, 2, 1] as const) {
      const [service] = await deploy(stack, render(stack, version));
      expect(service?.digest).toBe(render(stack, version).images.web?.digest);
    }
  });

  test('removing is complete, and can be repeated', async () => {
    const { engine, render, signal, ...rest } = given();
    const stack = rest.stack();
    await deploy(stack, render(stack, 1));
    await engine.remove(stack, nowhere, signal());
    await engine.remove(stack, nowhere, signal());
    expect(await engine.observe(stack, signal())).toEqual([]);
  });

  test('an aborted call rejects with the reason', async () => {
    const { engine, render, ...rest } = given();
    const stack = rest.stack();
    const gone = AbortSignal.abort(new Error('enough'));
    await expect(engine.observe(stack, gone)).rejects.toThrow('enough');
    await expect(engine.apply(stack, render(stack, 1), nowhere, gone)).rejects.toThrow('enough');
    await expect(engine.settle(stack, render(stack, 1), silent, gone)).rejects.toThrow('enough');
  });
}
