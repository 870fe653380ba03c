import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ComposeBuilds, composeBuilds } from '../../pipelines/compose/builds.ts';
import { builtName, type PinContext, pin, thirdPartyImages } from '../../pipelines/compose/pin.ts';
import { readStack, type StackFiles } from '../../pipelines/compose/stack.ts';
import { baseImages } from '../../runner/tools/build.ts';
import { builtImage } from '../fixtures/compose/release.ts';

type Files = Record<string, string>;
interface Given {
  env?: Record<string, string>;
  registry?: string;
  release?: Partial<StackFiles>;
}

const REGISTRY = '127.0.0.1:5000';
const reader = (files: Files) => async (file: string) => files[posix.normalize(file)] ?? null;
const filesOf = ({ release }: Given, file: string): StackFiles => ({ compose: [file], overrides: {}, ...release });

function buildsOf(files: Files, given: Given = {}, file = 'compose.yaml'): Promise<ComposeBuilds> {
  const { env = {}, registry = REGISTRY } = given;
  const release = { version: '1', stack: 's', files: [], verify: [], ...filesOf(given, file) };
  const plan = { project: 'shop', registry: { url: registry, insecure: true }, env };
  return composeBuilds(file, { ...plan, release: given.release ? release : null }, reader(files));
}

const parse = (text: string, env: Record<string, string> = {}) => buildsOf({ 'compose.yaml': text }, { env });
const build = async (text: string, env = {}) => (await parse(text, env)).builds[0];
const servicesOf = ({ builds }: ComposeBuilds) => builds.flatMap(({ images }) => images.map(({ service }) => service));
const namesOf = ({ builds }: ComposeBuilds) => builds.flatMap(({ images }) => images.map(({ name }) => name));

/** What a release of the same files finds to pin: built images by name, and those that no step built. */
async function released(files: Files, given: Given = {}, file = 'compose.yaml') {
  const { builds } = await buildsOf(files, given, file);
  const stack = await readStack(filesOf(given, file), given.env ?? {}, reader(files), 'release.compose');
  const built = builds.flatMap(({ images }) =>
    images.map(({ name, service }) => builtImage(name, service ?? undefined)),
  );
  const context: PinContext = { built, registry: given.registry ?? REGISTRY, lookup: stack.lookup };
  const docs = [stack.base, ...stack.overrides.map(({ doc }) => doc)];
  const thirdParty = thirdPartyImages(docs, context);
  const resolved = new Map(thirdParty.map((name) => [name, builtImage(name)]));
  const pinned = docs.flatMap((doc) => pin(doc, context, resolved, stack.base).images.map(({ name }) => name));
  return { thirdParty, built: [...new Set(pinned)].filter((name) => !thirdParty.includes(name)) };
}

describe('build: of a compose file', () => {
  it('reads the short form, beside services that only run', async () => {
    const { builds } = await parse('services: {web: {build: ./web}, db: {image: "postgres:16"}}');
    expect(builds).toEqual([
      {
        images: [{ name: 'shop/web', service: 'web' }],
        context: 'web',
        dockerfile: null,
        inline: null,
        target: null,
        args: {},
      },
    ]);
  });

  it('reads every key, and takes paths from where Compose takes them', async () => {
    const text =
      'services: {api: {image: "r.test:5000/Team/API:1", build: {context: ../api, dockerfile: docker/Dockerfile, target: prod, args: {A: 1, B: true}}}}';
    const { builds } = await buildsOf({ 'deploy/compose.yaml': text }, {}, 'deploy/compose.yaml');
    expect(builds[0]).toEqual({
      images: [{ name: 'team/api', service: 'api' }],
      context: 'api',
      dockerfile: 'api/docker/Dockerfile',
      inline: null,
      target: 'prod',
      args: { A: '1', B: 'true' },
    });
  });

  it('takes args as a list, and values that are left out from the environment', async () => {
    const list = await build('services: {a: {build: {args: [A=x=y, B, C, "D="]}}}', { B: 'b' });
    expect(list?.args).toEqual({ A: 'x=y', B: 'b', D: '' });
    expect((await build('services: {a: {build: {args: {B: , C: }}}}', { B: 'b' }))?.args).toEqual({ B: 'b' });
  });

  it('fills in variables of the plan only', async () => {
    const text =
      'services: {a: {image: "${NAME:-shop/x}:${TAG:-1}", build: {context: "${DIR:-web}", args: {H: "${HOME}"}}}}';
    expect(await build(text)).toMatchObject({ context: 'web', args: { H: '' }, images: [{ name: 'shop/x' }] });
    expect(await build(text, { DIR: 'api' })).toMatchObject({ context: 'api' });
  });

  it('has defaults from .env beside the file, below the environment of the plan', async () => {
    const files = {
      'deploy/compose.yaml':
        'services: {a: {image: "${REG:-}shop/${NAME}:${TAG:-1}", build: {args: [A, "B=${B}", "C=${C}"]}}}',
      'deploy/.env': 'NAME=web\nA=file\nB=$A-$X\nC=file\n',
      '.env': 'NAME=other\n',
    };
    const env = { A: 'plan', X: 'x' };
    const { builds } = await buildsOf(files, { env }, 'deploy/compose.yaml');
    expect(builds[0]).toMatchObject({ images: [{ name: 'shop/web' }], args: { A: 'plan', B: 'plan-x', C: 'file' } });
    expect(namesOf(await buildsOf(files, { env: { REG: `${REGISTRY}/` } }, 'deploy/compose.yaml'))).toEqual([
      'shop/web',
    ]);
  });

  it('builds once what several services share', async () => {
    const found = await parse(`
x-app: &app { context: ., args: [A=1, B=2] }
services:
  web: { build: *app }
  worker: { build: { context: ./, args: { B: 2, A: "1" } } }
  other: { build: { context: ., args: [A=2] } }`);
    expect(found.builds.map(({ images }) => images.length)).toEqual([2, 1]);
    expect(servicesOf(found)).toEqual(['web', 'worker', 'other']);
  });

  it('keeps an inline Dockerfile', async () => {
    expect(await build('services: {a: {build: {context: ., dockerfile_inline: "FROM x"}}}')).toMatchObject({
      context: '.',
      inline: 'FROM x',
    });
  });

  it('names what it leaves out of account', async () => {
    expect((await parse('services: {a: {build: {context: ., ssh: [default], cache_from: [x]}}}')).unused).toEqual([
      'a.build.ssh',
      'a.build.cache_from',
    ]);
  });

  it.each([
    ['[]', /compose.yaml: a compose file is a map/],
    ['services: {a: {image: x}}', /no service in compose.yaml that is ever started has build/],
    ['services: {a: {build: a, profiles: [dev]}}', /no service in compose.yaml that is ever started has build/],
    ['services: {a: {build: {context: [x]}}}', /services\.a\.build\.context must be a single value/],
    ['services: {a: {build: {context: ../x}}}', /services\.a\.build\.context: \.\.\/x is outside the workspace/],
    ['services: {a: {build: "https://git.test/x.git"}}', /is remote: only folders of the workspace/],
    ['services: {a: {build: {args: 5}}}', /services\.a\.build\.args must be a map or a list/],
    ['services: {a: {build: {dockerfile: x, dockerfile_inline: y}}}', /both dockerfile and dockerfile_inline/],
    ['services: {a: {image: x, build: a}, b: {image: "x:2", build: b}}', /services a and b build x in different ways/],
    ['services: {a: {image: "--rm", build: a}}', /services\.a\.image: "--rm" is not the name of an image/],
    ['services: {a: {build: "${X:?say which}"}}', /services\.a\.build.*say which/],
    ['include: [gone.yml]', /build.compose: the workspace has no gone.yml/],
  ])('refuses %s', async (text, message) => {
    await expect(parse(text)).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(message) });
  });
});

describe('other files', () => {
  const base = `
services:
  app: { build: { context: app, args: [A=1] } }
  local: { extends: app, build: { target: small } }`;

  it('extended ones give their builds, from their own folder', async () => {
    const files = {
      'compose.yaml': `
services:
  web: { extends: { file: base/common.yml, service: app }, build: { args: { B: 2 } } }
  same: { extends: { file: base/common.yml, service: local } }`,
      'base/common.yml': base,
    };
    expect((await buildsOf(files)).builds).toMatchObject([
      { images: [{ name: 'shop/web' }], context: 'base/app', args: { A: '1', B: '2' }, target: null },
      { images: [{ name: 'shop/same' }], context: 'base/app', args: { A: '1' }, target: 'small' },
    ]);
  });

  it.each([
    ['.', 'back/docker/Dockerfile', 'back'],
    ['../lib', 'lib/docker/Dockerfile', 'lib'],
    ['"${DIR:-src}"', 'back/src/docker/Dockerfile', 'back/src'],
  ])('included ones build %s of their own folder', async (context, dockerfile, folder) => {
    const files = {
      'deploy/compose.yaml': 'include: [../back/compose.yml]\nservices: {web: {build: ../web}}',
      'back/compose.yml': `services: {api: {build: {context: ${context}, dockerfile: docker/Dockerfile}}, db: {image: "postgres:16"}}`,
    };
    const { builds } = await buildsOf(files, {}, 'deploy/compose.yaml');
    const byService = Object.fromEntries(builds.map((it) => [it.images[0]?.service, it]));
    expect(Object.keys(byService).sort()).toEqual(['api', 'web']);
    expect(byService.web).toMatchObject({ context: 'web' });
    expect(byService.api).toMatchObject({ context: folder, dockerfile });
    expect(await released(files, {}, 'deploy/compose.yaml')).toEqual({
      built: ['shop/api', 'shop/web'],
      thirdParty: ['postgres:16'],
    });
  });

  it('of the release make one stack with the file, of which each builds its own services', async () => {
    const files = {
      'deploy/base.yml':
        'services: {web: {image: "shop/web:1", build: {context: ../web, target: dev}}, api: {build: ../api}}',
      'prod/more.yml':
        'services: {web: {image: "acme/web:${TAG}", build: {target: prod}}, tool: {build: tool}, api: {restart: always}, db: {image: "postgres:16"}}',
      'prod/pro.yml': 'services: {extra: {build: {context: ../extra}}}',
      'other.yml': 'services: {web: {build: web}}',
    };
    const release = { compose: ['deploy/base.yml', './prod/more.yml'], overrides: { PRO: 'prod/pro.yml' } };
    const first = await buildsOf(files, { release }, 'deploy/base.yml');
    expect(servicesOf(first)).toEqual(['web', 'api']);
    expect(first.builds[0]).toMatchObject({ images: [{ name: 'acme/web' }], context: 'web', target: 'prod' });
    const second = await buildsOf(files, { release }, 'prod/more.yml');
    expect(servicesOf(second)).toEqual(['web', 'tool']);
    // As in Compose, the paths of all files start from the folder of the first.
    expect(second.builds[1]).toMatchObject({ context: 'deploy/tool' });
    expect(await buildsOf(files, { release }, 'prod/pro.yml')).toMatchObject({ builds: [{ context: 'extra' }] });
    expect(namesOf(await buildsOf(files, { release }, 'other.yml'))).toEqual(['shop/web']);
  });
});

describe('what is built and what is released', () => {
  it('leave out services with profiles, unless an environment starts them', async () => {
    const files = {
      'compose.yaml': `
services:
  web: { build: web }
  admin: { build: admin, profiles: [admin] }
  debug: { image: "nowhere.test/none", profiles: [debug] }`,
      'pro.yml': 'services: {admin: {profiles: !reset []}}',
    };
    expect(servicesOf(await buildsOf(files))).toEqual(['web']);
    expect(await released(files)).toEqual({ built: ['shop/web'], thirdParty: [] });
    const given = { release: { overrides: { PRO: 'pro.yml' } } };
    expect(servicesOf(await buildsOf(files, given))).toEqual(['web', 'admin']);
    expect(await released(files, given)).toEqual({ built: ['shop/admin', 'shop/web'], thirdParty: [] });
  });

  it('name the override whose file is not there', async () => {
    const given = { release: { overrides: { PRO: 'missing.yml' } } };
    const files = { 'compose.yaml': 'services: {a: {build: .}}' };
    await expect(buildsOf(files, given)).rejects.toThrow('release.overrides.PRO: the workspace has no missing.yml');
  });

  it.each<[string, Given]>([
    ['${REG:-}shop/web:${TAG:-1}', {}],
    ['${REG:-}shop/web:${TAG:-1}', { env: { REG: 'r.test/', TAG: '2' } }],
    ['${REG}/shop/web', { env: { REG: `${REGISTRY}/team` }, registry: `${REGISTRY}/team` }],
    ['${FROM_FILE}/web:1', {}],
    ['${FROM_FILE}/web:1', { env: { FROM_FILE: 'shop' } }],
    ['Shop/Web:1', {}],
    [`shop/web@sha256:${'0'.repeat(64)}`, {}],
  ])('are the same image %s with %j', async (image, given) => {
    const files = { 'compose.yaml': `services: {a: {image: "${image}", build: .}}`, '.env': 'FROM_FILE=shop' };
    expect(namesOf(await buildsOf(files, given))).toEqual(['shop/web']);
    expect(await released(files, given)).toEqual({ built: ['shop/web'], thirdParty: [] });
  });

  it('are the same for a service that only uses what another builds', async () => {
    const text =
      'services: {a: {image: "${REG:-x.test/}Shop/Web:1", build: .}, b: {image: "${REG:-x.test/}Shop/Web:2"}}';
    expect(await released({ 'compose.yaml': text })).toEqual({ built: ['shop/web'], thirdParty: [] });
  });
});

it.each([
  ['shop/web', 'shop/web'],
  ['Shop/Web:1.2', 'shop/web'],
  ['localhost/web', 'web'],
  ['r.test/web@sha256:0123', 'web'],
  ['127.0.0.1:5000/a/b:c', 'a/b'],
  ['r.test:5000/team/a/b:c', 'a/b'],
  ['web', 'web'],
])('the repository of %s is %s', (image, name) => {
  expect(builtName(image, 'r.test:5000/team')).toBe(name);
});

it('finds the images a Dockerfile starts from', () => {
  const dockerfile = `
# syntax=docker/dockerfile:1
ARG REGISTRY=r.test
ARG TAG="1"
FROM --platform=linux/amd64 \${REGISTRY}/base:$TAG AS Build
ARG TAG=ignored-here
RUN echo FROM nowhere
from build as second
FROM \\
  \${MISSING:-alpine}
COPY --from=build --chown=1:1 /a /a
COPY --from=0 /a /b
COPY --from=r.test/tools:2 /c /c
FROM scratch
`;
  expect(baseImages(dockerfile, {})).toEqual(['r.test/base:1', 'alpine', 'r.test/tools:2']);
  expect(baseImages(dockerfile, { TAG: '9' })[0]).toBe('r.test/base:9');
});
