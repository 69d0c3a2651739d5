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
    // What was answered with 2xx is still there after a power cut; WAL with NORMAL would lose the last commits.
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

/** Applies the numbered files that are still missing, each in a transaction of its own with its number. */
function migrate(db: Db, dir: string, logInto: (line: string) => void): void {
  const files = readdirSync(dir)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort();
  const newest = Number(files.at(-1)?.slice(0, 4) ?? 0);
  const current = Number(db.pragma('user_version', { simple: true }));
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
