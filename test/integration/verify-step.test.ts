import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeploymentPlan, VerifyStep } from '../../pipelines/model.ts';
import { deployStep } from '../../runner/steps/deploy.ts';
import { verifyStep } from '../../runner/steps/verify.ts';
import { pendingRemovals } from '../../runner/tools/containers.ts';
import {
  BASE,
  bundle,
  definePlan,
  defineRelease,
  docker,
  type ImageStore,
  planned,
  removeEverything,
  startImageStore,
  stepContext,
  web,
} from '../fixtures/stacks.ts';

const instance = randomUUID();
const files = bundle({ 'tests/smoke.sh': 'wget -q -O - http://web/\n' });
let store: ImageStore;
let plan: DeploymentPlan;

beforeAll(async () => {
  store = await startImageStore();
  const image = await store.push('verify/web', 'one');
  plan = definePlan(defineRelease('1.0', { web: web(image) }, { files: files.files }));
  const outcome = await deployStep(
    { ...planned, name: 'deploy', kind: 'deploy', what: 'apply' },
    stepContext(instance, plan),
  );
  expect(outcome.result).toBe('passed');
});
afterAll(async () => {
  await pendingRemovals();
  await removeEverything(instance);
  await store.close();
});

const defineVerify = (run: string[], options: Partial<VerifyStep> = {}): VerifyStep => ({
  ...planned,
  name: 'smoke',
  kind: 'verify',
  image: BASE,
  run,
  env: {},
  secrets: [],
  services: [],
  cache: [],
  artifacts: [],
  junit: [],
  memory: null,
  cpus: null,
  reuse: false,
  ...options,
});
const verify = async (step: VerifyStep, options: Parameters<typeof stepContext>[2] = {}) => {
  const context = stepContext(instance, plan, { bundles: [files], ...options });
  return { outcome: await verifyStep(step, context), text: context.text() };
};

const report = (...cases: string[]): string => `<testsuite name="smoke">${cases.join('')}</testsuite>`;
const good = '<testcase classname="smoke" name="answers" time="0.1"/>';
const bad = '<testcase classname="smoke" name="pays"><failure message="no money"/></testcase>';
const writes = (xml: string): string => `mkdir -p out && echo '${xml}' >out/TEST-smoke.xml`;

test('reaches a service by its name, with a script that came with the release', async () => {
  const { outcome, text } = await verify(defineVerify(['sh tests/smoke.sh']));
  expect(outcome).toMatchObject({ result: 'passed', exitCode: 0 });
  expect(text).toContain('one\n');
});

test('a script that fails fails the step', async () => {
  const { outcome } = await verify(defineVerify(['wget -q -O - http://web/missing']));
  expect(outcome).toMatchObject({ result: 'failed', reason: 'exit code 1' });
});

test.each(['out/*.xml', 'out/TEST-smoke.xml', '**/*.xml', 'out'])('reports the tests in %s', async (pattern) => {
  const { outcome } = await verify(defineVerify([writes(report(good))], { junit: [pattern] }));
  expect(outcome).toMatchObject({ result: 'passed', output: { tests: [{ name: 'answers', result: 'passed' }] } });
});

test('a failed test fails the step, whatever the script says', async () => {
  const { outcome } = await verify(defineVerify([writes(report(good, bad))], { junit: ['out/*.xml'] }));
  expect(outcome).toMatchObject({ result: 'failed', exitCode: 0, reason: '1 of 2 tests failed' });
  expect(outcome.output?.tests).toHaveLength(2);
});

test('has the environment, and only the secrets that it names', async () => {
  const step = defineVerify(['echo "$CI $OWN $SLIPWAY_WORKSPACE $KEY [$OTHER]"'], {
    env: { OWN: 'own' },
    secrets: ['KEY'],
  });
  const { text } = await verify(step, { secrets: { KEY: 'key-value', OTHER: 'other-value' } });
  expect(text).toContain('true own /workspace key-value []\n');
});

test('a service beside it answers, too', async () => {
  const helper = { name: 'helper', image: BASE, env: {}, command: ['httpd', '-f', '-p', '80'] };
  const { outcome } = await verify(
    defineVerify(
      ['wget -q -O - http://web/', 'until wget -S -O - http://helper/ 2>&1 | grep HTTP/1; do sleep 0.2; done'],
      {
        services: [helper],
      },
    ),
  );
  expect(outcome.result).toBe('passed');
});

test('is not run on the host', async () => {
  const { outcome } = await verify(defineVerify(['true'], { image: null }));
  expect(outcome).toMatchObject({ result: 'errored' });
});

test('a cancel ends it and leaves no container behind', async () => {
  const cancel = new AbortController();
  const context = stepContext(instance, plan, { bundles: [files], signal: cancel.signal });
  context.log.write = () => cancel.abort(new Error('cancelled by ann'));
  await expect(verifyStep(defineVerify(['echo begun; sleep 600']), context)).rejects.toThrow('cancelled by ann');
  await pendingRemovals();
  const label = [`slipway.instance=${instance}`, 'slipway.role=step'];
  expect(await docker.listContainers({ all: true, filters: { label } })).toEqual([]);
});
