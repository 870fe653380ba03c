/**
 * One way to define a call: who may make it, what it takes and gives. From the same definition it is authorised, validated,
 * audited and documented.
 */
import { type ErrorRequestHandler, json, type Request, type RequestHandler, type Response, Router } from 'express';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { type Access, authorise } from './auth/access.ts';
import { type Identity, identify, refuseForged, requireJson } from './auth/identity.ts';
import type { Vault } from './auth/vault.ts';
import type { Config } from './config.ts';
import { parse, problemOf } from './problem.ts';
import type { Services } from './services.ts';
import { recordAudit } from './store/audit.ts';
import type { Db } from './store/db.ts';
import type { Project } from './store/projects.ts';
import type { Scope } from './store/users.ts';

/** What every call may use. */
export interface Deps {
  db: Db;
  config: Config;
  services: Services;
  vault: Vault;
  logger: Logger;
  /** Wall time, epoch ms. */
  now: () => number;
}

/** Names of the parameters in a path: `:name`, and `*name` for the rest of it. */
type Params<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | Params<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : Path extends `${string}*${infer Name}`
      ? Name
      : never;

export interface Context<Path extends string = string, A extends Access = Access, Q = unknown, B = unknown>
  extends Deps {
  request: Request;
  response: Response;
  params: Record<Params<Path>, string>;
  query: Q;
  body: B;
  identity: A extends 'public' ? null : Identity;
  project: A extends { project: unknown } ? Project : Project | null;
}

interface Definition<Path extends string, A extends Access, Q, B, R> {
  method: 'get' | 'put' | 'post' | 'delete';
  path: Path;
  summary: string;
  access: A;
  /** Rules for parameters that name something to be made; others are just looked up. */
  params?: z.ZodType<unknown>;
  query?: z.ZodType<Q>;
  body?: z.ZodType<B>;
  /** The body is what it is, and read by `handle`: no JSON, no form of a browser. For calls that are signed. */
  rawBody?: boolean;
  /** Of the JSON answer. Without it the call answers 204, or writes to `response` itself. */
  reply?: z.ZodType<R>;
  /** Of success; 200 where there is a `reply`, else 204. */
  status?: number;
  /** Media type of what is written to `response`. */
  writes?: string;
  /** The change writes its audit line in its own transaction; only a refusal is recorded here. */
  auditsItself?: boolean;
  /** Runs after authorisation, once the body is read. Made once an app. */
  before?: () => RequestHandler[];
  handle: (context: Context<Path, A, Q, B>) => NoInfer<R> | Promise<NoInfer<R>> | undefined | Promise<undefined>;
}

export type Route = Definition<string, Access, unknown, unknown, unknown>;

/** Keeps the types of a definition together; a call without `access` does not compile. */
export const route = <const Path extends string, const A extends Access, Q = undefined, B = undefined, R = undefined>(
  definition: Definition<Path, A, Q, B, R>,
): Route => definition as unknown as Route;

export const isMutating = (method: string): boolean => !['get', 'head'].includes(method.toLowerCase());
export const scopeOf = ({ method }: Pick<Route, 'method'>): Scope => (isMutating(method) ? 'write' : 'read');

const BODY_LIMIT = 1024 * 1024;

interface Admitted {
  identity: Identity | null;
  project: Project | null;
  params: Record<string, string>;
}

/** Serves `routes`. Bodies are read only of calls that are allowed. */
export function routerOf(routes: readonly Route[], deps: Deps): Router {
  const router = Router({ caseSensitive: true, strict: true });
  const readJson = json({ limit: BODY_LIMIT, strict: true, type: () => true });
  for (const each of routes) {
    const mutating = isMutating(each.method);
    const admit: RequestHandler = (request, response, next) => {
      response.locals.admitted = admission(each, deps, request, response);
      next();
    };
    const handle: RequestHandler = async (request, response) => {
      await answer(each, deps, response.locals.admitted as Admitted, request, response);
      if (mutating && !each.auditsItself) audit(each, deps, request, response, null);
    };
    const auditRefusal: ErrorRequestHandler = (error, request, response, next) => {
      if (mutating) audit(each, deps, request, response, error);
      next(error);
    };
    router[each.method](
      each.path,
      admit,
      ...(mutating && !each.rawBody ? [readJson] : []),
      ...(each.before?.() ?? []),
      handle,
      auditRefusal,
    );
  }
  return router;
}

function admission(each: Route, deps: Deps, request: Request, response: Response): Admitted {
  response.setHeader('Cache-Control', 'no-store');
  const identity = each.access === 'public' ? null : identify(deps.db, request, deps.now());
  response.locals.actor = identity?.actor ?? null;
  if (isMutating(each.method) && !each.rawBody) {
    refuseForged(deps.config, request, identity !== null && 'session' in identity.via);
    requireJson(request);
  }
  const params = Object.fromEntries(
    Object.entries(request.params).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join('/') : (value ?? ''),
    ]),
  );
  const demand = { access: each.access, scope: scopeOf(each) };
  return { identity, params, project: authorise(deps.db, deps.config, demand, identity, params) };
}

async function answer(
  each: Route,
  deps: Deps,
  admitted: Admitted,
  request: Request,
  response: Response,
): Promise<void> {
  if (each.params) parse(each.params, admitted.params);
  const context = {
    ...deps,
    ...admitted,
    request,
    response,
    query: each.query && parse(each.query, request.query),
    body: each.body && parse(each.body, request.body ?? {}),
  };
  // The types are those that `route` checked; here they are erased.
  const result = await each.handle(context as unknown as Context);
  if (response.headersSent) return;
  if (each.reply) response.status(each.status ?? 200).json(result);
  else response.status(each.status ?? 204).end();
}

/** A line for each change, and for each refused attempt of somebody known. Values are not kept: they may be secrets. */
function audit(each: Route, deps: Deps, request: Request, response: Response, error: unknown): void {
  const actor = response.locals.actor as { name: string } | null | undefined;
  if (!actor) return;
  const admitted = response.locals.admitted as Admitted | undefined;
  const refusal = error === null ? {} : { refused: problemOf(error)?.detail ?? 'internal error' };
  const fields =
    request.body && typeof request.body === 'object' ? { fields: Object.keys(request.body).slice(0, 50) } : {};
  const projectGone = each.method === 'delete' && each.path === '/projects/:project' && error === null;
  recordAudit(deps.db, {
    at: deps.now(),
    actor: actor.name,
    action: `${each.method.toUpperCase()} ${each.path}`,
    projectId: projectGone ? null : (admitted?.project?.id ?? null),
    target: request.originalUrl.slice(0, 500),
    data: { ...fields, ...refusal },
  });
}
