import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { start } from '../../server/app.ts';
import { hostState } from '../../server/core/host-state.ts';
import { openDatabase } from '../../server/store/database.ts';
import { sqliteStore } from '../../server/store/store.ts';
import { runsAll } from '../all.ts';
import { MIGRATIONS } from '../fixtures/running-server.ts';
import { hostsOf } from '../fixtures/stores.ts';

/**
 * Databases as each released schema was written by its own program (`fixtures/databases/schema-N.sql`): hosts that are active,
 * staging, failed, waiting and new, with their attempts, reports and events; images; builds that ended, ran and waited.
 */

const ROOT = join(import.meta.dirname, '../..');
const DUMPS = join(import.meta.dirname, '../fixtures/databases');
const SCHEMAS = readdirSync(DUMPS)
  .map((name) => Number(/^schema-(\d+)\.sql$/.exec(name)?.[1]))
  .sort((a, b) => a - b);
const FILES = readdirSync(MIGRATIONS).sort();
const NEWEST = Number(FILES.at(-1)?.slice(0, 4));
const OPERATIONS = ['hosts', 'host_macs', 'attempts', 'observations', 'reports', 'events', 'builds'];
const DISCOVERY = ['inventories', 'discovery_policy'];
const IMAGES = ['images', 'tags', 'chunks', 'packs', 'set_chunks', 'chunk_sets'];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-released-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

type Row = Readonly<Record<string, unknown>>;

/** Makes the database of a schema. @returns its rows by table */
function made(schema: number, file = join(dir, 'warmboot.db')): ReadonlyMap<string, readonly Row[]> {
  const db = new Database(file);
  db.exec(readFileSync(join(DUMPS, `schema-${schema}.sql`), 'utf8'));
  const rows = rowsOf(db);
  db.close();
  return rows;
}

function rowsOf(db: Database.Database): ReadonlyMap<string, readonly Row[]> {
  const tables = db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .pluck()
    .all() as string[];
  return new Map(tables.map((name) => [name, db.prepare(`SELECT * FROM ${name}`).all() as Row[]]));
}

const migrated = (migrations = MIGRATIONS) =>
  openDatabase(join(dir, 'warmboot.db'), migrations, () => undefined);

function expectSound(db: Database.Database): void {
  expect(db.pragma('user_version', { simple: true })).toBe(NEWEST);
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(db.pragma('foreign_key_check')).toEqual([]);
}

/** What of `row` has a column in `like`, as text: rows are compared in any order, and may get new columns. */
function shared(row: Row, like: Row): string {
  const columns = Object.keys(row).filter((column) => Object.hasOwn(like, column));
  return JSON.stringify(columns.sort().map((column) => [column, row[column]]));
}

describe.each(SCHEMAS)('a database of schema %i', (schema) => {
  test('had rows in every table', () => {
    for (const [table, rows] of made(schema)) expect(rows.length, table).toBeGreaterThan(0);
  });

  test('keeps what operators and hosts said', () => {
    const before = made(schema);
    const db = migrated();
    expectSound(db);
    const after = rowsOf(db);
    // The images of schema 1 had no chunk rows, and are built again.
    for (const table of [...OPERATIONS, ...DISCOVERY, ...(schema > 1 ? IMAGES : [])]) {
      const [old, now] = [before.get(table) ?? [], after.get(table) ?? []];
      if (old.length === 0) continue;
      const [oldLike = {}, nowLike = {}] = [old[0], now[0]];
      expect(now.map((row) => shared(row, oldLike)).sort(), table).toEqual(
        old.map((row) => shared(row, nowLike)).sort(),
      );
    }
    if (schema === 1) for (const table of IMAGES) expect(after.get(table), table).toEqual([]);
    db.close();
  });

  test('is read by this program as it was meant', async () => {
    made(schema);
    const store = sqliteStore(migrated(), () => 0);
    const states = (await hostsOf(store))
      .map((host) => `${host.enrolment.macs[0]} ${hostState(host)}`)
      .sort();
    expect(states.slice(0, 5)).toEqual([
      '52:54:00:00:00:01 active',
      '52:54:00:00:00:02 staging',
      '52:54:00:00:00:03 approved',
      '52:54:00:00:00:04 failed',
      '52:54:00:00:00:05 approved',
    ]);
    if (schema >= 3)
      expect(states.slice(5)).toEqual([
        '52:54:00:00:00:06 discovered',
        '52:54:00:00:00:07 approved',
        '52:54:00:00:00:08 ignored',
      ]);
    const [second] = (await hostsOf(store)).filter(({ attempt }) => attempt?.phase === 'staged');
    expect((await store.attempts(second?.enrolment.id ?? '')).map(({ outcome }) => outcome)).toEqual([
      'succeeded',
      null,
    ]);
    store.close();
  });

  test('is served: builds that ran are interrupted, its hosts are there', async () => {
    made(schema);
    const any = { host: '127.0.0.1', port: 0 };
    const running = await start(
      {
        dataDir: dir,
        imagesDir: join(ROOT, 'images'),
        migrationsDir: MIGRATIONS,
        adminListen: any,
        boot: null,
      },
      pino({ level: 'silent' }),
    );
    const headers = { authorization: `Bearer ${running.newAdminToken}` };
    const asked = async (path: string) => {
      const answer = await fetch(`${running.adminUrl}/api/v1/${path}`, { headers });
      expect(answer.status, path).toBe(200);
      return answer.json() as Promise<Record<string, Row[]>>;
    };
    const { hosts } = await asked('hosts');
    expect(hosts?.length).toBe(schema >= 3 ? 7 : 5);
    const { builds } = await asked('builds');
    expect(builds?.find(({ id }) => id === 'b-running')).toMatchObject({ status: 'interrupted' });
    expect((await asked('events')).events?.length).toBeGreaterThan(40);
    await running.close();
  });
});

test('every schema that was released has its database here', () => {
  expect(SCHEMAS.length).toBeGreaterThanOrEqual(3);
  expect(SCHEMAS).toEqual(SCHEMAS.map((_, index) => index + 1));
});

/** Migrates in a process of its own, one line for each migration that is done. */
function migrating(migrations: string): ChildProcess {
  const program = `
    import { openDatabase } from './server/store/database.ts';
    openDatabase(process.argv[1], process.argv[2], (name) => console.log(name));`;
  const args = ['--input-type=module', '-e', program, join(dir, 'warmboot.db'), migrations];
  return spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** The migrations, with one that does all its work and then does not come to an end, writing. */
function withEndless(name: string): string {
  const folder = join(dir, 'migrations');
  mkdirSync(folder);
  for (const file of FILES) copyFileSync(join(MIGRATIONS, file), join(folder, file));
  const endless = `
    CREATE TABLE endless AS WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n;`;
  writeFileSync(join(folder, name), readFileSync(join(MIGRATIONS, name), 'utf8') + endless);
  return folder;
}

const later = FILES.filter((name) => Number(name.slice(0, 4)) > 1);
/** Each takes seconds: the one that moves most, and the newest, unless all are asked for. */
const killed = runsAll() ? later : [...new Set([...later.slice(0, 1), ...later.slice(-1)])];

test.each(killed)('killed in the middle of %s: the next start does it', async (name) => {
  made(1, join(dir, 'like.db'));
  made(1);
  const child = migrating(withEndless(name));
  const wal = join(dir, 'warmboot.db-wal');
  // What does not fit into the cache is written before the commit.
  const written = () => (existsSync(wal) ? statSync(wal).size : 0);
  await expect.poll(written, { interval: 20 }).toBeGreaterThan(8 * 1024 * 1024);
  child.kill('SIGKILL');
  await once(child, 'exit');

  const raw = new Database(join(dir, 'warmboot.db'));
  expect(raw.pragma('user_version', { simple: true })).toBe(Number(name.slice(0, 4)) - 1);
  raw.close();
  const db = migrated();
  expectSound(db);
  const like = openDatabase(join(dir, 'like.db'), MIGRATIONS, () => undefined);
  expect(rowsOf(db)).toEqual(rowsOf(like));
  like.close();
  db.close();
});
