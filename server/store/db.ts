/** Opens the database: WAL, `synchronous=FULL`, numbered forward-only migrations, one writer at a time. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { AppError } from '../../pipelines/errors.ts';

export type Db = Database.Database;

const MIGRATIONS = path.join(path.dirname(fileURLToPath(import.meta.url)), 'migrations');

interface Migration {
  version: number;
  sql: string;
}

export function migrations(folder = MIGRATIONS): Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{3}_.*\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 3)), sql: readFileSync(path.join(folder, name), 'utf8') }));
}

export function openDb(file: string): Db {
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.pragma('foreign_keys = ON');
  db.pragma('busy_timeout = 5000');
  migrate(db, migrations());
  return db;
}

/** Each migration is one transaction with its version number: killed half-way, the database is old or new, never between. */
export function migrate(db: Db, all: Migration[]): void {
  const known = all.at(-1)?.version ?? 0;
  const at = db.pragma('user_version', { simple: true }) as number;
  if (at > known) {
    throw new AppError(
      'conflict',
      `the database is of version ${at}, this Slipway knows ${known}: start the newer Slipway, or restore a backup`,
    );
  }
  for (const { version, sql } of all.filter((migration) => migration.version > at)) {
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${version}`);
    }).immediate();
  }
}

/** Runs `work` in one `BEGIN IMMEDIATE` transaction; nested calls join the outer one. Must stay synchronous. */
export function transact<T>(db: Db, work: () => T): T {
  return db.inTransaction ? work() : db.transaction(work).immediate();
}

const statements = new WeakMap<Db, Map<string, Database.Statement>>();

/** A prepared statement, prepared once a database. */
export function sql(db: Db, text: string): Database.Statement {
  const cache = statements.get(db) ?? new Map<string, Database.Statement>();
  statements.set(db, cache);
  const statement = cache.get(text) ?? db.prepare(text);
  cache.set(text, statement);
  return statement;
}

export const row = <T>(db: Db, text: string, ...params: unknown[]): T | undefined =>
  sql(db, text).get(...params) as T | undefined;
export const rows = <T>(db: Db, text: string, ...params: unknown[]): T[] => sql(db, text).all(...params) as T[];
export const change = (db: Db, text: string, ...params: unknown[]): Database.RunResult => sql(db, text).run(...params);
