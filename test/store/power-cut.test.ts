import { copyFileSync, mkdirSync, mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, test } from 'vitest';
import { CommitGroup } from '../../server/store/commit-group.ts';
import { journalOf } from '../../server/store/journal.ts';

/**
 * A power cut keeps of each file what was synced last, and of what was written since as much as it likes. Tried here at each sync, before and after:
 * for the database and for its log, all of it or nothing. Whatever comes together, the database is sound, and has all that was answered.
 */
test('whatever a power cut takes of what was not synced, all that was answered is there', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-power-cut-'));
  const file = join(folder, 'x.db');
  const db = new Database(file);
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE answers (n INTEGER PRIMARY KEY, content BLOB) STRICT');
  const log = `${file}-wal`;
  /** As the disk holds them for certain. */
  const kept = (path: string) => `${path}.kept`;
  const keep = (path: string) => copyFileSync(path, kept(path));
  let answered = 0;
  let cuts = 0;
  const seen = new Set<string>();

  function cutPower(when: string): void {
    for (const [database, written] of [
      [file, log],
      [kept(file), log],
      [file, kept(log)],
      [kept(file), kept(log)],
    ] as const) {
      const place = join(folder, `cut-${cuts++}`);
      mkdirSync(place);
      copyFileSync(database, join(place, 'x.db'));
      copyFileSync(written, join(place, 'x.db-wal'));
      const found = new Database(join(place, 'x.db'));
      expect(found.pragma('integrity_check', { simple: true }), when).toBe('ok');
      const rows = found.prepare('SELECT count(*) FROM answers WHERE n <= ?').pluck().get(answered);
      expect(rows, `${when}, ${database} with ${written}`).toBe(answered);
      found.close();
      rmSync(place, { recursive: true });
    }
    seen.add(when);
  }

  const journal = journalOf(db, {
    longPages: 40,
    async syncFile(descriptor) {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`);
      const which = path === log ? 'the log' : 'the database';
      cutPower(`before a sync of ${which}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
      keep(path);
      cutPower(`after a sync of ${which}`);
    },
  });
  // What was there when it was opened is on the disk.
  for (const path of [file, log]) keep(path);
  const group = new CommitGroup(db, journal);
  const put = db.prepare('INSERT INTO answers (n, content) VALUES (?, zeroblob(?))');
  let next = 0;
  for (let round = 0; round < 60; round += 1) {
    const calls = Array.from({ length: 1 + (round % 4) }, () => {
      next += 1;
      const n = next;
      return group.run(() => put.run(n, 500 + ((n * 7_919) % 9_000)));
    });
    await Promise.all(calls);
    answered = next;
    cutPower('between');
  }
  expect([...seen].toSorted()).toEqual([
    'after a sync of the database',
    'after a sync of the log',
    'before a sync of the database',
    'before a sync of the log',
    'between',
  ]);
  journal.close();
  rmSync(folder, { recursive: true });
});
