import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { NO_LIMITS } from '../../server/core/transfer-limits.ts';
import { makeHelper } from '../fixtures/helper.ts';
import { type RandomImage, storeRandomImages } from '../fixtures/random-images.ts';
import { BOOT, newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { flashFile } from './flash-file.ts';
import { FakeHost, SHELLS } from './shell.ts';

/** The scripts that flash a slot, with the real curl and the real helper, against a server that sends one image at a time. */

const BYTES = 24 * 2 ** 20;

let server: TestServer;
let image: RandomImage;
let helper: string;
let raw: Buffer;
beforeAll(async () => {
  helper = await makeHelper('all');
  server = await runningServer(() => ({ boot: { ...BOOT, limits: { ...NO_LIMITS, atOnce: 1 } } }));
  [image] = await storeRandomImages(server.dataDir, BYTES);
  raw = (await server.boot(`/boot/images/${image.digest}/raw`)).body;
});
afterAll(() => server.close());

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  onTestFinished(() => host.remove());
});

const flash = (shell: readonly string[], mac: string, attempt: string, more = '') =>
  flashFile({
    host,
    helper,
    server: server.running.boot?.url ?? '',
    image,
    bytes: raw.length,
    shell,
    mac,
    attempt,
    more,
  });

async function enrolled() {
  const mac = newMac();
  const { json } = await server.admin('/api/v1/hosts', { body: { macs: [mac], image: image.digest } });
  return { mac, attempt: json.attempt.id as string };
}

const hash = (data: Buffer) => createHash('sha256').update(data).digest('hex');
const written = () => hash(readFileSync(host.path('slot')));

test.each(SHELLS)(
  'in %s: told to wait for its turn a host says so, does not fail, and writes when its turn comes',
  async (...shell) => {
    const { hostname, port } = new URL(server.running.boot?.url ?? '');
    const other = connect(Number(port), hostname).on('error', () => {});
    onTestFinished(() => void other.destroy());
    other.write(`GET /boot/images/${image.digest}/data HTTP/1.1\r\nhost: x\r\n\r\n`);
    await new Promise((resolve) => other.once('data', resolve));
    other.pause();
    const { mac, attempt } = await enrolled();
    // A second stream may get the only place between two parts of the first.
    const { ended, log } = flash(shell, mac, attempt, 'STREAMS=1');
    const attemptNow = async () => (await server.admin(`/api/v1/hosts/${mac}`)).json.attempt;
    const waits = { phase: 'writing', outcome: null, progress: { phase: 'wait' } };
    await expect.poll(attemptNow, { timeout: 30_000 }).toMatchObject(waits);
    const { deadline } = await attemptNow();
    await expect
      .poll(async () => (await attemptNow()).deadline, { timeout: 30_000 })
      .toBeGreaterThan(deadline);
    other.destroy();
    expect([await ended, written()]).toEqual([0, hash(raw)]);
    expect(log().match(/waits for its turn/g)).toHaveLength(1);
    expect(log()).not.toContain('data ended');
  },
  60_000,
);

/** A mirror of one's own making. */
async function mirror(answer: Parameters<typeof createServer>[1]): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const made: Server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? 'no token'}`);
    answer?.(request, response);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => made.once('listening', resolve));
  onTestFinished(() => {
    made.closeAllConnections();
    made.close();
  });
  return { url: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, asked };
}

const DASH = SHELLS[0] ?? ['sh'];

test('a mirror serves the whole image, without the token', async () => {
  const { mac, attempt } = await enrolled();
  const upstream = server.running.boot?.url ?? '';
  const { url, asked } = await mirror(async (request, response) => {
    const { range = 'bytes=0-' } = request.headers;
    const got = await fetch(upstream + request.url, { headers: { range } });
    response.writeHead(got.status, { 'content-length': got.headers.get('content-length') ?? '' });
    response.end(Buffer.from(await got.arrayBuffer()));
  });
  // The server behind it has one place, and this mirror keeps nothing and knows no turns.
  const { ended, log } = flash(DASH, mac, attempt, `STREAMS=1; M_MIRROR=${url}; use_token secret-0123456789`);
  expect([await ended, written()]).toEqual([0, hash(raw)]);
  expect(new Set(asked.map((line) => line.replace(/^.*\//, '')))).toEqual(
    new Set(['index.json no token', 'frames.json no token', 'data no token']),
  );
  expect(log()).not.toContain('mirror');
});

test.each([
  ['is not there', null],
  [
    'has none of it',
    (_: unknown, response: import('node:http').ServerResponse) => response.writeHead(404).end(),
  ],
  [
    'sends other bytes',
    (_: unknown, response: import('node:http').ServerResponse) => response.end('x'.repeat(9999)),
  ],
  [
    'breaks off each time',
    (_: unknown, response: import('node:http').ServerResponse) => {
      response.writeHead(200, { 'content-length': 1_000_000 });
      response.flushHeaders();
      setTimeout(() => response.destroy(), 50);
    },
  ],
] as const)('a mirror that %s stops no host', async (_, answer) => {
  const { mac, attempt } = await enrolled();
  const url = answer === null ? 'http://127.0.0.1:1' : (await mirror(answer)).url;
  const { ended, log } = flash(DASH, mac, attempt, `M_MIRROR=${url}`);
  expect([await ended, written()]).toEqual([0, hash(raw)]);
  expect(log()).toContain(`the mirror ${url} fails, the server is asked`);
});

test('data that goes wrong at the mirror after the rest came well is asked for at the server', async () => {
  const { mac, attempt } = await enrolled();
  const upstream = server.running.boot?.url ?? '';
  const { url } = await mirror(async (request, response) => {
    if (request.url?.endsWith('/data')) return void response.end(Buffer.alloc(200_000, 7));
    const got = await fetch(upstream + request.url);
    response.end(Buffer.from(await got.arrayBuffer()));
  });
  const { ended, log } = flash(DASH, mac, attempt, `M_MIRROR=${url}`);
  expect([await ended, written()]).toEqual([0, hash(raw)]);
  expect(log()).toContain('its data is damaged');
});
