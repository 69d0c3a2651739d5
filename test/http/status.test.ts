import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NO_LIMITS } from '../../server/core/transfer-limits.ts';
import { storeRandomImages } from '../fixtures/random-images.ts';
import { BOOT, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  const boot = { ...BOOT, limits: { ...NO_LIMITS, atOnce: 1 } };
  server = await runningServer(() => ({ version: '1.2.3', boot }));
});
afterAll(() => server.close());

const status = async () => (await server.admin('/api/v1/status')).json;

test('a server that runs says what it is, what it has, and that it is ready', async () => {
  const { tftpPort, url } = server.running.boot ?? {};
  const first = await status();
  expect(first).toMatchObject({
    version: '1.2.3',
    ready: true,
    checks: { database: { ok: true }, room: { ok: true } },
    rollouts: [],
    transfers: { active: 0, waiting: 0, refused: 0 },
    images: { count: 3 },
    boot: { url, tftp: { host: '127.0.0.1', port: tftpPort, transfers: 0 }, proxyDhcp: null },
  });
  expect(first.schema).toBeGreaterThan(10);
  expect(first.images.storedBytes).toBeGreaterThan(0);
  expect(first.images.freeBytes).toBeGreaterThan(0);
  expect(Math.abs(Date.now() - first.startedAt)).toBeLessThan(10 * 60_000);
});

test('hosts by state, open attempts and rollouts as they change; the same after a restart', async () => {
  const before = await status();
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one', labels: { pool: 'p' } } });
  const after = await status();
  expect(after.openAttempts).toBe(before.openAttempts + 1);
  expect(after.hosts.approved).toBe(before.hosts.approved + 1);

  const wish = { image: 'two', macs: [mac], name: 'to two' };
  const { json: begun } = await server.admin('/api/v1/rollouts', { body: wish });
  const rollout = { id: begun.id, name: 'to two', status: 'running', wave: 1, waveCount: 1 };
  expect((await status()).rollouts).toMatchObject([rollout]);
  await server.admin(`/api/v1/rollouts/${begun.id}/pause`, { body: { reason: 'lunch' } });
  expect((await status()).rollouts).toMatchObject([
    { status: 'paused', reason: expect.stringMatching(/lunch/) },
  ]);
  await server.restart();
  expect((await status()).openAttempts).toBe(before.openAttempts + 1);
  await server.admin(`/api/v1/rollouts/${begun.id}/abort`, { body: {} });
  await server.admin(`/api/v1/hosts/${mac}`, { method: 'DELETE' });
  expect(await status()).toMatchObject({ openAttempts: before.openAttempts, rollouts: [] });
});

test('transfers now and hosts that wait, in the status and in /metrics', async () => {
  const [image] = await storeRandomImages(server.dataDir, 24 * 2 ** 20);
  const path = `/boot/images/${image.digest}/data`;
  const call = get(`${server.running.boot?.url}${path}`);
  const answer: IncomingMessage = await new Promise((resolve) => call.on('response', resolve));
  answer.pause();
  expect((await server.boot(path)).status).toBe(503);
  expect((await status()).transfers).toEqual({ active: 1, waiting: 1, refused: 1 });
  const { text } = await server.admin('/metrics');
  expect(text).toMatch(/^warmboot_transfers\{state="active"\} 1$/m);
  expect(text).toMatch(/^warmboot_transfers\{state="waiting"\} 1$/m);
  expect(text).toMatch(/^warmboot_transfers_refused_total 1$/m);
  call.destroy();
  await expect.poll(async () => (await status()).transfers.active).toBe(0);
});

test('it needs a token that may look', async () => {
  const { status: code } = await server.admin('/api/v1/status', { headers: { authorization: 'Bearer x' } });
  expect(code).toBe(401);
});
