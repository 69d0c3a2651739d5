import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { hostFileCases } from '../../server/control/host-files.ts';
import { openDatabase } from '../../server/store/database.ts';
import { sqliteStore } from '../../server/store/store.ts';
import { ALICE, macAt, NOW } from '../fixtures/hosts.ts';
import { MIGRATIONS } from '../fixtures/running-server.ts';
import { useCasesOn } from '../fixtures/use-cases.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-file-sets-'));
  file = join(dir, 'warmboot.db');
});
afterEach(() => rmSync(dir, { recursive: true }));

function opened() {
  let ids = 0;
  const db = openDatabase(file, MIGRATIONS, () => {});
  const world = useCasesOn(
    sqliteStore(db, () => NOW),
    () => NOW,
    () => `id-${++ids}`,
  );
  return { ...world, db };
}
const bytes = (text: string) => new TextEncoder().encode(text);
const put = (world: ReturnType<typeof opened>, number: number, path: string, text: string) =>
  world.files.put(ALICE, macAt(number), { path, content: bytes(text) });
const sets = ({ db }: ReturnType<typeof opened>) =>
  db.prepare('SELECT sha256 FROM file_sets').pluck().all() as string[];
const fleet = async (world: ReturnType<typeof opened>, count: number) => {
  for (let number = 1; number <= count; number += 1)
    await world.hosts.enrol(ALICE, { macs: [macAt(number)], labels: { n: String(number) } });
};

test('hosts with the same files share a set, which goes with the last of them', async () => {
  const world = opened();
  await fleet(world, 3);
  for (const number of [1, 2, 3]) await put(world, number, 'etc/motd', 'hello');
  expect(sets(world).length).toBe(1);
  await put(world, 1, 'etc/motd', 'other');
  expect(sets(world).length).toBe(2);
  await world.hosts.remove(ALICE, macAt(2));
  await world.files.remove(ALICE, macAt(3), 'etc/motd');
  expect(sets(world)).toEqual([(await world.hosts.find(macAt(1))).enrolment.files?.sha256]);
  await world.hosts.remove(ALICE, macAt(1));
  expect(sets(world)).toEqual([]);
  expect(world.db.pragma('foreign_key_check')).toEqual([]);
});

test('a set that a host names cannot go', async () => {
  const world = opened();
  await fleet(world, 1);
  await put(world, 1, 'etc/motd', 'hello');
  expect(() => world.db.prepare('DELETE FROM file_sets').run()).toThrow(/FOREIGN KEY/);
});

test('changes that are undone leave nothing, and the host as it was', async () => {
  const world = opened();
  await fleet(world, 1);
  await put(world, 1, 'etc/motd', 'hello');
  const before = await world.hosts.find(macAt(1));
  const broken = hostFileCases({
    ...world.context,
    store: {
      ...world.store,
      change: (scope, decide) =>
        world.store.change(scope, (records) => {
          // Written, and then the disk is full.
          const decision = decide(records);
          return { ...decision, removed: ['none'], events: [null as never] };
        }),
    },
  });
  await expect(broken.put(ALICE, macAt(1), { path: 'etc/motd', content: bytes('new') })).rejects.toThrow();
  expect(await world.hosts.find(macAt(1))).toEqual(before);
  expect(sets(world)).toEqual([before.enrolment.files?.sha256]);
  expect((await world.files.find(macAt(1), 'etc/motd')).file.content).toEqual(Buffer.from('hello'));
});

test('they are there after a restart, and a host that is read holds none of their bytes', async () => {
  const world = opened();
  await fleet(world, 1);
  await put(world, 1, 'etc/motd', 'x'.repeat(200_000));
  world.store.close();
  const again = opened();
  const host = await again.hosts.find(macAt(1));
  const tar = await again.store.fileSet(host.enrolment.files?.sha256 ?? '');
  expect(host.enrolment.files).toEqual({
    sha256: createHash('sha256')
      .update(tar ?? '')
      .digest('hex'),
    bytes: tar?.length,
  });
  expect(JSON.stringify(host).length).toBeLessThan(2000);
  again.store.close();
});

test('what was taken away is not left in the file', async () => {
  const world = opened();
  await fleet(world, 2);
  // In pages of their own, and in one with other rows.
  await put(world, 1, 'etc/long', 'long-secret '.repeat(2000));
  await put(world, 2, 'etc/short', 'short-secret');
  expect((await world.store.events({ limit: 10 })).length).toBeGreaterThan(0);
  await world.files.remove(ALICE, macAt(1), 'etc/long');
  await world.files.remove(ALICE, macAt(2), 'etc/short');
  world.store.close();
  new Database(file).close();
  expect(readFileSync(file).includes('-secret')).toBe(false);
});

test('other changes of a host, and other hosts, leave its files alone', async () => {
  const world = opened();
  await fleet(world, 2);
  await put(world, 1, 'etc/motd', 'hello');
  const { files } = (await world.hosts.find(macAt(1))).enrolment;
  await world.hosts.update(ALICE, macAt(1), { append: 'quiet', labels: { a: 'b' } });
  await world.lifecycle.hold(ALICE, macAt(1), 'x');
  await world.lifecycle.retire(ALICE, macAt(1));
  await put(world, 2, 'etc/issue', 'x');
  expect((await world.hosts.find(macAt(1))).enrolment.files).toEqual(files);
  expect((await world.files.list(macAt(1))).files.length).toBe(1);
  await world.discovery.approve(ALICE, macAt(1), {});
  expect((await world.hosts.find(macAt(1))).enrolment.files).toEqual(files);
});

test('a change of files is no order', async () => {
  const world = opened();
  await fleet(world, 1);
  await put(world, 1, 'etc/motd', 'hello');
  const { attempt, enrolment } = await world.hosts.find(macAt(1));
  expect([attempt, enrolment.assignment]).toEqual([null, null]);
  expect((await world.store.events({ limit: 10 })).map(({ kind }) => kind)).toEqual([
    'host-enrolled',
    'host-files-changed',
  ]);
});
