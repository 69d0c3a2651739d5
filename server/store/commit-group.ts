import { WarmbootError } from '../core/errors.ts';
import type { Db } from './database.ts';
import type { Journal } from './journal.ts';

/** Told of each transaction: how many calls shared it, and how long it took with its sync. */
export type OnCommit = (calls: number, seconds: number, isOk: boolean) => void;

export type CommitHooks = {
  /** What was written is in the database, or is not there any more; the disk has not said yet that it holds it. */
  readonly onEnd?: (isOk: boolean) => void;
  readonly onCommit?: OnCommit;
  /** Asked at each call for what else it writes, if it writes anything. */
  readonly marks?: () => (() => void) | null;
  /** Told when what one call has written is not there any more. */
  readonly onUndone?: () => void;
};

type Waiting = { readonly run: () => () => void; readonly reject: (error: unknown) => void };

/** How many calls share one commit at most: the event loop must not be held for long. */
const GROUP_SIZE = 256;

/**
 * Lets concurrent writers share a transaction and its sync: all that come while the disk is busy with one are the next (10,000 single
 * commits take 2 s, grouped 0.1 s). Each call runs in a savepoint and is undone alone; nobody is answered before the sync.
 */
export class CommitGroup {
  readonly #db: Db;
  readonly #journal: Journal;
  readonly #hooks: CommitHooks;
  #waiting: Waiting[] = [];
  #isBusy = false;
  #syncing: Promise<void> | null = null;
  #broken: WarmbootError | null = null;

  constructor(db: Db, journal: Journal, hooks: CommitHooks = {}) {
    this.#db = db;
    this.#journal = journal;
    this.#hooks = hooks;
  }

  /**
   * Runs `work` in the next group. Rejects with what it threw, or with what made the whole group fail. After a sync that failed all do:
   * the system may have given up what it could not write, and says so once (fsync(2), "NOTES"); the next start reads what is there.
   */
  run<T>(work: () => T): Promise<T> {
    if (this.#broken !== null) return Promise.reject(this.#broken);
    const mark = this.#hooks.marks?.() ?? null;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        run: () => {
          const value = mark ? this.#marked(work, mark) : work();
          return () => resolve(value);
        },
        reject,
      });
      this.#begin();
    });
  }

  /** Null when all that can be read is on the disk; else when it will be. Never rejects. */
  settled(): Promise<void> | null {
    return this.#syncing;
  }

  #marked<T>(work: () => T, mark: () => void): T {
    const changes = () => this.#db.prepare('SELECT total_changes()').pluck().get();
    const before = changes();
    const value = work();
    if (changes() !== before) mark();
    return value;
  }

  #begin(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    this.#isBusy = true;
    setImmediate(async () => {
      await this.#flush();
      this.#isBusy = false;
      this.#begin();
    });
  }

  async #flush(): Promise<void> {
    const group = this.#waiting.splice(0, GROUP_SIZE);
    const began = performance.now();
    const failed = (error: unknown) => {
      for (const { reject } of group) reject(error);
      this.#hooks.onCommit?.(group.length, (performance.now() - began) / 1000, false);
    };
    if (this.#broken !== null) return failed(this.#broken);
    let settle: (() => void)[];
    try {
      settle = this.#commit(group);
    } catch (error) {
      return failed(error);
    }
    try {
      await this.#synced();
    } catch (error) {
      this.#broken = notSynced(error);
      return failed(this.#broken);
    }
    this.#hooks.onCommit?.(group.length, (performance.now() - began) / 1000, true);
    for (const each of settle) each();
    // What these have written is on the disk, whatever comes of it.
    await this.#journal.shorten().catch((error: unknown) => {
      this.#broken = notSynced(error);
    });
  }

  /** @returns what tells each of its end */
  #commit(group: readonly Waiting[]): (() => void)[] {
    const settle: (() => void)[] = [];
    try {
      this.#db.exec('BEGIN IMMEDIATE');
      for (const call of group) settle.push(this.#inSavepoint(call));
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      this.#hooks.onEnd?.(false);
      throw error;
    }
    this.#hooks.onEnd?.(true);
    return settle;
  }

  async #synced(): Promise<void> {
    const sync = this.#journal.sync().finally(() => {
      this.#syncing = null;
    });
    this.#syncing = sync.catch(() => undefined);
    await sync;
  }

  #inSavepoint({ run, reject }: Waiting): () => void {
    this.#db.exec('SAVEPOINT call');
    try {
      const resolve = run();
      this.#db.exec('RELEASE call');
      return resolve;
    } catch (error) {
      // A full disk or an I/O error ends the whole transaction (sqlite.org/lang_transaction.html, "Response To Errors").
      if (!this.#db.inTransaction) throw error;
      this.#db.exec('ROLLBACK TO call');
      this.#db.exec('RELEASE call');
      this.#hooks.onUndone?.();
      return () => reject(error);
    }
  }
}

function notSynced(error: unknown): WarmbootError {
  const { message } = error as Error;
  return new WarmbootError(
    'unavailable',
    `The disk of the data folder failed to keep what was written (${message}): nothing is written any more. Look at it and at the kernel's log (dmesg), then start the server again.`,
  );
}
