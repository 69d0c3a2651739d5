import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'warmboot-backup-'));
  server = await runningServer();
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

const spool = () => join(server.dataDir, 'backup.tmp');
/** Unpacks with the tar and sha256sum of this machine, which know nothing of us. */
function unpacked(name: string, archive: Buffer): { readonly at: string; readonly names: string[] } {
  const at = join(dir, name);
  mkdirSync(at);
  writeFileSync(`${at}.tar`, archive);
  const names = execFileSync('tar', ['-tf', `${at}.tar`], { encoding: 'utf8' })
    .trim()
    .split('\n');
  execFileSync('tar', ['-C', at, '-xf', `${at}.tar`]);
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: at });
  return { at, names };
}

test('what was answered is in it; tar and sha256sum find it whole', async () => {
  const mac = newMac();
  expect((await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } })).status).toBe(201);
  const answer = await server.admin('/api/v1/backup', { body: {} });
  expect(answer.status).toBe(200);
  expect(answer.headers['cache-control']).toBe('no-store');
  expect(Number(answer.headers['content-length'])).toBe(answer.body.length);
  const { at, names } = unpacked('whole', answer.body);
  expect(names).toEqual(['backup.json', 'warmboot.db', 'admin.token', 'keys/manifest.pem', 'SHA256SUMS']);
  for (const name of ['admin.token', 'keys/manifest.pem'])
    expect(readFileSync(join(at, name)), name).toEqual(readFileSync(join(server.dataDir, name)));
  const db = new Database(join(at, 'warmboot.db'));
  expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(db.prepare('SELECT count(*) FROM host_macs WHERE mac = ?').pluck().get(mac)).toBe(1);
  const last = db.prepare('SELECT max(id) FROM events').pluck().get();
  expect(JSON.parse(readFileSync(join(at, 'backup.json'), 'utf8'))).toMatchObject({
    format: 'warmboot-backup',
    version: 1,
    schema: db.pragma('user_version', { simple: true }),
    lastEvent: last,
    hosts: 1,
    images: 3,
    withImages: false,
  });
  db.close();
  expect(existsSync(spool())).toBe(false);
});

test('with images: every pack and every file of an image, as they are stored', async () => {
  const { body } = await server.admin('/api/v1/backup', { body: { images: true } });
  const { at, names } = unpacked('images', body);
  for (const folder of ['packs', 'images']) {
    const here = readdirSync(join(server.dataDir, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name).slice(server.dataDir.length + 1));
    expect(here.length).toBeGreaterThan(1);
    expect(names.filter((name) => name.startsWith(`${folder}/`)).sort()).toEqual(here.sort());
    for (const name of here)
      expect(readFileSync(join(at, name)).equals(readFileSync(join(server.dataDir, name))), name).toBe(true);
  }
});

test('only an admin gets it, and under an idempotency key nobody gets an empty one', async () => {
  const { json } = await server.admin('/api/v1/tokens', { body: { name: 'op', role: 'operator' } });
  const refused = await server.admin('/api/v1/backup', {
    body: {},
    headers: { authorization: `Bearer ${json.token}` },
  });
  expect(refused.status).toBe(403);
  const headers = { 'idempotency-key': '"nightly"' };
  const again = () => server.admin('/api/v1/backup', { body: {}, headers });
  expect((await again()).status).toBe(200);
  const second = () => again().then(({ status, json }) => `${status} ${json.detail}`);
  // The first one's key is settled a moment after its last byte.
  await expect.poll(second).toMatch(/^409 .*carried out already, and its answer was not kept/);
});

test('a client that goes away leaves nothing behind, and one at a time is made', async () => {
  // More than fits into what the kernel holds for a client that reads nothing.
  const big = join(server.dataDir, 'keys', 'big.pem');
  writeFileSync(big, Buffer.alloc(48 * 1024 * 1024));
  const { hostname, port } = new URL(server.running.adminUrl);
  const headers = { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' };
  const answered = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    const call = request(
      { hostname, port, path: '/api/v1/backup', method: 'POST', headers, agent: false },
      resolve,
    );
    call.on('error', reject);
    call.end('{}');
  });
  expect(answered.statusCode).toBe(200);
  expect(existsSync(spool())).toBe(true);
  const other = await server.admin('/api/v1/backup', { body: {} });
  expect([other.status, other.json.detail]).toEqual([409, expect.stringContaining('Another backup')]);
  answered.on('error', () => {});
  answered.destroy();
  await expect.poll(() => existsSync(spool())).toBe(false);
  rmSync(big);
  expect((await server.admin('/api/v1/backup', { body: {} })).status).toBe(200);
});

test('what a killed server left of one is gone at the next start', async () => {
  mkdirSync(spool());
  writeFileSync(join(spool(), 'warmboot.db'), 'half');
  await server.restart();
  expect(existsSync(spool())).toBe(false);
});
