import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { authorise } from '../../server/auth/access.ts';
import { actorOf, type Identity, sha256 } from '../../server/auth/identity.ts';
import { hashPassword, verifyPassword } from '../../server/auth/password.ts';
import { seedAdmin } from '../../server/auth/seed.ts';
import { createVault, secretKey } from '../../server/auth/vault.ts';
import { readConfig } from '../../server/config.ts';
import { type Db, openDb } from '../../server/store/db.ts';
import { projectBySlug, saveProject, setMember } from '../../server/store/projects.ts';
import { saveSecret, secretsForRun } from '../../server/store/secrets.ts';
import { passwordHash, saveUser, tokenByHash, userByName } from '../../server/store/users.ts';

let folder: string;
let db: Db;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'slipway-auth-'));
  db = openDb(path.join(folder, 'slipway.db'));
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const KEY = Buffer.alloc(32, 7);

describe('vault', () => {
  const vault = createVault(KEY);

  test('opens what it sealed, and seals the same text anew each time', () => {
    const sealed = vault.seal('grüße', 'secret:12');
    expect(vault.open(sealed, 'secret:12')).toBe('grüße');
    expect(vault.seal('grüße', 'secret:12')).not.toBe(sealed);
    expect(vault.open(vault.seal('', 'x'), 'x')).toBe('');
  });

  test('stays closed for another place, another key, and after a change', () => {
    const sealed = vault.seal('text', 'secret:12');
    const changed = sealed.slice(0, -2) + (sealed.endsWith('AA') ? 'BB' : 'AA');
    expect(() => vault.open(sealed, 'secret:13')).toThrow(/cannot be opened/);
    expect(() => createVault(Buffer.alloc(32, 8)).open(sealed, 'secret:12')).toThrow(/cannot be opened/);
    expect(() => vault.open(changed, 'secret:12')).toThrow();
    expect(() => vault.open('text', 'secret:12')).toThrow(/not a sealed text/);
  });

  test('the key is taken as hex or base64, derived of anything else, or kept in a file for the owner alone', () => {
    const keyOf = (text: string | null) => secretKey({ secretKey: text, data: folder });
    expect(keyOf(KEY.toString('hex'))).toEqual(KEY);
    expect(keyOf(KEY.toString('base64'))).toEqual(KEY);
    expect(keyOf('correct horse battery')).toEqual(keyOf('correct horse battery'));
    const file = path.join(folder, 'secret.key');
    expect(keyOf(null)).toEqual(keyOf(null));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, 'half a key');
    expect(() => keyOf(null)).toThrow(/64 hexadecimal digits/);
  });
});

test('a password is verified, whatever Unicode form it is typed in; without a hash never', async () => {
  const hash = await hashPassword('caf\u00e9-password');
  expect(await verifyPassword('cafe\u0301-password', hash)).toBe(true);
  expect(await verifyPassword('cafe-password', hash)).toBe(false);
  expect(await verifyPassword('anything', null)).toBe(false);
});

describe('the first administrator', () => {
  const seed = (env: Record<string, string>) => seedAdmin(db, readConfig(env), 0);

  test('gets a one-time password where nothing is set, once', async () => {
    const password = await seed({});
    expect(await verifyPassword(password ?? '', passwordHash(db, 'admin'))).toBe(true);
    expect(await seed({})).toBeNull();
  });

  test('keeps a password that was set later; the token is always the one of the settings', async () => {
    const env = { SLIPWAY_ADMIN_PASSWORD: 'first-password', SLIPWAY_ADMIN_TOKEN: 'first-token-0123456789' };
    expect(await seed(env)).toBeNull();
    const before = passwordHash(db, 'admin');
    await seed({ SLIPWAY_ADMIN_PASSWORD: 'other-password', SLIPWAY_ADMIN_TOKEN: 'other-token-0123456789' });
    expect(passwordHash(db, 'admin')).toBe(before);
    expect(tokenByHash(db, sha256('first-token-0123456789'))).toBeUndefined();
    expect(tokenByHash(db, sha256('other-token-0123456789'))?.user).toMatchObject({ name: 'admin', admin: true });
  });
});

describe('authorise', () => {
  function identityOf(name: string, scopes: Identity['scopes'] = ['read', 'write']): Identity {
    const user = userByName(db, name) ?? saveUser(db, { name }, 0);
    return { user, actor: actorOf(user), scopes, via: { session: 'x' } };
  }
  const closed = readConfig({});
  const demand = { access: { project: 'release-manager' }, scope: 'write' } as const;

  test('says which role is needed and whom to ask', () => {
    const { id } = saveProject(db, 'shop', 'Shop', 0);
    setMember(db, id, identityOf('boss').user.id, 'admin');
    const dev = identityOf('dev');
    setMember(db, id, dev.user.id, 'developer');
    expect(() => authorise(db, closed, demand, dev, { project: 'shop' })).toThrow(
      'this needs the role release-manager in project shop, you are developer: ask boss',
    );
    expect(authorise(db, closed, demand, identityOf('boss'), { project: 'shop' })).toEqual(projectBySlug(db, 'shop'));
  });

  test('a project that one is not in looks like one that is not there', () => {
    saveProject(db, 'shop', 'Shop', 0);
    const messageFor = (project: string) => {
      try {
        authorise(db, closed, demand, identityOf('eve'), { project });
        return 'allowed';
      } catch (error) {
        return String(error).replace(project, '…');
      }
    };
    expect(messageFor('shop')).toBe(messageFor('none'));
  });

  test('anyone may make a project only where that is allowed, and not take one', () => {
    const open = readConfig({ SLIPWAY_ALLOW_CREATE: '1' });
    const create = { access: 'create-project', scope: 'write' } as const;
    expect(() => authorise(db, closed, create, identityOf('eve'), { project: 'new' })).toThrow(/only administrators/);
    expect(authorise(db, open, create, identityOf('eve'), { project: 'new' })).toBeNull();
    saveProject(db, 'shop', 'Shop', 0);
    expect(() => authorise(db, open, create, identityOf('eve'), { project: 'shop' })).toThrow(/taken/);
    expect(() => authorise(db, closed, create, identityOf('eve'), { project: 'shop' })).toThrow(/only administrators/);
  });

  test('a token without the scope is refused first', () => {
    expect(() => authorise(db, closed, { access: 'user', scope: 'write' }, identityOf('eve', ['read']), {})).toThrow(
      /scope "write"/,
    );
  });
});

test('a run gets the secrets of its project, branch and environment, and the environment wins', () => {
  const vault = createVault(KEY);
  const { id: projectId } = saveProject(db, 'shop', 'Shop', 0);
  const { id: otherId } = saveProject(db, 'bank', 'Bank', 0);
  db.prepare(
    "INSERT INTO environments (id, project_id, name, position, config_json, created_at) VALUES (5, ?, 'PRO', 1, '{}', 0)",
  ).run(projectId);
  const save = (
    owner: number,
    environmentId: number | null,
    name: string,
    value: string,
    branches: string[] | null = null,
  ) => saveSecret(db, vault, { projectId: owner, environmentId }, { name, value, branches }, 0);
  save(projectId, null, 'A', 'project a');
  save(projectId, null, 'RELEASE', 'release only', ['release/*']);
  save(projectId, 5, 'A', 'environment a');
  save(otherId, null, 'B', 'of another project');
  const given = (environmentId: number | null, branch: string) =>
    secretsForRun(db, vault, { projectId, environmentId, branch });
  expect(given(null, 'main')).toEqual({ A: 'project a' });
  expect(given(null, 'release/1')).toEqual({ A: 'project a', RELEASE: 'release only' });
  expect(given(5, 'main')).toEqual({ A: 'environment a' });
});
