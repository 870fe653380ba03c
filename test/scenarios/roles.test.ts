/** Every call, with every role: what is not granted is refused. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Access } from '../../server/auth/access.ts';
import { isMutating, type Route } from '../../server/route.ts';
import { apiRoutes } from '../../server/routes/index.ts';
import { type Installation, install } from '../fakes/services.ts';

const WHO = ['anonymous', 'stranger', 'viewer', 'developer', 'release-manager', 'admin', 'root', 'reader'] as const;
type Who = (typeof WHO)[number];

let slipway: Installation;
const tokens: Partial<Record<Who, string>> = {};

beforeAll(async () => {
  slipway = await install();
  await slipway.seedProject('shop');
  for (const role of ['viewer', 'developer', 'release-manager', 'admin'] as const) {
    const user = slipway.addUser(`${role}-of-shop`);
    await slipway.api('PUT', `/projects/shop/members/${user}`, { role });
    tokens[role] = slipway.tokenFor(user);
  }
  tokens.stranger = slipway.tokenFor(slipway.addUser('stranger'));
  tokens.root = slipway.adminToken;
  // An administrator's token that may only read.
  tokens.reader = slipway.tokenFor('admin-of-all', ['read'], true);
});
afterAll(() => slipway.close());

/** Status of the refusal, or null where the call is allowed. */
function refusal(access: Access, method: string, who: Who): number | null {
  if (access === 'public') return null;
  if (who === 'anonymous') return 401;
  if (who === 'reader') return isMutating(method) ? 403 : null;
  if (access === 'user' || who === 'root') return null;
  // `self` names another user below.
  if (access === 'admin' || access === 'self') return 403;
  if (who === 'stranger') return access === 'create-project' ? 403 : 404;
  const ranks = ['viewer', 'developer', 'release-manager', 'admin'];
  const needed = access === 'create-project' ? 'admin' : access.project;
  return ranks.indexOf(who) >= ranks.indexOf(needed) ? null : 403;
}

const PATH: Record<string, string> = {
  project: 'shop',
  pipeline: 'web',
  environment: 'DEV',
  number: '1',
  step: 'unit',
  stack: 'shop',
  version: '1.0',
  name: 'TOKEN',
  id: '999',
  path: 'site/index.html',
};

function urlOf(route: Route): string {
  const path = route.path.replace(/[:*](\w+)/g, (_, name: string) =>
    name === 'user' ? 'somebody' : (PATH[name] ?? name),
  );
  return `/api/v1${path}${path.endsWith('/diff') ? '?release=1.0' : path.endsWith('/search') ? '?q=1.0' : ''}`;
}

/** Calls that would take something away from those that come after; the body of the others is wrong on purpose. */
const isSafe = (route: Route) => route.method === 'get';

describe.each(apiRoutes.map((route) => [`${route.method.toUpperCase()} ${route.path}`, route] as const))(
  '%s',
  (_name, route) => {
    test.each(WHO)('as %s', async (who) => {
      const expected = refusal(route.access, route.method, who);
      // What would be allowed and changes something is sent with a body that is refused after the authorisation.
      const body = isSafe(route) ? undefined : { 'no such field': true };
      if (expected === null && route.method === 'delete') return;
      const response = await slipway.raw(route.method.toUpperCase(), urlOf(route), body, tokens[who]);
      if (route.writes === 'text/event-stream' && response.ok) return void (await response.body?.cancel());
      const text = await response.text();
      if (expected !== null) {
        expect([response.status, text]).toEqual([expected, expect.stringContaining('"detail"')]);
        if (expected === 403 && typeof route.access === 'object' && who !== 'reader')
          expect(text).toContain(route.access.project);
        return;
      }
      if (isSafe(route)) {
        expect(response.status, text).toBe(route.path.endsWith('/deployments/:number/steps/:step/log') ? 404 : 200);
        if (route.reply) expect(route.reply.safeParse(JSON.parse(text)).error).toBeUndefined();
      } else if (route.body) {
        expect(response.status, text).toBe(422);
      } else {
        expect(response.status, text).toBeLessThan(400);
      }
    });
  },
);

test('a member of one project sees nothing of another', async () => {
  await slipway.seedProject('bank');
  const viewer = tokens.viewer;
  for (const path of [
    '',
    '/pipelines',
    '/pipelines/web/builds/1',
    '/environments/DEV',
    '/members',
    '/secrets',
    '/releases',
    '/board',
  ]) {
    expect((await slipway.raw('GET', `/api/v1/projects/bank${path}`, undefined, viewer)).status, path).toBe(404);
  }
  for (const path of ['/projects', '/board', '/queue', '/search?q=1.0']) {
    const text = await (await slipway.raw('GET', `/api/v1${path}`, undefined, viewer)).text();
    expect(text, path).not.toContain('bank');
  }
});

test('deleting needs its role, and works for those who have it', async () => {
  const gone = (path: string, who: Who) => slipway.raw('DELETE', `/api/v1${path}`, undefined, tokens[who]);
  expect((await gone('/projects/shop/secrets/TOKEN', 'admin')).status).toBe(204);
  expect((await gone('/projects/shop/members/viewer-of-shop', 'admin')).status).toBe(204);
  expect((await slipway.raw('GET', '/api/v1/projects/shop', undefined, tokens.viewer)).status).toBe(404);
  expect((await gone('/users/viewer-of-shop', 'root')).status).toBe(204);
  expect((await slipway.raw('GET', '/api/v1/me', undefined, tokens.viewer)).status).toBe(401);
});
