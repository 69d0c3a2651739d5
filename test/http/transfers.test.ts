import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { NO_LIMITS, type TransferLimits } from '../../server/core/transfer-limits.ts';
import { type RandomImage, storeRandomImages } from '../fixtures/random-images.ts';
import { BOOT, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

/** Longer than what the kernel keeps of a connection: a client that reads nothing holds its turn. */
const BYTES = 24 * 2 ** 20;

const withLimits = (limits: Partial<TransferLimits>) => () => ({
  boot: { ...BOOT, limits: { ...NO_LIMITS, ...limits } },
});

let server: TestServer;
let image: RandomImage;
beforeAll(async () => {
  server = await runningServer(withLimits({ atOnce: 3, atOncePerHost: 2 }));
  [image] = await storeRandomImages(server.dataDir, BYTES);
});
afterAll(() => server.close());

const data = () => `/boot/images/${image.digest}/data`;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

/** Begins a download and reads nothing of it but its status. */
async function begun(headers: Record<string, string> = {}, path = data()): Promise<Socket> {
  const { hostname, port } = new URL(server.running.boot?.url ?? '');
  const socket = connect(Number(port), hostname).on('error', () => {});
  onTestFinished(() => void socket.destroy());
  const lines = Object.entries({ host: 'x', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  const first: Buffer = await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  expect(first.toString('latin1', 0, 12)).toBe('HTTP/1.1 200');
  return socket;
}

/** A host that has claimed, with its token. */
async function claimed(): Promise<{ mac: string; token: string }> {
  const mac = newMac();
  const { json } = await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  const token = `token-of-${mac}-0123456789`;
  const { status } = await server.boot(`/boot/hosts/${mac}/claims`, {
    body: { attempt: json.attempt.id, token },
  });
  expect(status).toBe(201);
  return { mac, token };
}

test('beyond the limits a transfer is put off with Retry-After; the turn is given on when one ends or goes away', async () => {
  const { token } = await claimed();
  const [first] = [await begun(), await begun()];
  const third = await server.boot(data());
  expect([third.status, Number(third.headers['retry-after'])]).toEqual([503, expect.any(Number)]);
  expect(Number(third.headers['retry-after'])).toBeGreaterThan(0);
  expect(third.json.detail).toMatch(/A host is sent 2 at once and no more. Ask again in \d+ seconds/);
  // Another host from the same address, by its token; a token that no host has is none.
  const own = await begun(bearer(token));
  expect((await server.boot(data(), { headers: bearer('made-up-0123456789') })).status).toBe(503);
  first?.destroy();
  await expect
    .poll(async () => (await server.boot(data(), { headers: { range: 'bytes=0-9' } })).status)
    .toBe(206);
  own.destroy();
});

test('all together', async () => {
  const hosts = await Promise.all([claimed(), claimed()]);
  await begun();
  for (const { token } of hosts) await begun(bearer(token));
  const { token } = await claimed();
  const refused = await server.boot(data(), { headers: bearer(token) });
  expect([refused.status, refused.json.detail]).toEqual([
    503,
    expect.stringMatching(/sends 3 images at once/),
  ]);
});

test('a host that fetches in parts keeps its place between them; whole files, and strangers, do not', async () => {
  const one = await runningServer(withLimits({ atOnce: 1 }));
  onTestFinished(() => one.close());
  // A place is kept for two seconds, in which a busy machine may not come to ask: this clock stands still.
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const [small] = await storeRandomImages(one.dataDir, 2 ** 20);
  const path = `/boot/images/${small.digest}/data`;
  const status = async (range: string, headers: Record<string, string> = {}) =>
    (await one.boot(path, { headers: { range, ...headers } })).status;
  const mac = newMac();
  const { json } = await one.admin('/api/v1/hosts', { body: { macs: [mac], image: small.digest } });
  const token = 'token-of-parts-0123456789';
  await one.boot(`/boot/hosts/${mac}/claims`, { body: { attempt: json.attempt.id, token } });
  expect(await status('bytes=0-9', bearer(token))).toBe(206);
  expect(await status('bytes=0-9')).toBe(503);
  expect(await status('bytes=10-19', bearer(token))).toBe(206);
  // The end of it: nothing more is to come.
  expect(await status('bytes=20-', bearer(token))).toBe(206);
  expect(await status('bytes=0-9')).toBe(206);
  expect(await status('bytes=0-9', bearer(token))).toBe(206);
});

test('what is small, what firmware fetches, and what a host says has no limit', async () => {
  const { mac, token } = await claimed();
  await begun();
  await begun();
  for (const path of [
    '/boot.ipxe',
    `/boot/script?mac=${mac}`,
    '/boot/installer/vmlinuz',
    '/boot/installer/initrd.img',
    ...['index.json', 'frames.json', 'kernel', 'initrd'].map(
      (file) => `/boot/images/${image.digest}/${file}`,
    ),
    `/boot/hosts/${mac}/manifest`,
  ])
    expect([path, (await server.boot(path, { headers: bearer(token) })).status]).toEqual([path, 200]);
  const report = { attempt: null, bootId: 'b', seq: 1, kind: 'inventory' };
  const said = await server.boot(`/boot/hosts/${mac}/reports`, { body: report, headers: bearer(token) });
  expect(said.status).toBe(200);
  expect((await server.boot(data(), { method: 'HEAD' })).status).toBe(200);
  const etag = (await server.boot(data(), { method: 'HEAD' })).headers.etag ?? '';
  expect((await server.boot(data(), { headers: { 'if-none-match': etag } })).status).toBe(304);
});

test('a rate holds for each transfer and for all, and every byte is right', async () => {
  const rate = 16 * 2 ** 20;
  const slow = await runningServer(withLimits({ rate }));
  onTestFinished(() => slow.close());
  const [whole, pieced] = await storeRandomImages(slow.dataDir, BYTES);
  const began = performance.now();
  const bodies = await Promise.all(
    [whole, pieced].map(({ digest }) => slow.boot(`/boot/images/${digest}/data`)),
  );
  // Less than this it cannot take, whatever the machine does besides.
  expect((performance.now() - began) / 1000).toBeGreaterThan((2 * BYTES) / rate - 0.5);
  for (const [i, { file }] of [whole, pieced].entries())
    expect(bodies[i]?.body.equals(readFileSync(file))).toBe(true);
});
