import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { migrate, migrations, openDb } from '../../server/store/db.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'slipway-migrations-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A database as the first version of Slipway left it. */
function firstVersion(file: string): void {
  const db = new Database(file);
  migrate(db, migrations().slice(0, 1));
  db.prepare("INSERT INTO meta (key, value) VALUES ('instance', 'kept')").run();
  db.close();
}

describe('migrations', () => {
  test('are numbered without a gap', () => {
    expect(migrations().map(({ version }) => version)).toEqual(migrations().map((_, index) => index + 1));
  });

  test('bring a database of the first version up to date, with what is in it', () => {
    const file = path.join(folder, 'slipway.db');
    firstVersion(file);
    const db = openDb(file);
    expect(db.pragma('user_version', { simple: true })).toBe(migrations().length);
    expect(db.prepare("SELECT value FROM meta WHERE key = 'instance'").get()).toEqual({ value: 'kept' });
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    const names = 'SELECT name FROM sqlite_schema ORDER BY name';
    expect(db.prepare(names).all()).toEqual(openDb(path.join(folder, 'new.db')).prepare(names).all());
    db.close();
  });

  test('one that fails leaves the version before it, whole', () => {
    const file = path.join(folder, 'slipway.db');
    firstVersion(file);
    const db = new Database(file);
    const broken = { version: 2, sql: 'CREATE TABLE half (id INTEGER); CREATE TABLE half (id INTEGER);' };
    expect(() => migrate(db, [...migrations().slice(0, 1), broken])).toThrow('already exists');
    expect(db.pragma('user_version', { simple: true })).toBe(1);
    expect(db.prepare("SELECT name FROM sqlite_schema WHERE name = 'half'").get()).toBeUndefined();
    db.close();
  });

  test('a database of a newer Slipway is refused', () => {
    const file = path.join(folder, 'slipway.db');
    openDb(file).pragma('user_version = 999');
    expect(() => openDb(file)).toThrow('start the newer Slipway');
  });
});
