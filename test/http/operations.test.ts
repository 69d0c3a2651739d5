import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import parsePrometheus from 'parse-prometheus-text-format';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../server/store/database.ts';
import { sqliteStore } from '../../server/store/store.ts';
import { askTftp } from '../../server/tftp/ask.ts';
import { MIGRATIONS, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

type Sample = { readonly value?: string; readonly labels?: Readonly<Record<string, string>> };
type Family = { readonly name: string; readonly type: string; readonly metrics: readonly Sample[] };

async function scraped(): Promise<ReadonlyMap<string, Family>> {
  const { status, headers, text } = await server.admin('/metrics');
  expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
  return new Map((parsePrometheus(text) as Family[]).map((family) => [family.name, family]));
}

/** The value of the series with these labels, 0 where there is none. */
async function metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
  const family = (await scraped()).get(name);
  const found = family?.metrics.find((sample) =>
    Object.entries(labels).every(([label, value]) => sample.labels?.[label] === value),
  );
  return Number(found?.value ?? 0);
}

const MANIFEST = '/boot/hosts/:mac/manifest';

test('metrics need a token', async () => {
  const { status } = await server.admin('/metrics', { headers: { authorization: 'Bearer wrong' } });
  expect(status).toBe(401);
});

test('hosts by state, with every state at all times', async () => {
  const [before, discovered] = [
    await metric('warmboot_hosts', { state: 'approved' }),
    await metric('warmboot_hosts', { state: 'discovered' }),
  ];
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac] } });
  expect(await metric('warmboot_hosts', { state: 'approved' })).toBe(before + 1);
  expect(await metric('warmboot_hosts', { state: 'discovered' })).toBe(discovered);
  await server.restart();
  expect(await metric('warmboot_hosts', { state: 'approved' })).toBe(before + 1);
  await server.admin(`/api/v1/hosts/${mac}`, { method: 'DELETE' });
  expect(await metric('warmboot_hosts', { state: 'approved' })).toBe(before);
  const states = (await scraped()).get('warmboot_hosts')?.metrics.map(({ labels }) => labels?.state);
  expect(states).toEqual(expect.arrayContaining(['failed', 'rolled-back', 'unknown']));
});

test('polls by status, how long they took, and what is open', async () => {
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  const { headers } = await server.boot(`/boot/hosts/${mac}/manifest`);
  const know = { headers: { 'if-none-match': headers.etag ?? '' } };
  await server.boot(`/boot/hosts/${mac}/manifest`, know);
  await server.boot(`/boot/hosts/${newMac()}/manifest`);
  const polls = (status: string) => metric('warmboot_http_answers_total', { route: MANIFEST, status });
  await expect
    .poll(async () => [await polls('200'), await polls('304'), await polls('404')])
    .toEqual([1, 1, 1]);
  const family = (await scraped()).get('warmboot_http_answer_seconds');
  expect(family?.type).toBe('HISTOGRAM');

  const waiting = server.boot(`/boot/hosts/${mac}/manifest?wait=60`, know);
  const open = () => metric('warmboot_http_open_requests', { plane: 'boot', kind: 'long-poll' });
  await expect.poll(open).toBe(1);
  await server.admin(`/api/v1/hosts/${mac}/os`, { method: 'PUT', body: { image: 'two' } });
  expect((await waiting).status).toBe(200);
  await expect.poll(open).toBe(0);
  const ended = { kind: 'install', outcome: 'superseded' };
  expect(await metric('warmboot_attempts_ended_total', ended)).toBe(1);
});

test('bytes by kind, TFTP transfers, and commits', async () => {
  const { digest, files } = server.one;
  const route = '/boot/images/:digest/kernel';
  await server.boot(`/boot/images/${digest}/kernel`);
  await expect
    .poll(() => metric('warmboot_http_sent_bytes_total', { route }))
    .toBe(files.kernel?.length ?? 0);
  const port = server.running.boot?.tftpPort ?? 0;
  expect(await askTftp('127.0.0.1', port, 'boot.ipxe')).toBeNull();
  expect(await askTftp('127.0.0.1', port, 'nothing')).toMatch(/not served/);
  await expect.poll(() => metric('warmboot_tftp_transfers_total', { outcome: 'refused' })).toBe(1);
  expect(await metric('warmboot_database_commits_total', { result: 'committed' })).toBeGreaterThan(0);
  expect(await metric('warmboot_database_bytes', { file: 'main' })).toBeGreaterThan(0);
  expect(await metric('warmboot_data_free_bytes')).toBeGreaterThan(0);
  expect(await metric('process_cpu_seconds_total')).toBeGreaterThan(0);
  expect((await scraped()).has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
});

test('no label takes its value from a stranger', async () => {
  await server.boot('/nothing/here/at-all');
  await server.boot(`/boot/images/${server.one.digest}/whatever`);
  await server.admin('/api/v1/nothing-either');
  await server.admin('/boot/hosts/zz%0Azz/manifest', { method: 'DELETE' });
  await expect
    .poll(() => metric('warmboot_http_answers_total', { plane: 'boot', route: 'none', status: '404' }))
    .toBe(1);
  const { text } = await server.admin('/metrics');
  expect(text).not.toMatch(/nothing|whatever|zz|52:54:00|sha256/);
});

test('readyz says what it looked at; healthz only that the process lives', async () => {
  const { status, json } = await server.admin('/readyz', { headers: { authorization: '' } });
  const ok = { ok: true };
  const checks = { process: ok, listeners: ok, database: ok, room: ok };
  expect([status, json]).toEqual([200, { ready: true, checks }]);
  expect((await server.admin('/healthz', { headers: { authorization: '' } })).status).toBe(200);
});

test('the look at the database is one that writes, and fails where it cannot be written', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'warmboot-probe-'));
  const file = join(dir, 'x.db');
  const db = openDatabase(file, MIGRATIONS, () => undefined);
  db.pragma('wal_checkpoint(TRUNCATE)');
  const version = db.pragma('user_version', { simple: true });
  const store = sqliteStore(db, Date.now);
  await store.probe();
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
  expect(db.pragma('user_version', { simple: true })).toBe(version);
  db.pragma('query_only = ON');
  await expect(store.probe()).rejects.toThrow(/readonly/);
  store.close();
  rmSync(dir, { recursive: true });
});

test('a request has an id: its own where that is harmless, else a new one', async () => {
  const id = async (said?: string) =>
    (await server.boot('/boot.ipxe', { headers: said === undefined ? {} : { 'x-request-id': said } }))
      .headers['x-request-id'];
  expect(await id('trace-1:a=b')).toBe('trace-1:a=b');
  const uuid = /^[0-9a-f-]{36}$/;
  for (const said of [undefined, '', 'a b', 'x'.repeat(65), 'a"b', '<i>'])
    expect(await id(said)).toMatch(uuid);
  const { headers } = await server.admin('/api/v1/hosts');
  expect(headers['x-request-id']).toMatch(uuid);
  const file = await server.boot(`/boot/images/${server.one.digest}/kernel`, {
    headers: { 'x-request-id': 'direct' },
  });
  expect(file.headers['x-request-id']).toBe('direct');
});
