import {
  chownSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tarHeader } from '../../server/contract/image-archive.ts';
import { openKeyring } from '../../server/keys/keyring.ts';
import { archiveOf, type Member, membersOf, treeOf } from '../fixtures/backups.ts';
import { Machine } from '../fixtures/machine.ts';
import { restoreInto, serveRestored } from '../fixtures/restored.ts';
import { ask, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

const DUMPS = join(import.meta.dirname, '../fixtures/databases');

let server: TestServer;
let dir: string;
let folders = 0;
/** Of the server with three hosts: one installed, one that installs, one that waits. */
let good: Buffer;
let macs: { installed: string; open: string; waiting: string };

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-restore-'));
  server = await runningServer();
  const installed = await (await new Machine(server).enrol()).installed();
  const open = await new Machine(server).enrol();
  await open.claim();
  const waiting = await new Machine(server).enrol();
  macs = { installed: installed.mac, open: open.mac, waiting: waiting.mac };
  good = (await server.admin('/api/v1/backup', { body: { images: true } })).body;
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

const folder = () => {
  folders += 1;
  return join(dir, `data-${folders}`);
};
const without = (...names: string[]) => membersOf(good).filter(({ name }) => !names.includes(name));
const changed = (name: string, change: (content: Buffer) => Buffer): Member[] =>
  membersOf(good).map((member) =>
    member.name === name ? { ...member, content: change(member.content) } : member,
  );
const noteWith = (facts: object) =>
  changed('backup.json', (content) =>
    Buffer.from(JSON.stringify({ ...JSON.parse(String(content)), ...facts })),
  );

describe('a whole backup', () => {
  test('gives a server whose hosts are told nothing by itself, above all that they have seen', async () => {
    const seen = (await server.boot(`/boot/hosts/${macs.waiting}/manifest`)).json.serial;
    const data = folder();
    const made = await restoreInto(data, good);
    expect(made).toMatchObject({ hosts: 3, attemptsEnded: 2, imagesMissing: 0, keptIn: null });
    const running = await serveRestored(data);
    try {
      expect(running.newAdminToken).toBeNull();
      const { json } = await ask(running.boot?.url ?? '', `/boot/hosts/${macs.waiting}/manifest`);
      expect(json).toMatchObject({ action: 'hold', attempt: null });
      expect(json.reason).toMatch(/^failed: the database was restored from a backup/);
      expect(json.serial).toBeGreaterThan(seen);
      const headers = { authorization: `Bearer ${server.token}` };
      const admin = async (path: string) => (await ask(running.adminUrl, path, { headers })).json;
      expect((await admin(`/api/v1/hosts/${macs.installed}`)).state).toBe('active');
      expect((await admin(`/api/v1/hosts/${macs.open}`)).attempt).toMatchObject({ outcome: 'failed' });
      const verified = await ask(running.adminUrl, '/api/v1/store/verify', { headers, method: 'POST' });
      expect(verified.json).toMatchObject({ images: 3, damage: [] });
    } finally {
      await running.close();
    }
  });

  test('no id of an event is given again; who follows goes on, and is told why', async () => {
    const data = folder();
    await restoreInto(data, good);
    const last = JSON.parse(String(membersOf(good)[0]?.content)).lastEvent as number;
    // Seen since the backup, from the server that is lost.
    for (let at = 0; at < 5; at += 1) await new Machine(server).enrol();
    const seen = (await server.admin('/api/v1/events?limit=1')).json.next as number;
    expect(seen).toBeGreaterThan(last);
    const running = await serveRestored(data);
    const headers = { authorization: `Bearer ${server.token}` };
    const { json } = await ask(running.adminUrl, `/api/v1/events?after=${seen}`, { headers });
    await running.close();
    expect(json.events[0]).toMatchObject({ kind: 'restored', actor: 'server' });
    expect(json.events[0].id).toBeGreaterThan(last + 1_000_000);
    expect(json.events.map(({ kind }: { kind: string }) => kind).slice(0, 3)).toEqual([
      'restored',
      'attempt-ended',
      'attempt-ended',
    ]);
  });

  test('without images: those that lie here are served, those that do not are known to be missing', async () => {
    const { body } = await server.admin('/api/v1/backup', { body: {} });
    const none = folder();
    expect((await restoreInto(none, body)).imagesMissing).toBe(3);
    const running = await serveRestored(none);
    const headers = { authorization: `Bearer ${server.token}` };
    const order = { headers, method: 'PUT', body: { image: 'two' } };
    const { status, text } = await ask(running.adminUrl, `/api/v1/hosts/${macs.installed}/os`, order);
    await running.close();
    expect([status, text]).toEqual([
      expect.any(Number),
      expect.stringMatching(/damaged|missing|build|import/i),
    ]);
    expect(status).toBeGreaterThanOrEqual(400);

    const some = folder();
    mkdirSync(some);
    for (const name of ['packs', 'images'])
      cpSync(join(server.dataDir, name), join(some, name), { recursive: true });
    rmSync(join(some, 'packs', 'build-two.pack'));
    expect((await restoreInto(some, body, { replace: true })).imagesMissing).toBe(1);
  });

  test('keys that were made since are kept: hosts may hold no other', async () => {
    const data = folder();
    await restoreInto(data, good);
    const running = await serveRestored(data);
    const headers = { authorization: `Bearer ${server.token}` };
    await ask(running.adminUrl, '/api/v1/keys', { headers, body: { overlapSeconds: 0 } });
    await running.close();
    const newer = openKeyring(join(data, 'keys')).ids;
    expect(newer).toHaveLength(2);
    await restoreInto(data, good, { replace: true });
    expect([...openKeyring(join(data, 'keys')).ids].sort()).toEqual([...newer].sort());
    const again = await serveRestored(data);
    const { json } = await ask(again.adminUrl, '/api/v1/keys', { headers });
    await again.close();
    expect(json.keys.map(({ state }: { state: string }) => state).sort()).toEqual(['active', 'retiring']);
  });

  test('with --replace: the old state is kept, and is a whole data folder itself', async () => {
    const data = folder();
    cpSync(server.dataDir, data, { recursive: true });
    rmSync(join(data, 'server.json'));
    const mac = newMac();
    let running = await serveRestored(data);
    const headers = { authorization: `Bearer ${server.token}` };
    await ask(running.adminUrl, '/api/v1/hosts', { headers, body: { macs: [mac], image: 'one' } });
    await running.close();
    const { keptIn } = await restoreInto(data, good, { replace: true });
    const known = async () => (await ask(running.adminUrl, `/api/v1/hosts/${mac}`, { headers })).status;
    running = await serveRestored(data);
    expect(await known()).toBe(404);
    await running.close();
    running = await serveRestored(keptIn ?? '');
    expect(await known()).toBe(200);
    expect(
      (await ask(running.adminUrl, '/api/v1/store/verify', { headers, method: 'POST' })).json.damage,
    ).toEqual([]);
    await running.close();
  });
});

test.each([1, 2, 3])('a backup of schema %i is brought up to date, and served', async (schema) => {
  const file = join(dir, `schema-${schema}.db`);
  const db = new Database(file);
  db.exec(readFileSync(join(DUMPS, `schema-${schema}.sql`), 'utf8'));
  db.close();
  const members = noteWith({ schema, lastEvent: 60 }).map((member) =>
    member.name === 'warmboot.db' ? { ...member, content: readFileSync(file) } : member,
  );
  const data = folder();
  const made = await restoreInto(data, archiveOf(members));
  expect(made.attemptsEnded).toBeGreaterThan(0);
  const running = await serveRestored(data);
  const headers = { authorization: `Bearer ${server.token}` };
  const { json } = await ask(running.adminUrl, '/api/v1/hosts', { headers });
  await running.close();
  expect(json.hosts.length).toBeGreaterThanOrEqual(5);
  expect(
    json.hosts.filter(({ attempt }: { attempt: { outcome: string } | null }) => attempt && !attempt.outcome),
  ).toEqual([]);
});

test.skipIf(process.getuid?.() !== 0)('root restores for the user that owns the folder', async () => {
  const data = folder();
  mkdirSync(data);
  chownSync(data, 12_345, 12_345);
  await restoreInto(data, good);
  const isTheirs = (name: string) => lstatSync(join(data, name)).uid === 12_345;
  expect(readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((name) => !isTheirs(name))).toEqual(
    [],
  );
});

describe('refused, with nothing changed', () => {
  const link = (type: string, name = 'keys/x.pem') => {
    const header = Buffer.from(tarHeader(name, 0));
    header.write(type, 156);
    header.write('/etc/passwd\0', 157);
    header.fill(0x20, 148, 156);
    const sum = header.reduce((all, byte) => all + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return { name, content: Buffer.alloc(0), header };
  };
  const file = (name: string) => ({ name, content: Buffer.from('x') });
  const cases: readonly (readonly [string, () => Buffer, RegExp])[] = [
    [
      'a newer schema',
      () => archiveOf(noteWith({ schema: 9999 })),
      /schema 9999 and this Warmboot knows \d+.*Restore it with that version/,
    ],
    ['a newer format', () => archiveOf(noteWith({ version: 2 })), /its format is 2/],
    ['made in the future', () => archiveOf(noteWith({ madeAt: Date.now() + 3_600_000 })), /Set the clock/],
    [
      'a schema that is not the one it says',
      () => archiveOf(noteWith({ schema: 3 })),
      /has schema \d+, and it says 3/,
    ],
    ['no database', () => archiveOf(without('warmboot.db')), /warmboot\.db is not in it/],
    ['no key', () => archiveOf(without('keys/manifest.pem')), /keys\/manifest\.pem is not in it/],
    [
      'a database that is none',
      () => archiveOf(changed('warmboot.db', () => Buffer.from('no'.repeat(9_000)))),
      /database/,
    ],
    [
      'a wrong sum',
      () =>
        archiveOf(
          membersOf(good),
          membersOf(good)
            .at(-1)
            ?.content.toString()
            .replace(/^[0-9a-f]{4}/, '0000'),
        ),
      /is not what its sum says/,
    ],
    [
      'a member more in the sums',
      () => archiveOf(membersOf(good), `${membersOf(good).at(-1)?.content}${'0'.repeat(64)}  keys/y.pem\n`),
      /keys\/y\.pem is not in it/,
    ],
    [
      'out of the folder',
      () => archiveOf([...membersOf(good), file('keys/../../evil')]),
      /does not belong there/,
    ],
    ['an absolute name', () => archiveOf([...membersOf(good), file('/etc/evil')]), /does not belong there/],
    ['a hidden name', () => archiveOf([...membersOf(good), file('keys/.evil')]), /does not belong there/],
    [
      'the same name twice',
      () => archiveOf([...membersOf(good), file('admin.token')]),
      /does not belong there/,
    ],
    ['a symbolic link', () => archiveOf([...membersOf(good), link('2')]), /no plain file/],
    ['a hard link', () => archiveOf([...membersOf(good), link('1')]), /no plain file/],
    ['a device', () => archiveOf([...membersOf(good), link('3')]), /no plain file/],
    ['a folder', () => archiveOf([...membersOf(good), link('5')]), /no plain file/],
    ['something behind its end', () => Buffer.concat([good, Buffer.from('more')]), /something follows/],
    ['nothing', () => Buffer.alloc(0), /cut off/],
    ['no tar', () => Buffer.from('#!/bin/sh\n'.repeat(200)), /no plain file/],
  ];
  test.each(cases)('%s', async (_, make, why) => {
    const data = folder();
    mkdirSync(data);
    await expect(restoreInto(data, make())).rejects.toThrow(why);
    expect(readdirSync(data).filter((name) => name !== 'lock.db')).toEqual([]);
  });

  test('one that is cut off, wherever', async () => {
    const data = folder();
    mkdirSync(data);
    const ends = [
      1,
      511,
      512,
      700,
      1024,
      3000,
      good.length >> 1,
      good.length - 1500,
      good.length - 1024,
      good.length - 512,
      good.length - 1,
    ];
    for (const end of ends) {
      await expect(restoreInto(data, good.subarray(0, end)), `${end} of ${good.length}`).rejects.toThrow(
        /nothing was changed/,
      );
      expect(readdirSync(data).filter((name) => name !== 'lock.db')).toEqual([]);
    }
  });

  test('one wrong byte, in any member', async () => {
    const data = folder();
    mkdirSync(data);
    let at = 0;
    for (const { name, content } of membersOf(good)) {
      at += 512;
      const bad = Buffer.from(good);
      const place = at + (content.length >> 1);
      bad[place] = (bad[place] ?? 0) ^ 0x40;
      await expect(restoreInto(data, bad), name).rejects.toThrow(/nothing was changed/);
      at += Math.ceil(content.length / 512) * 512;
    }
    expect(readdirSync(data).filter((name) => name !== 'lock.db')).toEqual([]);
  });

  test('a folder that holds something, and one on which a server works', async () => {
    await expect(restoreInto(server.dataDir, good, { replace: true })).rejects.toThrow(
      /A Warmboot works in .*: stop it first/,
    );
    const data = folder();
    await restoreInto(data, good);
    const before = treeOf(data);
    await expect(restoreInto(data, good)).rejects.toThrow(
      /is not empty: it holds .*warmboot\.db.* Say --replace/,
    );
    expect(treeOf(data)).toEqual(before);
  });
});
