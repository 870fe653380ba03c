/** People, their sessions and their tokens. Of a session or a token only the SHA-256 is kept. */
import type { Role } from '../../pipelines/model.ts';
import { change, type Db, row, rows } from './db.ts';

export interface User {
  id: number;
  name: string;
  email: string | null;
  admin: boolean;
  hasPassword: boolean;
  createdAt: number;
}

interface UserRow {
  id: number;
  name: string;
  email: string | null;
  password_hash: string | null;
  admin: number;
  created_at: number;
}

const toUser = (u: UserRow): User => ({
  id: u.id,
  name: u.name,
  email: u.email,
  admin: u.admin === 1,
  hasPassword: u.password_hash !== null,
  createdAt: u.created_at,
});

export const usersAll = (db: Db): User[] => rows<UserRow>(db, 'SELECT * FROM users ORDER BY name').map(toUser);

export function userByName(db: Db, name: string): User | undefined {
  const found = row<UserRow>(db, 'SELECT * FROM users WHERE name = ?', name);
  return found && toUser(found);
}

export const passwordHash = (db: Db, name: string): string | null =>
  row<{ password_hash: string | null }>(db, 'SELECT password_hash FROM users WHERE name = ?', name)?.password_hash ??
  null;

/** Makes or changes a user; what is left out stays as it is. */
export function saveUser(
  db: Db,
  user: {
    name: string;
    email?: string | null | undefined;
    admin?: boolean | undefined;
    passwordHash?: string | null | undefined;
  },
  now: number,
): User {
  change(db, 'INSERT INTO users (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING', user.name, now);
  if (user.email !== undefined) change(db, 'UPDATE users SET email = ? WHERE name = ?', user.email, user.name);
  if (user.admin !== undefined) change(db, 'UPDATE users SET admin = ? WHERE name = ?', Number(user.admin), user.name);
  if (user.passwordHash !== undefined) {
    change(db, 'UPDATE users SET password_hash = ? WHERE name = ?', user.passwordHash, user.name);
  }
  return userByName(db, user.name) as User;
}

export const deleteUser = (db: Db, id: number): void => void change(db, 'DELETE FROM users WHERE id = ?', id);

/** Environments that name a user as approver, as sentences: whoever got the name next would inherit the right. */
export const holdersOfUser = (db: Db, name: string): string[] =>
  rows<{ project: string; environment: string }>(
    db,
    `SELECT p.slug AS project, e.name AS environment FROM environments AS e JOIN projects AS p ON p.id = e.project_id
     WHERE EXISTS (SELECT 1 FROM json_each(e.config_json, '$.approvals.users') WHERE value = ?) ORDER BY p.slug, e.name`,
    name,
  ).map(({ project, environment }) => `they are an approver of ${environment} in project ${project}`);

export const countAdmins = (db: Db): number =>
  row<{ n: number }>(db, 'SELECT count(*) AS n FROM users WHERE admin = 1')?.n ?? 0;

/** Mail addresses of a project's members with one of these roles. */
export const memberAddresses = (db: Db, projectId: number, roles: readonly Role[]): { name: string; email: string }[] =>
  rows(
    db,
    `SELECT u.name, u.email FROM members AS m JOIN users AS u ON u.id = m.user_id
     WHERE m.project_id = ? AND u.email IS NOT NULL AND m.role IN (SELECT value FROM json_each(?)) ORDER BY u.name`,
    projectId,
    JSON.stringify(roles),
  );

// ---- sessions ----------------------------------------------------------------------------------------------------------

export function insertSession(db: Db, session: { hash: string; userId: number; expiresAt: number }, now: number): void {
  change(db, 'DELETE FROM sessions WHERE expires_at <= ?', now);
  change(db, 'INSERT INTO sessions VALUES (?, ?, ?, ?)', session.hash, session.userId, now, session.expiresAt);
}

export function userOfSession(db: Db, hash: string, now: number): { user: User; expiresAt: number } | undefined {
  const found = row<UserRow & { expires_at: number }>(
    db,
    'SELECT u.*, s.expires_at FROM sessions AS s JOIN users AS u ON u.id = s.user_id WHERE s.hash = ? AND s.expires_at > ?',
    hash,
    now,
  );
  return found && { user: toUser(found), expiresAt: found.expires_at };
}

export const extendSession = (db: Db, hash: string, expiresAt: number): void =>
  void change(db, 'UPDATE sessions SET expires_at = ? WHERE hash = ?', expiresAt, hash);
export const deleteSession = (db: Db, hash: string): void =>
  void change(db, 'DELETE FROM sessions WHERE hash = ?', hash);
export const deleteSessionsOf = (db: Db, userId: number, except: string | null): void =>
  void change(db, 'DELETE FROM sessions WHERE user_id = ? AND hash IS NOT ?', userId, except);

// ---- tokens ------------------------------------------------------------------------------------------------------------

export type Scope = 'read' | 'write';

export interface Token {
  id: number;
  userId: number;
  name: string;
  scopes: Scope[];
  createdAt: number;
  expiresAt: number | null;
  lastUsedAt: number | null;
}

interface TokenRow {
  id: number;
  user_id: number;
  name: string;
  scopes_json: string;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
}

const toToken = (t: TokenRow): Token => ({
  id: t.id,
  userId: t.user_id,
  name: t.name,
  scopes: JSON.parse(t.scopes_json),
  createdAt: t.created_at,
  expiresAt: t.expires_at,
  lastUsedAt: t.last_used_at,
});

export function insertToken(
  db: Db,
  token: { userId: number; name: string; hash: string; scopes: Scope[]; expiresAt: number | null },
  now: number,
): Token {
  const inserted = row<TokenRow>(
    db,
    'INSERT INTO tokens (user_id, name, hash, scopes_json, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING *',
    token.userId,
    token.name,
    token.hash,
    JSON.stringify(token.scopes),
    now,
    token.expiresAt,
  );
  return toToken(inserted as TokenRow);
}

export const tokensOf = (db: Db, userId: number): Token[] =>
  rows<TokenRow>(db, 'SELECT * FROM tokens WHERE user_id = ? ORDER BY id', userId).map(toToken);

/** Expired ones too: the caller says so. */
export function tokenByHash(db: Db, hash: string): { user: User; token: Token } | undefined {
  const found = row<TokenRow>(db, 'SELECT * FROM tokens WHERE hash = ?', hash);
  const user = found && row<UserRow>(db, 'SELECT * FROM users WHERE id = ?', found.user_id);
  return user && { user: toUser(user), token: toToken(found) };
}

export const touchToken = (db: Db, id: number, now: number): void =>
  void change(db, 'UPDATE tokens SET last_used_at = ? WHERE id = ?', now, id);
/** Whether there was one. */
export const deleteToken = (db: Db, userId: number, id: number): boolean =>
  change(db, 'DELETE FROM tokens WHERE user_id = ? AND id = ?', userId, id).changes > 0;
export const deleteTokensNamed = (db: Db, userId: number, name: string): void =>
  void change(db, 'DELETE FROM tokens WHERE user_id = ? AND name = ?', userId, name);
