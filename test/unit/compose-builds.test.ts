import { describe, expect, it } from 'vitest';
import { imageName, parseComposeBuilds } from '../../runner/steps/compose-builds.ts';
import { baseImages } from '../../runner/tools/build.ts';

const parse = (text: string, env: Record<string, string> = {}, file = 'compose.yaml') =>
  parseComposeBuilds(text, { file, project: 'shop', env });
const build = (text: string, env = {}) => parse(text, env).builds[0];

describe('build: of a compose file', () => {
  it('reads the short form, beside services that only run', () => {
    const { builds } = parse('services: {web: {build: ./web}, db: {image: "postgres:16"}}');
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

  it('reads every key, and takes paths from where Compose takes them', () => {
    const { builds } = parse(
      'services: {api: {image: "r.test:5000/Team/API:1", build: {context: ../api, dockerfile: docker/Dockerfile, target: prod, args: {A: 1, B: true}}}}',
      {},
      'deploy/compose.yaml',
    );
    expect(builds[0]).toEqual({
      images: [{ name: 'team/api', service: 'api' }],
      context: 'api',
      dockerfile: 'api/docker/Dockerfile',
      inline: null,
      target: 'prod',
      args: { A: '1', B: 'true' },
    });
  });

  it('takes args as a list, and values that are left out from the environment', () => {
    const args = build('services: {a: {build: {args: [A=x=y, B, C, "D="]}}}', { B: 'b' })?.args;
    expect(args).toEqual({ A: 'x=y', B: 'b', D: '' });
    expect(build('services: {a: {build: {args: {B: , C: }}}}', { B: 'b' })?.args).toEqual({ B: 'b' });
  });

  it('fills in variables of the environment only', () => {
    const text =
      'services: {a: {image: "${NAME:-shop/x}:${TAG:-1}", build: {context: "${DIR:-web}", args: {H: "${HOME}"}}}}';
    expect(build(text)).toMatchObject({ context: 'web', args: { H: '' }, images: [{ name: 'shop/x' }] });
    expect(build(text, { DIR: 'api' })).toMatchObject({ context: 'api' });
  });

  it('builds once what several services share', () => {
    const { builds } = parse(`
x-app: &app { context: ., args: [A=1, B=2] }
services:
  web: { build: *app }
  worker: { build: { context: ./, args: { B: 2, A: "1" } } }
  other: { build: { context: ., args: [A=2] } }`);
    expect(builds.map(({ images }) => images.map(({ service }) => service))).toEqual([['web', 'worker'], ['other']]);
  });

  it('keeps an inline Dockerfile', () => {
    expect(build('services: {a: {build: {context: ., dockerfile_inline: "FROM x"}}}')).toMatchObject({
      inline: 'FROM x',
    });
  });

  it('names what it leaves out of account', () => {
    expect(parse('services: {a: {build: {context: ., ssh: [default], cache_from: [x]}}}').unused).toEqual([
      'a.build.ssh',
      'a.build.cache_from',
    ]);
  });

  it.each([
    ['[]', /has no services/],
    ['services: {a: {image: x}}', /no service in compose.yaml has build/],
    ['services: {a: {build: {context: [x]}}}', /services\.a\.build\.context must be a single value/],
    ['services: {a: {build: {args: 5}}}', /services\.a\.build\.args must be a map or a list/],
    ['services: {a: {build: {dockerfile: x, dockerfile_inline: y}}}', /both dockerfile and dockerfile_inline/],
    ['services: {a: {image: x, build: a}, b: {image: "x:2", build: b}}', /services a and b build x in different ways/],
    ['services: {a: {image: "--rm", build: a}}', /"--rm" is no name of an image/],
    ['services: {a: {build: "${X:?say which}"}}', /say which/],
  ])('refuses %s', (text, message) => {
    expect(() => parse(text)).toThrow(message);
  });
});

it.each([
  ['shop/web', 'shop/web'],
  ['Shop/Web:1.2', 'shop/web'],
  ['localhost/web', 'web'],
  ['r.test/web@sha256:0123', 'web'],
  ['127.0.0.1:5000/a/b:c', 'a/b'],
  ['web', 'web'],
])('the repository of %s is %s', (image, name) => {
  expect(imageName(image, '', 'services.a')).toBe(name);
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
