// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of pipeline files
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Environment, ImageStep, Release, RunStep } from '../../pipelines/model.ts';
import { parsePipeline } from '../../pipelines/parse.ts';
import {
  initialSteps,
  type PlanContext,
  planBuild,
  planDeployment,
  planInspection,
  resolveParameters,
} from '../../pipelines/plan.ts';

const CONTEXT: PlanContext = {
  project: 'shop',
  pipeline: 'web',
  number: 7,
  trigger: 'poll',
  source: { kind: 'git', url: 'https://git.example.com/shop.git', branches: ['main'] },
  branch: 'feature/New Menu',
  revision: '0123456789abcdef0123456789abcdef01234567',
  externals: [],
  sources: [],
  registry: { url: 'registry.example.com', insecure: false },
  now: Date.UTC(2026, 0, 31, 23, 59),
  parameters: {},
  changedPaths: null,
};

function parse(text: string) {
  const result = parsePipeline(text);
  if (!result.ok) throw new Error(result.errors.map((error) => error.message).join('\n'));
  return result.file;
}
const plan = (text: string, context: Partial<PlanContext> = {}) => planBuild(parse(text), { ...CONTEXT, ...context });
const needsOf = (steps: readonly { name: string; needs: string[] }[]) =>
  Object.fromEntries(steps.map(({ name, needs }) => [name, needs]));

describe('the graph', () => {
  test('a step without needs runs after the one above it; needs: [] starts at once', () => {
    const { steps } = plan(
      'steps: {a: {image: x, run: y}, b: {image: x, run: y}, c: {image: x, run: y, needs: []}, d: {image: x, run: y, needs: [a, c, a]}}',
    );
    expect(needsOf(steps)).toEqual({ a: [], b: ['a'], c: [], d: ['a', 'c'] });
  });

  test('a matrix becomes a step for each combination, and dependents need all of them', () => {
    const text =
      'steps: {unit: {matrix: {java: [17, 21], os: [Alpine-3.20]}, image: "jdk:${matrix.java}-${matrix.os}", run: y, env: {J: "${matrix.java}"}}, pack: {image: x, run: y}}';
    const { steps } = plan(text);
    expect(needsOf(steps)).toEqual({
      'unit-17-alpine-3-20': [],
      'unit-21-alpine-3-20': [],
      pack: ['unit-17-alpine-3-20', 'unit-21-alpine-3-20'],
    });
    expect(steps[1]).toMatchObject({ image: 'jdk:21-Alpine-3.20', env: { J: '21' } });
  });

  test('a release is collected at the end, under a name that is free', () => {
    const { steps } = plan('steps: {release: {image: x, run: y}, b: {image: x, run: y}}\nrelease: {compose: c.yml}');
    expect(steps.at(-1)).toMatchObject({
      name: 'release-2',
      kind: 'inspect',
      of: 'workspace',
      needs: ['release', 'b'],
    });
  });
});

describe('conditions', () => {
  const skip = (when: string, context: Partial<PlanContext>) =>
    plan(`steps: {a: {image: x, run: y, when: ${when}}}`, context).steps[0]?.skip;
  test.each([
    ['{branch: main}', { branch: 'dev' }, 'only for branch main, and this is dev'],
    ['{branch: [main, "release/*"]}', { branch: 'release/1' }, null],
    ['{trigger: [manual, schedule]}', {}, 'only for trigger manual, schedule, and this is poll'],
    ['{paths: ["web/**"]}', { changedPaths: ['api/a.ts'] }, 'no change in web/**'],
    ['{paths: ["web/**"]}', { changedPaths: ['api/a.ts', 'web/b.ts'] }, null],
    ['{paths: ["web/**"]}', { changedPaths: null }, null],
  ])('%s in %j', (when, context, reason) => expect(skip(when, context)).toBe(reason));

  test('a step that is left out is finished before the run begins', () => {
    const [step] = initialSteps(plan('steps: {a: {image: x, run: y, when: {branch: main}}}'));
    expect(step).toMatchObject({ status: 'finished', result: 'skipped', skippedBy: 'condition', attempt: 0 });
  });
});

describe('values', () => {
  test('variables are filled in, and the branch is made fit for where it stands', () => {
    const text = `
steps:
  a: { build: { image: "shop/\${branch}", context: "\${project}", args: { B: "\${branch}", V: "\${version}" }, tags: ["\${branch}", "\${short}", "\${tag}"] } }
release: { version: "1.4.\${number}-\${date}", compose: c.yml }`;
    const { steps, release } = plan(text);
    expect((steps[0] as ImageStep).build).toEqual({
      image: 'shop/feature-new-menu',
      context: 'shop',
      dockerfile: null,
      target: null,
      args: { B: 'feature/New Menu', V: '1.4.7-2026-01-31' },
      tags: ['feature-New-Menu', '0123456789ab'],
    });
    expect(release).toMatchObject({
      version: '1.4.7-2026-01-31',
      stack: 'web',
      compose: ['c.yml'],
      overrides: {},
      files: [],
    });
  });

  test('scripts are not substituted into', () => {
    const [step] = plan('steps: {a: {image: x, run: ["echo ${branch} $${x}"], env: {A: "$${x}"}}}').steps;
    expect(step).toMatchObject({ run: ['echo ${branch} $${x}'], env: { A: '${x}' } });
  });

  test('what is not legal once it is filled in is refused by name', () => {
    const text = 'steps: {a: {image: x, run: y}}\nrelease: {version: "${branch}", compose: c.yml}';
    expect(() => plan(text, { branch: 'x'.repeat(200) })).not.toThrow();
    expect(() => plan(text, { branch: '_' })).toThrow(/release.version is "_"/);
    expect(() => plan('steps: {a: {build: {image: "${branch}"}}}', { branch: 'a__-b' })).toThrow(/steps.a.build.image/);
  });

  test('the environment of scripts', () => {
    const text =
      'env: {CI: "false", TEXT: "${short}"}\nparameters: {level: {default: low}}\nsteps: {a: {image: x, run: y}}';
    expect(plan(text, { parameters: { level: 'high' } }).env).toEqual({
      CI: 'false',
      TEXT: '0123456789ab',
      LEVEL: 'high',
      SLIPWAY_PROJECT: 'shop',
      SLIPWAY_PIPELINE: 'web',
      SLIPWAY_NUMBER: '7',
      SLIPWAY_VERSION: '7',
      SLIPWAY_REVISION: CONTEXT.revision,
      SLIPWAY_BRANCH: 'feature/New Menu',
      SLIPWAY_TRIGGER: 'poll',
    });
  });

  test('defaults', () => {
    const { timeout, notify, steps } = plan('steps: {a: {image: x, run: y}}');
    expect({ timeout, notify }).toEqual({
      timeout: 3_600_000,
      notify: { mail: { to: [], on: ['failed', 'fixed', 'deployed', 'approval'] } },
    });
    expect(steps[0]).toEqual({
      name: 'a',
      needs: [],
      skip: null,
      timeout: null,
      retry: 0,
      allowFailure: false,
      kind: 'run',
      image: 'x',
      run: ['y'],
      env: {},
      secrets: [],
      services: [],
      cache: [],
      artifacts: [],
      junit: [],
      memory: null,
      cpus: null,
      reuse: false,
    } satisfies RunStep);
  });

  test.each(['node', 'java-maven', 'static-site', 'monorepo', 'shortest'])('the example %s can be planned', (name) => {
    const text = readFileSync(new URL(`../../pipelines/examples/${name}/slipway.yml`, import.meta.url), 'utf8');
    expect(plan(text).release).not.toBeNull();
  });

  test('a file without steps can be planned, for a build that is refused', () => {
    expect(planBuild({ steps: {} }, CONTEXT)).toMatchObject({ steps: [], release: null });
  });
});

describe('parameters', () => {
  const file = parse(`
parameters:
  level: { type: choice, options: [a, b], default: a }
  count: { type: number }
  fast: { type: boolean, default: true }
steps: {a: {image: x, run: y}}`);
  test('given ones and defaults', () => {
    expect(resolveParameters(file, { count: '3' })).toEqual({ level: 'a', count: '3', fast: 'true' });
  });
  test.each([
    [{}, 'parameters.count', /must be given/],
    [{ count: 'x' }, 'parameters.count', /expected a number/],
    [{ count: '1', level: 'c' }, 'parameters.level', /one of a, b/],
    [{ count: '1', fast: 'yes' }, 'parameters.fast', /true or false/],
    [{ count: '1', levle: 'a' }, 'parameters.levle', /did you mean "level"/],
    [{ count: '1', constructor: 'a' }, 'parameters.constructor', /no parameter/],
  ])('%j is refused', (given, field, message) => {
    expect(() => resolveParameters(file, given as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'invalid', field, message: expect.stringMatching(message) }),
    );
  });
});

describe('deployments', () => {
  const environment: Environment = {
    id: 1,
    projectId: 1,
    name: 'PRO.eu',
    order: 3,
    engine: { kind: 'compose', host: 'unix:///var/run/docker.sock' },
    after: [],
    promote: 'manual',
    branches: null,
    approvals: null,
    freezes: [],
    variables: { LOG: 'info' },
    registry: null,
    pool: 'pro',
    url: 'https://shop.example.com',
    timeout: 600_000,
    keep: 10,
    policy: [],
  };
  const content = { compose: '', overrides: {}, files: [], images: [], directory: '' };
  const deployment = (verify: string) => {
    const { release } = plan(`steps: {a: {image: x, run: y}}\nrelease: {compose: c.yml, verify: ${verify}}`);
    const made: Release = {
      id: 1,
      projectId: 1,
      stack: 'web',
      version: '1.7',
      pipelineId: 1,
      build: 7,
      buildRunId: 1,
      branch: 'main',
      revision: 'abc',
      content,
      verify: release?.verify ?? [],
      blocked: null,
      createdAt: 0,
    };
    return planDeployment({
      project: 'shop',
      environment,
      release: made,
      stack: 'web',
      number: 4,
      trigger: 'promote',
      registry: null,
      target: { release: '1.7', content, variables: { LOG: 'debug' } },
      notify: { mail: { to: [], on: [] } },
    });
  };

  test('inspect, deploy, verify in its own order, restore', () => {
    const { steps, composeProject } = deployment(
      '{a: {image: x, run: y}, b: {image: x, run: y}, c: {image: x, run: y, needs: []}}',
    );
    expect(needsOf(steps)).toEqual({
      inspect: [],
      deploy: ['inspect'],
      a: ['deploy'],
      b: ['a'],
      c: ['deploy'],
      restore: ['deploy'],
    });
    expect(steps.map((step) => step.kind)).toEqual(['inspect', 'deploy', 'verify', 'verify', 'verify', 'deploy']);
    expect(composeProject).toBe('shop-pro-eu-web');
  });

  test('verify steps may be named like the others', () => {
    const { steps } = deployment('{deploy: {image: x, run: y}, restore: {image: x, run: y}}');
    expect(needsOf(steps)).toEqual({
      inspect: [],
      'deploy-2': ['inspect'],
      deploy: ['deploy-2'],
      restore: ['deploy'],
      'restore-2': ['deploy-2'],
    });
  });

  test('restore has its role, and the others work', () => {
    expect(initialSteps(deployment('{}')).map(({ name, role, status }) => [name, role, status])).toEqual([
      ['inspect', 'work', 'waiting'],
      ['deploy', 'work', 'waiting'],
      ['restore', 'restore', 'waiting'],
    ]);
  });

  test('the environment of verify scripts has the frozen variables', () => {
    expect(deployment('{}').env).toMatchObject({
      CI: 'true',
      LOG: 'debug',
      SLIPWAY_ENVIRONMENT: 'PRO.eu',
      SLIPWAY_URL: 'https://shop.example.com',
      SLIPWAY_STACK: 'web',
      SLIPWAY_VERSION: '1.7',
    });
  });

  test('an inspection looks and changes nothing', () => {
    const { kind, steps } = planInspection({ project: 'shop', environment, stack: 'web' });
    expect([kind, steps.map((step) => step.kind)]).toEqual(['task', ['inspect']]);
  });
});
