import { closeSync, fdatasync, fdatasyncSync, openSync } from 'node:fs';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import type { Db } from './database.ts';

/** Pages in the log, of 4 KiB, from which on it is copied into the database: what is written often is then copied once. */
const LONG_PAGES = 4_000;

/**
 * Brings what was committed to the disk without holding the event loop. SQLite would sync within its COMMIT, and this process would
 * answer nobody for as long as the disk takes. The order of the syncs is SQLite's own (sqlite.org/walformat.html, "Checkpoints"; sqlite.org/wal.html,
 * "Performance Considerations"): the log before anybody is answered, and before pages are copied out of it; the database before the log
 * begins anew. The new log's header is synced by SQLite, within the commit that begins it.
 */
export type Journal = {
  /** Resolves when what was committed before the call outlives a power cut. @throws what the disk said */
  sync(): Promise<void>;
  /**
   * Copies a log that has become long into the database. To be called after a sync; until it resolves nothing may be written.
   * @throws what the disk said to the sync of the database: the log must not begin anew
   */
  shorten(): Promise<void>;
  /** Closes the database too. Its log stays beside it where nobody knows that the disk has all of what was copied out of it. */
  close(): void;
};

export type JournalParts = {
  /** Resolves when the disk has what was written to that descriptor. */
  readonly syncFile?: (descriptor: number) => Promise<void>;
  readonly longPages?: number;
};

/** Of an open database, whose syncs it takes over. */
export function journalOf(
  db: Db,
  { syncFile = promisify(fdatasync), longPages = LONG_PAGES }: JournalParts = {},
): Journal {
  const close = () => void db.close();
  if (db.memory) return { sync: async () => {}, shorten: async () => {}, close };
  // As FULL would be, but for the sync of the log at each commit, which is `sync` here; SQLite copies nothing by itself.
  db.pragma('synchronous = NORMAL');
  db.pragma('wal_autocheckpoint = 0');
  // SQLite makes the log with the first transaction, and keeps it as long as the database is open.
  db.exec('BEGIN IMMEDIATE; COMMIT');
  const log = openSync(`${db.name}-wal`, 'r');
  // Closing any descriptor of the database ends this process's locks on it (fcntl(2)): this one is closed after the database.
  const database = openSync(db.name, 'r');
  // A server that was killed here may have left pages copied and not synced, and a reader that outlives it the word that they are.
  fdatasyncSync(database);
  let inFlight = 0;
  let isClosed = false;
  /** Else the log is the only copy of some pages that can be relied on. */
  let isCopied = true;
  let hasFailed = false;

  async function synced(file: number): Promise<void> {
    inFlight += 1;
    try {
      await syncFile(file);
    } catch (error) {
      hasFailed = true;
      throw error;
    } finally {
      inFlight -= 1;
      closeFiles();
    }
  }

  function closeFiles(): void {
    if (!isClosed || inFlight > 0) return;
    closeSync(log);
    closeSync(database);
  }

  return {
    sync: () => synced(log),
    async shorten() {
      if (isClosed) return;
      const before = logState();
      if (before.log - before.checkpointed < longPages) return;
      isCopied = false;
      // A reader of an old state, such as a backup, keeps the rest from being copied now: each commit comes here until it has ended.
      if (copyWithoutSync() && logState().checkpointed > before.checkpointed) await synced(database);
      isCopied = true;
    },
    close() {
      if (isClosed) return;
      if (isCopied && !hasFailed) db.close();
      else closeWithLog(db);
      isClosed = true;
      closeFiles();
    },
  };

  /** @returns false when there was no room for it: the log grows, and it is tried again after the next commit */
  function copyWithoutSync(): boolean {
    // The log is synced, and the database will be.
    db.pragma('synchronous = OFF');
    try {
      db.pragma('wal_checkpoint(PASSIVE)');
      return true;
    } catch {
      return false;
    } finally {
      db.pragma('synchronous = NORMAL');
    }
  }

  /** In pages. */
  function logState(): { readonly log: number; readonly checkpointed: number } {
    const [state] = db.pragma('wal_checkpoint(NOOP)') as { log: number; checkpointed: number }[];
    return state ?? { log: 0, checkpointed: 0 };
  }
}

/**
 * SQLite removes the log when the last connection closes, and takes what was copied for synced. One that may only read cannot remove it; the
 * next start reads all of it anew.
 */
function closeWithLog(db: Db): void {
  const last = new Database(db.name, { readonly: true });
  try {
    last.prepare('SELECT count(*) FROM sqlite_master').get();
    db.close();
  } finally {
    last.close();
  }
}
