import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Db } from '../../server/store/database.ts';
import { type Journal, journalOf } from '../../server/store/journal.ts';

/** Descriptors of what was synced, in order, each with what it says of the disk. */
let synced: string[] = [];
let answer: () => Promise<void> = async () => {};
let folder = '';
let file = '';
let db: Db;
let journal: Journal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-journal-'));
  file = join(folder, 'x.db');
  db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE pages (n INTEGER PRIMARY KEY, content BLOB) STRICT');
  synced = [];
  answer = async () => {};
  const inodes = new Map(
    [file, `${file}-wal`].map((name) => [statSync(name).ino, name.slice(folder.length + 1)]),
  );
  const syncFile = (descriptor: number) => {
    synced.push(inodes.get(statSync(`/proc/self/fd/${descriptor}`).ino) ?? 'another file');
    return answer();
  };
  journal = journalOf(db, { syncFile });
});
afterEach(() => {
  journal.close();
  rmSync(folder, { recursive: true });
});

const log = () => readFileSync(`${file}-wal`);
/** Of the header: another one marks a log that has begun anew (sqlite.org/fileformat2.html, 4.1). */
const salt = () => log().readBigUInt64BE(16);

/** Fills so many pages of the log. */
function write(pages: number): void {
  const put = db.prepare('INSERT INTO pages (content) VALUES (zeroblob(3000))');
  db.transaction(() => {
    for (let i = 0; i < pages; i += 1) put.run();
  })();
}

/** What would be there after a power cut that loses nothing: the files as they are, read by another process's eyes. */
function pagesIn(name: string): number {
  const copy = new Database(name, { readonly: true });
  try {
    return copy.prepare('SELECT count(*) FROM pages').pluck().get() as number;
  } finally {
    copy.close();
  }
}

test('a commit is synced when it is asked for, not by SQLite, and only the log is', async () => {
  expect(db.pragma('synchronous', { simple: true })).toBe(1);
  write(10);
  expect(synced).toEqual([]);
  await journal.sync();
  expect(synced).toEqual(['x.db-wal']);
});

test('a log that is short stays as it is', async () => {
  write(100);
  await journal.sync();
  await journal.shorten();
  expect(synced).toEqual(['x.db-wal']);
});

test('a long one is copied, the database is synced, and then the log begins anew instead of growing', async () => {
  write(5_000);
  const [before, began] = [log().length, salt()];
  await journal.sync();
  await journal.shorten();
  expect(synced).toEqual(['x.db-wal', 'x.db']);
  expect(statSync(file).size).toBeGreaterThan(5_000 * 3_000);
  // It is the next writer that begins it anew.
  expect(salt()).toBe(began);
  for (let i = 0; i < 4; i += 1) {
    write(5_000);
    await journal.sync();
    await journal.shorten();
  }
  expect(salt()).not.toBe(began);
  expect(log().length).toBeLessThan(1.2 * before);
  expect(db.pragma('synchronous', { simple: true })).toBe(1);
  expect(pagesIn(file)).toBe(25_000);
});

test('what a reader holds is kept, and copied when it has gone', async () => {
  const reader = new Database(file, { readonly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM pages').get();
  write(5_000);
  await journal.sync();
  await journal.shorten();
  synced = [];
  // Nothing more can be copied: there is nothing to sync.
  await journal.shorten();
  expect(synced).toEqual([]);
  expect(reader.prepare('SELECT count(*) FROM pages').pluck().get()).toBe(0);
  reader.exec('COMMIT');
  reader.close();
  write(1);
  await journal.sync();
  await journal.shorten();
  expect(statSync(file).size).toBeGreaterThan(5_000 * 3_000);
});

test('what the disk says is said to who waits', async () => {
  write(5_000);
  answer = () => Promise.reject(new Error('EIO: i/o error, fdatasync'));
  await expect(journal.sync()).rejects.toThrow('EIO');
  await expect(journal.shorten()).rejects.toThrow('EIO');
});

test('closed in the middle of a sync it ends by itself', async () => {
  write(10);
  let done = () => {};
  answer = () =>
    new Promise((resolve) => {
      done = resolve;
    });
  const sync = journal.sync();
  journal.close();
  done();
  await sync;
  expect(pagesIn(file)).toBe(10);
  await expect(journal.shorten()).resolves.toBeUndefined();
});

test.each(['in the middle of the sync', 'after a failed sync'])(
  'closed %s of the database it leaves the log, which is all that the disk has for certain',
  async (when) => {
    write(5_000);
    await journal.sync();
    let fail = (_: Error) => {};
    answer = () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    const shortened = journal.shorten().catch(({ message }: Error) => message);
    await expect.poll(() => synced.length).toBe(2);
    if (when === 'after a failed sync') {
      fail(new Error('EIO'));
      expect(await shortened).toBe('EIO');
    }
    journal.close();
    fail(new Error('EIO'));
    await shortened;
    expect(log().length).toBeGreaterThan(5_000 * 3_000);
    expect(pagesIn(file)).toBe(5_000);
  },
);

test('closed after a failed sync of the log it leaves the log: nobody knows what of it can be read back', async () => {
  write(10);
  answer = () => Promise.reject(new Error('EIO'));
  await expect(journal.sync()).rejects.toThrow('EIO');
  journal.close();
  expect(log().length).toBeGreaterThan(10 * 3_000);
});

test('closed in time it leaves no log, and no descriptor', async () => {
  const open = () => readdirSync('/proc/self/fd').length;
  journal.close();
  expect(existsSync(`${file}-wal`)).toBe(false);
  const before = open();
  for (let i = 0; i < 20; i += 1) {
    const again = new Database(file);
    again.pragma('journal_mode = WAL');
    const other = journalOf(again);
    await other.sync();
    other.close();
  }
  expect(open()).toBe(before);
});

test('a database in memory has no disk', async () => {
  const memory = journalOf(new Database(':memory:'), {
    syncFile: () => Promise.reject(new Error('there is none')),
  });
  await memory.sync();
  await memory.shorten();
  memory.close();
});
