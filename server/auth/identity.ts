/** Who sends a request: by bearer token, or by session cookie with protection against forged requests. */
import { createHash, randomBytes } from 'node:crypto';
import type { Request, Response } from 'express';
import { AppError } from '../../pipelines/errors.ts';
import type { Config } from '../config.ts';
import { MediaTypeError } from '../problem.ts';
import type { Actor } from '../services.ts';
import type { Db } from '../store/db.ts';
import {
  deleteSession,
  extendSession,
  insertSession,
  type Scope,
  tokenByHash,
  touchToken,
  type User,
  userOfSession,
} from '../store/users.ts';

const COOKIE = 'slipway_session';
const MINUTE = 60_000;
/** A session ends after this long without a request. */
const IDLE = 12 * 60 * MINUTE;

export interface Identity {
  user: User;
  actor: Actor;
  scopes: readonly Scope[];
  via: { session: string } | { token: number; expiresAt: number | null };
}

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
export const newToken = (): string => `slw_${randomBytes(32).toString('base64url')}`;

/** Null for an anonymous request; a token that is wrong or expired throws. */
export function identify(db: Db, request: Request, now: number): Identity | null {
  const { authorization } = request.headers;
  return authorization === undefined ? bySession(db, request, now) : byToken(db, authorization, now);
}

function byToken(db: Db, authorization: string, now: number): Identity {
  const [, text] = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization) ?? [];
  if (!text) throw new AppError('unauthenticated', 'the Authorization header is not "Bearer <token>"');
  const found = tokenByHash(db, sha256(text));
  if (!found) throw new AppError('unauthenticated', 'this token is not known: it may have been revoked');
  const { user, token } = found;
  if (token.expiresAt !== null && token.expiresAt <= now)
    throw new AppError('unauthenticated', 'this token has expired');
  if (now - (token.lastUsedAt ?? 0) > MINUTE) touchToken(db, token.id, now);
  return { user, actor: actorOf(user), scopes: token.scopes, via: { token: token.id, expiresAt: token.expiresAt } };
}

function bySession(db: Db, request: Request, now: number): Identity | null {
  const hash = sessionHash(request);
  const found = hash === null ? undefined : userOfSession(db, hash, now);
  if (!hash || !found) return null;
  if (found.expiresAt - now < IDLE - 5 * MINUTE) extendSession(db, hash, now + IDLE);
  return { user: found.user, actor: actorOf(found.user), scopes: ['read', 'write'], via: { session: hash } };
}

export const actorOf = (user: User): Actor => ({ userId: user.id, name: user.name, admin: user.admin });

// ---- sessions ----------------------------------------------------------------------------------------------------------

function sessionHash(request: Request): string | null {
  const [, value] = new RegExp(`(?:^|;\\s*)${COOKIE}=([\\w-]{20,100})(?:;|$)`).exec(request.headers.cookie ?? '') ?? [];
  return value === undefined ? null : sha256(value);
}

/** Always a new session: what the browser brought along is never made valid, and ends. */
export function startSession(
  db: Db,
  config: Config,
  request: Request,
  response: Response,
  user: User,
  now: number,
): void {
  const old = sessionHash(request);
  if (old) deleteSession(db, old);
  const value = randomBytes(32).toString('base64url');
  insertSession(db, { hash: sha256(value), userId: user.id, expiresAt: now + IDLE }, now);
  response.cookie(COOKIE, value, cookieOptions(config, request));
}

export function endSession(db: Db, config: Config, request: Request, response: Response): void {
  const hash = sessionHash(request);
  if (hash) deleteSession(db, hash);
  response.clearCookie(COOKIE, cookieOptions(config, request));
}

const cookieOptions = (config: Config, request: Request) =>
  ({
    httpOnly: true,
    sameSite: 'strict',
    path: '/',
    secure: request.secure || config.publicUrl.startsWith('https:'),
  }) as const;

// ---- forged requests -----------------------------------------------------------------------------------------------------

/** Whether the page that sent this came from us; null where the request does not say. */
export function sameOrigin(config: Config, request: Request): boolean | null {
  const { origin } = request.headers;
  if (origin === undefined) {
    const site = request.get('sec-fetch-site');
    return site === undefined ? null : site === 'same-origin';
  }
  if (origin === new URL(config.publicUrl).origin) return true;
  return URL.canParse(origin) && new URL(origin).host === request.host;
}

/** A browser sends cookies for anyone's page: so a change by cookie must come from our own page, and be JSON. */
export function refuseForged(config: Config, request: Request, byCookie: boolean): void {
  const same = sameOrigin(config, request);
  if (same === false || (byCookie && same === null)) {
    throw new AppError(
      'forbidden',
      'this request does not come from a page of this server: the Origin header is missing or foreign',
    );
  }
}

export function requireJson(request: Request): void {
  const type = request.headers['content-type'];
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (type === undefined ? hasBody : !/^application\/json\s*(;|$)/i.test(type)) {
    throw new MediaTypeError('the Content-Type must be application/json');
  }
}
