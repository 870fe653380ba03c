/**
 * Sources that no tool may be given, through every door: a pipeline's source, the test of a connection, and the
 * `sources:` of a pipeline file. Each is a 422 that names the field, leaves a line in the audit log, and does nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rows } from '../../server/store/db.ts';
import { type Installation, install } from '../fakes/services.ts';

const PIPELINE = '/projects/shop/pipelines/fresh';
const TEST = '/projects/shop/sources/test';

let slipway: Installation;
beforeAll(async () => {
  slipway = await install();
  await slipway.seedProject('shop');
});
afterAll(() => slipway.close());

interface Door {
  name: string;
  method: string;
  path: string;
  /** The body for a source, and how the field `source.FIELD` is called there. */
  body(source: Source): unknown;
  field(name: string): string;
}
interface Source {
  kind: 'git' | 'svn';
  url: string;
  branch: string;
}

const settings = ({ kind, url, branch }: Source) => ({ kind, url, branches: [branch] });
const DOORS: readonly Door[] = [
  {
    name: 'a pipeline',
    method: 'PUT',
    path: PIPELINE,
    body: (source) => ({ source: settings(source) }),
    field: (name) => `source.${name}`,
  },
  {
    name: 'the test of a connection',
    method: 'POST',
    path: TEST,
    body: settings,
    field: (name) => (name === 'url' ? 'source.url' : name),
  },
  {
    name: 'a pipeline file',
    method: 'PUT',
    path: PIPELINE,
    body: (source) => ({
      source: { kind: 'git', url: 'https://git.example/web.git', branches: ['main'] },
      // JSON is YAML, and quotes what is odd.
      definition: JSON.stringify({ sources: { lib: source }, steps: { a: { image: 'x', run: ['y'] } } }),
    }),
    field: () => 'definition',
  },
];

const GIT_URLS = [
  '--upload-pack=touch /tmp/pwned',
  '-u',
  'ext::sh -c id',
  'fd::17',
  'file:///etc',
  '/etc/passwd',
  '../../etc',
  'C:\\shop',
  'ssh://-oProxyCommand=id/x',
  'ssh://%2doProxyCommand=id/x',
  'git@-oX:y',
  'https://git.example/a\r\nHost: evil',
  'https://git.example/a\nb',
  'https://git.example/a\0b',
  'https://git.example/a%0d%0ab',
  'https://user:token@git.example/x.git',
  'https://ghp_0123456789@git.example/x.git',
  'ssh://git:password@git.example/x.git',
  'gopher://git.example/x',
];
const SVN_URLS = [
  '--config-option=config:tunnels:x=CMD',
  'svn+x://host/shop',
  'svn+ssh://-oProxyCommand=id/x',
  'file:///srv/svn',
  '/srv/svn',
  'https://user:token@svn.example/x',
  'svn://host/a\nb',
  'svn://host/a%00b',
  'svn://host/a/../b',
];
const BRANCHES = ['-u', '--exec=id', '--upload-pack=x', 'a\r\nb', 'a\0b'];

const HOSTILE: [what: string, source: Source, field: string][] = [
  ...GIT_URLS.map((url): [string, Source, string] => ['git', { kind: 'git', url, branch: 'main' }, 'url']),
  ...SVN_URLS.map((url): [string, Source, string] => ['svn', { kind: 'svn', url, branch: 'trunk' }, 'url']),
  ...BRANCHES.map((branch): [string, Source, string] => [
    'branch',
    { kind: 'git', url: 'https://git.example/web.git', branch },
    'branches.0',
  ]),
];

const refusals = () =>
  rows<{ data: string }>(slipway.db, 'SELECT data_json AS data FROM audit').filter(({ data }) =>
    data.includes('"refused"'),
  );

describe.each(DOORS)('through $name', ({ method, path, body, field }) => {
  test.each(HOSTILE)('%s %j is refused', async (_what, source, name) => {
    const before = refusals().length;
    const response = await slipway.raw(method, `/api/v1${path}`, body(source), slipway.adminToken);
    const problem = (await response.json()) as { field?: string; detail: string };
    expect({ status: response.status, ...problem }).toMatchObject({ status: 422, field: field(name) });
    expect(problem.detail).not.toMatch(/\bat .*\.ts|ghp_0123456789|:token@|git:password/);
    expect(rows(slipway.db, "SELECT 1 FROM pipelines WHERE name = 'fresh'")).toEqual([]);
    expect(slipway.services.tested).toEqual([]);
    expect(refusals()).toHaveLength(before + 1);
  });
});

test('branches that are named like shell code are names, and taken', async () => {
  const branches = ['$(id)', 'a;b', '`id`', 'x|y', "it's"];
  const source = { kind: 'git', url: 'https://git.example/web.git', branches };
  expect(await slipway.api('PUT', PIPELINE, { source })).toMatchObject({ source: { branches } });
});
