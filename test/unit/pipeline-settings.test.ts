/** What the dialog of a pipeline's settings sends, without a browser. */
import { describe, expect, it } from 'vitest';
import { PutPipeline } from '../../server/routes/requests.ts';
import type { Pipeline } from '../../ui/api/types.ts';
import { credentials, credentialsToSend, waysOf } from '../../ui/components/credentials.ts';
import { newHookSecret, settingsOf, settingsToSend } from '../../ui/pages/pipeline/settings.ts';

const PIPELINE: Pipeline = {
  name: 'web',
  source: {
    kind: 'svn',
    url: 'svn://svn.example/shop',
    branches: ['trunk', 'branches/with space'],
    submodules: false,
    lfs: false,
    hosts: ['other.example'],
    link: 'https://svn.example/r{revision}',
    hasCredentials: true,
  },
  file: 'ci/slipway.yml',
  definition: 'steps: { a: { image: x, run: [y] } }',
  poll: '0 3 * * *',
  hasHookSecret: true,
  status: { kind: 'gitea', url: 'https://git.example', hasToken: true, error: null },
  createdAt: '2030-01-01T00:00:00.000Z',
  lastBuild: null,
};

describe('settings', () => {
  it('that nobody touched are sent as they were, and what is secret stays', () => {
    const body = settingsToSend(PIPELINE, settingsOf(PIPELINE));
    const { hasCredentials: _, ...source } = PIPELINE.source;
    expect(body).toEqual({
      source,
      file: PIPELINE.file,
      definition: PIPELINE.definition,
      poll: PIPELINE.poll,
      status: { kind: 'gitea', url: 'https://git.example' },
    });
    expect(PutPipeline.safeParse(body).success).toBe(true);
  });

  it('that are emptied are removed', () => {
    const settings = settingsOf(PIPELINE);
    const emptied = { link: ' ', poll: '', hosts: '\n', file: '', hook: 'none', status: 'none' } as const;
    const body = settingsToSend(PIPELINE, { ...settings, ...emptied, credentials: credentials('none') });
    expect(body).toMatchObject({
      source: { hosts: [], credentials: null },
      file: 'slipway.yml',
      poll: null,
      hookSecret: null,
      status: null,
    });
    expect(body.source).not.toHaveProperty('link');
  });
});

describe('credentials', () => {
  it('are offered as the tool knows them', () => {
    expect(waysOf('git', true)).toEqual(['kept', 'none', 'password', 'token', 'key', 'secret']);
    expect(waysOf('svn', false)).toEqual(['none', 'password', 'key', 'secret']);
  });

  it('are sent in the way that is chosen, and no other', () => {
    const all = { username: 'dev', password: 'p', token: 't', sshKey: 'k', knownHosts: ' ', secret: 'S' };
    const sent = (way: Parameters<typeof credentials>[0]) => credentialsToSend({ way, ...all });
    expect([sent('kept'), sent('none')]).toEqual([undefined, null]);
    expect(sent('password')).toEqual({ username: 'dev', password: 'p' });
    expect(sent('token')).toEqual({ token: 't' });
    expect(sent('key')).toEqual({ sshKey: 'k' });
    expect(sent('secret')).toEqual({ secret: 'S' });
  });
});

it('a hook secret is 32 letters and digits, and never the same', () => {
  const secrets = Array.from({ length: 50 }, newHookSecret);
  expect(new Set(secrets).size).toBe(50);
  for (const secret of secrets) expect(secret).toMatch(/^[A-Za-z0-9]{32}$/);
});
