/** The first administrator. */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config.ts';
import { type Db, transact } from '../store/db.ts';
import { deleteTokensNamed, insertToken, passwordHash, saveUser, userByName, usersAll } from '../store/users.ts';
import { sha256 } from './identity.ts';
import { hashPassword } from './password.ts';

const ADMIN = 'admin';
const TOKEN_NAME = 'SLIPWAY_ADMIN_TOKEN';

/**
 * Makes `admin` with the password and the token of the settings; a password that was set later is kept, the token always is
 * the one of the settings. With neither, and nobody there yet, answers a one-time password to be shown; else null.
 */
export async function seedAdmin(
  db: Db,
  config: Pick<Config, 'adminPassword' | 'adminToken'>,
  now: number,
): Promise<string | null> {
  const { adminPassword, adminToken } = config;
  const generated =
    adminPassword === null && adminToken === null && usersAll(db).length === 0
      ? randomBytes(12).toString('base64url')
      : null;
  const password = adminPassword ?? generated;
  const hash = password !== null && passwordHash(db, ADMIN) === null ? await hashPassword(password) : undefined;
  transact(db, () => {
    if (password !== null || adminToken !== null) saveUser(db, { name: ADMIN, admin: true, passwordHash: hash }, now);
    const admin = userByName(db, ADMIN);
    if (!admin) return;
    deleteTokensNamed(db, admin.id, TOKEN_NAME);
    if (adminToken === null) return;
    insertToken(
      db,
      { userId: admin.id, name: TOKEN_NAME, hash: sha256(adminToken), scopes: ['read', 'write'], expiresAt: null },
      now,
    );
  });
  return generated;
}
