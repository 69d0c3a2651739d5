import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { WarmbootError } from '../core/errors.ts';

export type Db = Database.Database;

/**
 * Opens the database file (or `:memory:`) and brings its schema up to the newest migration.
 * @throws WarmbootError when a newer Warmboot wrote it
 */
export function openDatabase(file: string, migrationsDir: string, logInto: (line: string) => void): Db {
  const db = new Database(file);
  try {
    // Readers and the one writer do not wait for each other.
    db.pragma('journal_mode = WAL');
    // Each commit is synced: WAL with NORMAL would lose the last ones in a power cut. A running server syncs by itself (`journal.ts`).
    db.pragma('synchronous = FULL');
    db.pragma('foreign_keys = ON');
    // Another process (a backup, sqlite3 at the shell) may hold the file for a moment.
    db.pragma('busy_timeout = 5000');
    migrate(db, migrationsDir, logInto);
  } catch (error) {
    db.close();
    throw error;
  }
  return db;
}

/** The number of the newest migration in it. */
export function schemaOf(db: Db): number {
  return Number(db.pragma('user_version', { simple: true }));
}

/** Applies the numbered files that are still missing, each in a transaction of its own with its number. */
function migrate(db: Db, dir: string, logInto: (line: string) => void): void {
  const files = migrationsIn(dir);
  const newest = newestSchema(dir);
  const current = schemaOf(db);
  if (current > newest)
    throw new WarmbootError(
      'unavailable',
      `The database has schema ${current}, this program knows ${newest}: it was written by a newer Warmboot. Start that version, or restore a backup.`,
    );
  for (const name of files.filter((file) => Number(file.slice(0, 4)) > current)) {
    const sql = readFileSync(path.join(dir, name), 'utf8');
    db.transaction(() => {
      db.exec(sql);
      db.pragma(`user_version = ${Number(name.slice(0, 4))}`);
    }).immediate();
    logInto(name);
  }
}

function migrationsIn(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort();
}

/** The schema that this program writes. */
export function newestSchema(migrationsDir: string): number {
  return Number(migrationsIn(migrationsDir).at(-1)?.slice(0, 4) ?? 0);
}

/**
 * Whether a file is a sound database of that schema.
 * @returns what is wrong with it, or null
 */
export function checkDatabase(file: string, schema: number): string | null {
  try {
    const db = new Database(file, { readonly: true });
    try {
      const found = db.pragma('integrity_check(1)', { simple: true });
      if (found !== 'ok') return `its database is damaged (${found})`;
      if ((db.pragma('foreign_key_check') as unknown[]).length > 0) return 'its database contradicts itself';
      const version = Number(db.pragma('user_version', { simple: true }));
      return version === schema ? null : `its database has schema ${version}, and it says ${schema}`;
    } finally {
      db.close();
    }
  } catch (error) {
    return `its database cannot be read (${(error as Error).message})`;
  }
}

/** Makes a database one file, with nothing left in a log beside it. */
export function standAlone(db: Db): void {
  db.pragma('journal_mode = DELETE');
}
