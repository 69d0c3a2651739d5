import Database from 'better-sqlite3';

/** A connection that nobody refers to is closed by the garbage collector, and its lock with it. */
const held = new Set<Database.Database>();

/**
 * Holds a data folder for one writer, for as long as the process lives: an exclusive SQLite transaction on a file of
 * its own, which the kernel releases even after SIGKILL. The file must not be opened in any other way in this
 * process: closing it there would drop the lock (fcntl(2), advisory locks).
 * @returns how to release it, or null when another process holds it
 */
export function lockData(file: string): (() => void) | null {
  const db = new Database(file);
  db.pragma('busy_timeout = 0');
  try {
    db.exec('BEGIN EXCLUSIVE');
    held.add(db);
    return () => {
      held.delete(db);
      db.close();
    };
  } catch (error) {
    db.close();
    if ((error as { code?: string }).code === 'SQLITE_BUSY') return null;
    throw error;
  }
}
