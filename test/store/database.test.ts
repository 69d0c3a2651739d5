import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WarmbootError } from '../../server/core/errors.ts';
import { openDatabase } from '../../server/store/database.ts';
import { MIGRATIONS } from '../fixtures/running-server.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-migrations-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const files = readdirSync(MIGRATIONS).sort();
const open = (folder = dir, logInto: (line: string) => void = () => {}) =>
  openDatabase(join(dir, 'x.db'), folder, logInto);

test('from nothing every migration is applied once, in order', () => {
  const applied: string[] = [];
  open(MIGRATIONS, (line) => applied.push(line)).close();
  expect(applied).toEqual(files);
  const again = open(MIGRATIONS, (line) => applied.push(line));
  expect(applied).toEqual(files);
  expect(again.pragma('user_version', { simple: true })).toBe(Number(files.at(-1)?.slice(0, 4)));
  expect(again.pragma('foreign_keys', { simple: true })).toBe(1);
  expect(again.pragma('integrity_check', { simple: true })).toBe('ok');
  again.close();
});

test('a migration that fails leaves nothing of itself', () => {
  for (const file of files) copyFileSync(join(MIGRATIONS, file), join(dir, file));
  writeFileSync(join(dir, '9000-broken.sql'), 'CREATE TABLE half (x); CREATE TABL oops;');
  expect(() => open()).toThrow(/syntax error/);
  rmSync(join(dir, '9000-broken.sql'));
  const db = open();
  expect(db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'half'").get()).toBeUndefined();
  db.close();
});

test('a database of before is brought up with its hosts; images without chunk rows go', () => {
  copyFileSync(join(MIGRATIONS, files[0] ?? ''), join(dir, files[0] ?? ''));
  const old = open();
  old.exec(`
    INSERT INTO packs VALUES ('p', 10, 1);
    INSERT INTO chunks VALUES (randomblob(32), 'p', 0, 10, 20);
    INSERT INTO images VALUES ('sha256:a', 'os', 1, 10, 'x');
    INSERT INTO tags VALUES ('one', 'latest', 'sha256:a', 1);
    INSERT INTO builds VALUES ('z', 'x', 'latest', 'failed', NULL, 'no', 1, 2), ('a', 'x', 'latest', 'running', NULL, NULL, 3, NULL);
    INSERT INTO hosts VALUES ('h', 'approved', 'one', 'sha256:a', 'two-slots', 'smallest', '{}', 0, '', 'kexec', NULL, NULL, 0, 1, 1);
  `);
  old.close();
  const db = open(MIGRATIONS);
  const count = (table: string) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
  expect(['hosts', 'images', 'tags', 'chunks', 'packs'].map(count)).toEqual([1, 0, 0, 0, 0]);
  expect(db.prepare('SELECT id, status FROM builds ORDER BY rowid').raw().all()).toEqual([
    ['z', 'failed'],
    ['a', 'running'],
  ]);
  expect(db.pragma('foreign_key_check')).toEqual([]);
  db.close();
});

test('hosts of before discovery are as they were; what the new columns may hold is held', () => {
  for (const file of files.slice(0, 2)) copyFileSync(join(MIGRATIONS, file), join(dir, file));
  const old = open();
  const insert =
    "INSERT INTO hosts VALUES (?, ?, NULL, NULL, 'two-slots', 'smallest', '{}', 0, '', 'kexec', NULL, NULL, 0, 1, 1)";
  old.prepare(insert).run('h', 'approved');
  old.prepare(insert).run('d', 'discovered');
  old.exec("INSERT INTO host_macs VALUES ('52:54:00:00:00:01', 'h', 0)");
  old.close();
  const db = open(MIGRATIONS);
  expect(
    db.prepare('SELECT id, status, ignored, by_hand, forget_at FROM hosts ORDER BY id').raw().all(),
  ).toEqual([
    ['d', 'discovered', 0, 0, null],
    ['h', 'approved', 0, 0, null],
  ]);
  expect(db.prepare('SELECT count(*) FROM host_macs').pluck().get()).toBe(1);
  for (const wrong of ['ignored = 1', 'ignored = 2', 'forget_at = 5', 'by_hand = 2'])
    expect(() => db.exec(`UPDATE hosts SET ${wrong} WHERE id = 'h'`), wrong).toThrow(/CHECK/);
  db.exec("UPDATE hosts SET ignored = 1, forget_at = 5 WHERE id = 'd'");
  expect(() => db.exec("INSERT INTO inventories VALUES ('h', 'no json', 'a', 1, NULL)")).toThrow(
    /CHECK|malformed JSON/,
  );
  expect(() => db.exec("INSERT INTO inventories VALUES ('x', '{}', 'a', 1, NULL)")).toThrow(/FOREIGN KEY/);
  expect(() => db.exec("INSERT INTO discovery_policy VALUES (2, 1, '{}')")).toThrow(/CHECK/);
  const plan = db.prepare('EXPLAIN QUERY PLAN SELECT id FROM hosts WHERE forget_at <= 5').all();
  expect(JSON.stringify(plan)).toContain('hosts_by_forget');
  db.close();
});

test('the schema of a newer program is refused, with what to do', () => {
  open(MIGRATIONS).pragma('user_version = 9999');
  expect(() => open(MIGRATIONS)).toThrow(WarmbootError);
  expect(() => open(MIGRATIONS)).toThrow(/newer Warmboot.*restore a backup/);
});
