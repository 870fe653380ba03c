/** Logging in and out, and what a user has. */

import type { Request, RequestHandler } from 'express';
import { ipKeyGenerator, rateLimit } from 'express-rate-limit';
import { z } from 'zod';
import { AppError, conflict, invalid, notFound } from '../../pipelines/errors.ts';
import { visibleProjects } from '../auth/access.ts';
import { endSession, newToken, sha256, startSession } from '../auth/identity.ts';
import { hashPassword, verifyPassword } from '../auth/password.ts';
import * as present from '../present.ts';
import { problemOf, sendProblem } from '../problem.ts';
import { type Context, type Route, route } from '../route.ts';
import { recordAudit } from '../store/audit.ts';
import { transact } from '../store/db.ts';
import { roleOf } from '../store/projects.ts';
import {
  countAdmins,
  deleteSessionsOf,
  deleteToken,
  deleteUser,
  holdersOfUser,
  insertToken,
  passwordHash,
  saveUser,
  tokensOf,
  type User,
  userByName,
  usersAll,
} from '../store/users.ts';
import { refuseHeld } from './find.ts';
import * as schemas from './schemas.ts';

const WINDOW = 15 * 60_000;

/** Wrong passwords only: per user and address, and more of them per address. */
const loginLimits = (): RequestHandler[] => {
  const address = (request: Request): string => ipKeyGenerator(request.ip ?? '');
  const name = (request: Request): string =>
    sha256(String((request.body as { username?: unknown } | undefined)?.username));
  const limiter = (limit: number, keyGenerator: (request: Request) => string) =>
    rateLimit({
      windowMs: WINDOW,
      limit,
      keyGenerator,
      skipSuccessfulRequests: true,
      standardHeaders: true,
      legacyHeaders: false,
      validate: false,
      handler: (_request, response) => {
        const problem = problemOf(new AppError('rate_limited', 'too many wrong passwords: try again in 15 minutes'));
        if (problem) sendProblem(response, problem);
      },
    });
  return [limiter(10, (request) => `${name(request)} ${address(request)}`), limiter(100, address)];
};

function existingUser({ db }: Pick<Context, 'db'>, name: string): User {
  const user = userByName(db, name);
  if (!user) throw notFound(`there is no user "${name}"`);
  return user;
}

const me = ({ db, identity }: Pick<Context<string, 'user'>, 'db' | 'identity'>): z.infer<typeof schemas.Me> => ({
  name: identity.user.name,
  email: identity.user.email,
  admin: identity.user.admin,
  projects: visibleProjects(db, identity).map(({ id, slug, name }) => ({
    slug,
    name,
    role: identity.user.admin ? 'admin' : (roleOf(db, id, identity.user.id) ?? 'viewer'),
  })),
});

export const sessionRoutes: Route[] = [
  route({
    method: 'post',
    path: '/session',
    summary: 'Log in: sets the session cookie',
    access: 'public',
    body: schemas.Login,
    reply: schemas.User,
    before: loginLimits,
    async handle({ db, config, body, request, response, now }) {
      const user = userByName(db, body.username);
      const line = { at: now(), actor: user?.name ?? null, action: 'login', projectId: null, target: '/session' };
      if (!(await verifyPassword(body.password, passwordHash(db, body.username))) || !user) {
        recordAudit(db, { ...line, data: { refused: 'wrong password', address: request.ip } });
        throw new AppError('unauthenticated', 'the user name or the password is wrong');
      }
      startSession(db, config, request, response, user, now());
      recordAudit(db, { ...line, data: {} });
      return present.user(user);
    },
  }),
  route({
    method: 'delete',
    path: '/session',
    summary: 'Log out',
    access: 'user',
    handle({ db, config, request, response }) {
      endSession(db, config, request, response);
      return undefined;
    },
  }),
  route({
    method: 'get',
    path: '/me',
    summary: 'Who I am, and my projects',
    access: 'user',
    reply: schemas.Me,
    handle: me,
  }),
  route({
    method: 'get',
    path: '/me/tokens',
    summary: 'My tokens',
    access: 'user',
    reply: schemas.listOf(schemas.Token),
    handle: ({ db, identity }) => ({ items: tokensOf(db, identity.user.id).map(present.token) }),
  }),
  route({
    method: 'post',
    path: '/me/tokens',
    summary: 'Make a token; it is shown this once',
    access: 'user',
    body: schemas.PostToken,
    reply: schemas.NewToken,
    status: 201,
    handle({ db, identity, body, now }) {
      const expiresAt = body.expires === null ? null : Date.parse(body.expires);
      if (expiresAt !== null && expiresAt <= now()) throw invalid('expires: is in the past', 'expires');
      refuseEscalation(identity, body.scopes, expiresAt);
      const text = newToken();
      const { name, scopes } = body;
      const token = insertToken(db, { userId: identity.user.id, name, hash: sha256(text), scopes, expiresAt }, now());
      return { ...present.token(token), token: text };
    },
  }),
  route({
    method: 'delete',
    path: '/me/tokens/:id',
    summary: 'Revoke a token',
    access: 'user',
    handle({ db, identity, params }) {
      if (!deleteToken(db, identity.user.id, Number(params.id))) throw notFound(`you have no token ${params.id}`);
      return undefined;
    },
  }),
];

/** A token cannot make one that may do more, or lives longer, than itself. */
function refuseEscalation(
  identity: Context<string, 'user'>['identity'],
  scopes: readonly string[],
  expiresAt: number | null,
): void {
  const missing = scopes.find((scope) => !identity.scopes.some((own) => own === scope));
  if (missing) throw new AppError('forbidden', `a token without the scope "${missing}" cannot give it`);
  const limit = 'token' in identity.via ? identity.via.expiresAt : null;
  if (limit !== null && (expiresAt === null || expiresAt > limit)) {
    throw new AppError(
      'forbidden',
      `a token cannot make one that outlives it: set expires to ${present.time(limit)} at most`,
    );
  }
}

export const userRoutes: Route[] = [
  route({
    method: 'get',
    path: '/users',
    summary: 'All users',
    access: 'admin',
    reply: schemas.listOf(schemas.User),
    handle: ({ db }) => ({ items: usersAll(db).map(present.user) }),
  }),
  route({
    method: 'get',
    path: '/users/:user',
    summary: 'A user',
    access: 'self',
    reply: schemas.User,
    handle: (context) => present.user(existingUser(context, context.params.user)),
  }),
  route({
    method: 'put',
    path: '/users/:user',
    summary: 'Make or change a user; what is left out is kept',
    access: 'self',
    params: z.object({ user: schemas.UserName }),
    body: schemas.PutUser,
    reply: schemas.User,
    async handle({ db, identity, params, body, now }) {
      const { admin } = identity.actor;
      if (!admin && body.admin !== undefined && body.admin !== identity.user.admin) {
        throw new AppError('forbidden', 'admin: only administrators of Slipway change this', { field: 'admin' });
      }
      if (
        !admin &&
        body.password !== undefined &&
        !(await verifyPassword(body.currentPassword ?? '', passwordHash(db, params.user)))
      ) {
        throw new AppError('forbidden', 'currentPassword: is wrong', { field: 'currentPassword' });
      }
      const hash = body.password ? await hashPassword(body.password) : body.password;
      return transact(db, () => {
        const before = userByName(db, params.user);
        if (before?.admin && body.admin === false) keepLastAdmin(db);
        const user = saveUser(
          db,
          { name: params.user, email: body.email, admin: body.admin, passwordHash: hash },
          now(),
        );
        // Whoever stole the old password is logged out, too.
        if (hash !== undefined) deleteSessionsOf(db, user.id, 'session' in identity.via ? identity.via.session : null);
        return present.user(user);
      });
    },
  }),
  route({
    method: 'delete',
    path: '/users/:user',
    summary: 'Delete a user with their tokens and memberships',
    access: 'admin',
    handle(context) {
      const user = existingUser(context, context.params.user);
      if (user.admin) keepLastAdmin(context.db);
      refuseHeld(`user ${user.name}`, holdersOfUser(context.db, user.name));
      deleteUser(context.db, user.id);
      return undefined;
    },
  }),
];

function keepLastAdmin(db: Context['db']): void {
  if (countAdmins(db) <= 1) throw conflict('this is the last administrator: make another one first');
}
