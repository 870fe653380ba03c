/** OpenAPI 3.1 from the very definitions that validate and authorise. */
import { OpenAPIRegistry, OpenApiGeneratorV31 } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import type { Access } from './auth/access.ts';
import { type Route, scopeOf } from './route.ts';

const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    field: z.string().optional().meta({ description: 'Dotted path of the field at fault' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });

const DESCRIPTION = `Configuration is PUT and idempotent; a write-only field that is left out keeps its value, null removes it.
Durations are text as in the pipeline file (90s, 30m, 1h30m); times are RFC 3339 in UTC. Lists are {items, next?}: give \`next\` as \`before\`.`;

export function openApi(
  groups: readonly { prefix: string; routes: readonly Route[] }[],
  version: string,
  serverUrl: string,
): object {
  const registry = new OpenAPIRegistry();
  registry.registerComponent('securitySchemes', 'token', { type: 'http', scheme: 'bearer' });
  registry.registerComponent('securitySchemes', 'session', { type: 'apiKey', in: 'cookie', name: 'slipway_session' });
  for (const { prefix, routes } of groups) {
    for (const each of routes) registry.registerPath(operation(prefix, each));
  }
  return new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: '3.1.0',
    info: {
      title: 'Slipway',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: serverUrl }],
  });
}

function operation(prefix: string, each: Route): Parameters<OpenAPIRegistry['registerPath']>[0] {
  const names = [...each.path.matchAll(/[:*](\w+)/g)].map(([, name]) => name as string);
  const query = each.query instanceof z.ZodObject ? { query: each.query } : {};
  const body = each.body ? { body: { content: { 'application/json': { schema: each.body } } } } : {};
  const content = each.reply
    ? { 'application/json': { schema: each.reply } }
    : each.writes
      ? { [each.writes]: { schema: z.string() } }
      : null;
  const status = each.status ?? (content ? 200 : 204);
  return {
    method: each.method,
    path: prefix + each.path.replace(/[:*](\w+)/g, '{$1}'),
    summary: each.summary,
    description: `Who may: ${who(each.access)}. Scope of tokens: ${scopeOf(each)}.`,
    tags: [each.path.split('/').findLast((part) => /^[a-z]/.test(part)) ?? 'server'],
    security: each.access === 'public' ? [] : [{ token: [] }, { session: [] }],
    request: { params: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))), ...query, ...body },
    responses: {
      [status]: { description: 'Success', ...(content ? { content } : {}) },
      default: { description: 'What was wrong', content: { 'application/problem+json': { schema: Problem } } },
    },
  };
}

function who(access: Access): string {
  if (typeof access === 'object') return `members of the project with the role ${access.project} or a higher one`;
  return {
    public: 'anyone',
    user: 'anyone who is logged in',
    admin: 'administrators of Slipway',
    self: 'the user, and administrators of Slipway',
    'create-project': 'administrators of Slipway and of the project; others if SLIPWAY_ALLOW_CREATE is set',
  }[access];
}
