import { describe, expect, test } from 'vitest';
import type { BuildRun, Step } from '../../pipelines/model.ts';
import { outcomeOf, transportOutcome } from '../../server/forge/answer.ts';
import { describe as describeBuild, stateOf } from '../../server/forge/describe.ts';
import { giteaStatus, githubStatus } from '../../server/forge/github.ts';
import { gitlabStatus } from '../../server/forge/gitlab.ts';
import { type CommitState, defaultBase, repositoryOf, type StatusTarget } from '../../server/forge/target.ts';

const SHA = 'a'.repeat(40);
const target: StatusTarget = {
  base: 'https://git.example',
  repository: ['acme', 'shop'],
  sha: SHA,
  branch: 'main',
  context: 'slipway/shop/web',
  link: 'https://ci.example/p/shop/web/12',
  description: '#12 passed in 20 s',
  token: 't0ken',
};
const STATES: CommitState[] = ['pending', 'success', 'failure', 'error', 'cancelled'];

describe('where the source is', () => {
  test.each([
    ['https://github.com/acme/shop.git', 'https://github.com', ['acme', 'shop']],
    ['https://github.com/acme/shop/', 'https://github.com', ['acme', 'shop']],
    ['http://Git.example:3000/acme/shop.git', 'http://git.example:3000', ['acme', 'shop']],
    ['git@github.com:acme/shop.git', 'https://github.com', ['acme', 'shop']],
    ['git@github.com:/acme/shop', 'https://github.com', ['acme', 'shop']],
    ['git@[2001:db8::1]:acme/shop.git', 'https://[2001:db8::1]', ['acme', 'shop']],
    ['ssh://git@git.example:2222/acme/shop.git', 'https://git.example', ['acme', 'shop']],
    ['ssh://git@ssh.github.com:443/acme/shop.git', 'https://github.com', ['acme', 'shop']],
    ['git://git.example/acme/shop', 'https://git.example', ['acme', 'shop']],
    ['https://git.example/ac%20me/sh%C3%B6p.git', 'https://git.example', ['ac me', 'shöp']],
    ['https://git.example/100%/shop.js.git', 'https://git.example', ['100%', 'shop.js']],
  ])('%s', (source, base, repository) => {
    expect(defaultBase(source)).toBe(base);
    for (const kind of ['github', 'gitlab', 'gitea'] as const)
      expect(repositoryOf(kind, source, base)).toEqual(repository);
  });

  test('only GitLab has groups of groups', () => {
    const source = 'git@gitlab.example:acme/web/teams/shop.git';
    expect(repositoryOf('gitlab', source, 'https://gitlab.example')).toEqual(['acme', 'web', 'teams', 'shop']);
    expect(repositoryOf('github', source, 'https://gitlab.example')).toBeNull();
  });

  test('a forge below a path of its host: what is before owner and repository is its own', () => {
    const base = 'https://tools.example/git';
    expect(repositoryOf('gitea', 'https://tools.example/git/acme/shop.git', base)).toEqual(['acme', 'shop']);
    // Over SSH there is no such path.
    expect(repositoryOf('gitea', 'git@tools.example:acme/shop.git', base)).toEqual(['acme', 'shop']);
    expect(repositoryOf('gitlab', 'git@tools.example:git/acme/shop.git', base)).toEqual(['git', 'acme', 'shop']);
  });

  test.each([
    'https://git.example/shop.git',
    'https://git.example/',
    'https://git.example/acme/.git',
    'https://git.example/acme/%2e%2e%2fadmin',
    'git@git.example:../admin',
    'git@git.example:acme/..',
    'git@git.example:2222/../acme/shop',
    'https://git.example/acme/a%00b',
    'file:///srv/git/acme/shop.git',
    '/srv/git/acme/shop.git',
  ])('%s names no repository of a forge', (source) => {
    expect(repositoryOf('gitlab', source, 'https://git.example')).toBeNull();
  });
});

describe('requests', () => {
  test('GitHub', () => {
    expect(githubStatus({ ...target, base: 'https://github.com' }, 'success')).toMatchInlineSnapshot(`
      {
        "body": "{"state":"success","target_url":"https://ci.example/p/shop/web/12","description":"#12 passed in 20 s","context":"slipway/shop/web"}",
        "headers": {
          "accept": "application/vnd.github+json",
          "authorization": "Bearer t0ken",
          "content-type": "application/json",
          "user-agent": "slipway",
          "x-github-api-version": "2022-11-28",
        },
        "method": "POST",
        "url": "https://api.github.com/repos/acme/shop/statuses/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      }
    `);
    const urlAt = (base: string) => githubStatus({ ...target, base }, 'success').url;
    expect(urlAt('https://ghe.example')).toBe(`https://ghe.example/api/v3/repos/acme/shop/statuses/${SHA}`);
    expect(urlAt('https://acme.ghe.com')).toBe(`https://api.acme.ghe.com/repos/acme/shop/statuses/${SHA}`);
  });

  test('GitLab', () => {
    expect(gitlabStatus({ ...target, repository: ['acme', 'web', 'shop'] }, 'failure')).toMatchInlineSnapshot(`
      {
        "body": "{"state":"failed","ref":"main","name":"slipway/shop/web","target_url":"https://ci.example/p/shop/web/12","description":"#12 passed in 20 s"}",
        "headers": {
          "accept": "application/json",
          "content-type": "application/json",
          "private-token": "t0ken",
          "user-agent": "slipway",
        },
        "method": "POST",
        "url": "https://git.example/api/v4/projects/acme%2Fweb%2Fshop/statuses/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      }
    `);
  });

  test('GitLab is told tags by their names, and finds the source branch of a merge request itself', () => {
    const refOf = (branch: string) => JSON.parse(gitlabStatus({ ...target, branch }, 'success').body).ref;
    expect(refOf('release/1.0')).toBe('release/1.0');
    expect(refOf('refs/tags/v1')).toBe('v1');
    expect(refOf('refs/merge-requests/7/head')).toBeUndefined();
  });

  test('Gitea', () => {
    expect(giteaStatus({ ...target, base: 'https://tools.example/git' }, 'pending')).toMatchInlineSnapshot(`
      {
        "body": "{"state":"pending","target_url":"https://ci.example/p/shop/web/12","description":"#12 passed in 20 s","context":"slipway/shop/web"}",
        "headers": {
          "accept": "application/json",
          "authorization": "token t0ken",
          "content-type": "application/json",
          "user-agent": "slipway",
        },
        "method": "POST",
        "url": "https://tools.example/git/api/v1/repos/acme/shop/statuses/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
      }
    `);
  });

  test('odd characters stay in their place', () => {
    const odd = { ...target, repository: ['ac me', 'sh?p#ö'], sha: 'a/../b' };
    expect(githubStatus(odd, 'success').url).toBe(
      'https://git.example/api/v3/repos/ac%20me/sh%3Fp%23%C3%B6/statuses/a%2F..%2Fb',
    );
    expect(giteaStatus(odd, 'success').url).toContain('/repos/ac%20me/sh%3Fp%23%C3%B6/statuses/a%2F..%2Fb');
    expect(gitlabStatus(odd, 'success').url).toContain('/projects/ac%20me%2Fsh%3Fp%23%C3%B6/statuses/a%2F..%2Fb');
  });

  test('each forge has words of its own', () => {
    const words = (build: typeof githubStatus) => STATES.map((state) => JSON.parse(build(target, state).body).state);
    expect(words(githubStatus)).toEqual(['pending', 'success', 'failure', 'error', 'error']);
    expect(words(gitlabStatus)).toEqual(['pending', 'success', 'failed', 'failed', 'canceled']);
    expect(words(giteaStatus)).toEqual(['pending', 'success', 'failure', 'error', 'error']);
  });
});

describe('answers', () => {
  const NOW = Date.parse('2026-01-01T00:00:00Z');
  const answer = (status: number, headers = {}, body = '', kind: 'github' | 'gitlab' = 'github') =>
    outcomeOf(kind, 'pending', { status, headers, body }, NOW);

  test('2xx is told', () => {
    expect(answer(201)).toEqual({ kind: 'sent' });
    expect(answer(200)).toEqual({ kind: 'sent' });
  });

  test.each([301, 307, 400, 401, 403, 404, 410, 422])('%i is for good', (status) => {
    expect(answer(status)).toMatchObject({ kind: 'never', error: expect.stringContaining(String(status)) });
  });

  test.each([408, 409, 429, 500, 502, 503])('%i is tried again', (status) => {
    expect(answer(status)).toMatchObject({ kind: 'later', after: null });
  });

  test('a limit says when', () => {
    expect(answer(429, { 'retry-after': '120' })).toMatchObject({ kind: 'later', after: 120_000 });
    const date = new Date(NOW + 30_000).toUTCString();
    expect(answer(503, { 'retry-after': date })).toMatchObject({ kind: 'later', after: 30_000 });
    const limits = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1000 + 60) };
    expect(answer(403, limits)).toMatchObject({ kind: 'later', after: 60_000 });
    expect(answer(429, { 'retry-after': 'soon' })).toMatchObject({ kind: 'later', after: null });
  });

  test('what GitLab has as pending already is told', () => {
    const body = '{"message":"Cannot transition status via :enqueue from :pending (Reason(s): …)"}';
    expect(answer(400, {}, body, 'gitlab')).toEqual({ kind: 'sent' });
    expect(answer(400, {}, body)).toMatchObject({ kind: 'never' });
    expect(answer(400, {}, '{"message":"name is too long"}', 'gitlab')).toMatchObject({ kind: 'never' });
  });

  test('no answer is tried again, and what was thrown is not shown', () => {
    const refused = Object.assign(new Error('connect 10.0.0.1 t0ken'), { code: 'ECONNREFUSED' });
    expect(transportOutcome('gitea', refused)).toEqual({
      kind: 'later',
      error: 'Gitea cannot be reached (ECONNREFUSED); it is tried again',
      after: null,
    });
    const untrusted = Object.assign(new Error('no'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    expect(transportOutcome('gitea', untrusted)).toMatchObject({ error: expect.stringContaining('SLIPWAY_CA_FILE') });
  });
});

describe('a build in a line', () => {
  const step = (name: string, result: Step['result'], allowFailure = false) =>
    ({ name, result, allowFailure, reason: 'pass-w0rd' }) as Step;
  const run = (given: Partial<BuildRun>) =>
    ({ number: 12, status: 'finished', startedAt: 1000, finishedAt: 81_000, steps: [], ...given }) as BuildRun;

  test.each<[Partial<BuildRun>, number, CommitState, string]>([
    [{ status: 'queued', result: null }, 0, 'pending', '#12 is queued'],
    [{ status: 'running', result: null }, 0, 'pending', '#12 is running'],
    [{ result: 'passed' }, 0, 'success', '#12 passed in 1 min 20 s'],
    [
      { result: 'failed', steps: [step('lint', 'failed', true), step('unit', 'failed')] },
      3,
      'failure',
      '#12 failed: unit, 3 tests',
    ],
    [{ result: 'errored', reason: 'pass-w0rd', steps: [step('web', 'errored')] }, 0, 'error', '#12 errored: web'],
    [{ result: 'errored', startedAt: null }, 0, 'error', '#12 errored'],
    [{ result: 'cancelled', reason: 'pass-w0rd' }, 0, 'cancelled', '#12 was cancelled'],
  ])('%j', (given, tests, state, text) => {
    expect(stateOf(run(given))).toBe(state);
    expect(describeBuild(run(given), tests)).toBe(text);
  });

  test('has at most 140 characters', () => {
    const text = describeBuild(run({ result: 'failed', steps: [step('x'.repeat(300), 'failed')] }), 0);
    expect([...text]).toHaveLength(140);
  });
});
