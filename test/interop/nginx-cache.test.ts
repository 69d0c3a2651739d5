import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { type LocalServer, startLocalServer } from '../../lab/local-server.ts';
import { type Nginx, startNginx } from '../../lab/nginx.ts';
import { inCheckout } from '../../lab/paths.ts';
import { type RandomImage, storeRandomImages } from '../fixtures/random-images.ts';
import { type Answer, ask, storeImage } from '../fixtures/running-server.ts';
import { flashFile } from '../host/flash-file.ts';
import { FakeHost } from '../host/shell.ts';

/** The real nginx with docs/examples/nginx-cache.conf before the real server. */

/** Here pieces are smaller and time is shorter than in the example. */
const IN_TEST = { 'slice 16m;': 'slice 4m;', ' 10s;': ' 1s;' };
const SLICE = 4 * 2 ** 20;
const BYTES = 10 * 2 ** 20;
/** Longer than what may change is used without a question. */
const ASKED_AGAIN_MS = 2_100;

let folder: string;
let server: LocalServer;
let cache: Nginx;
let images: readonly [RandomImage, RandomImage];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-cache-'));
  images = await storeRandomImages(join(folder, 'data'), BYTES);
  await storeImage(join(folder, 'data'), 'installer', 'installer');
  server = await startLocalServer(join(folder, 'data'));
  cache = await cacheBefore(server.url, 'nginx');
});
afterAll(async () => {
  await cache.close();
  await server.close();
  rmSync(folder, { recursive: true });
});

function cacheBefore(upstream: string, name: string): Promise<Nginx> {
  const example = readFileSync(inCheckout('docs/examples/nginx-cache.conf'), 'utf8');
  for (const line of Object.keys(IN_TEST)) expect(example).toContain(line);
  const changed = Object.entries(IN_TEST).reduce((text, [from, to]) => text.replaceAll(from, to), example);
  return startNginx(join(folder, name), (listen) =>
    changed
      .replaceAll('@LISTEN@', listen)
      .replaceAll('@SERVER@', new URL(upstream).host)
      .replaceAll('@CACHE@', join(folder, name, 'cache'))
      .replaceAll('@CACHE_SIZE@', '1g'),
  );
}

const pathOf = ({ digest }: RandomImage, file: string) => `/boot/images/${digest}/${file}`;
const get = (path: string, headers: Record<string, string> = {}) => ask(cache.url, path, { headers });
const hashOf = (body: Buffer) => createHash('sha256').update(body).digest('hex');

type Line = { readonly msg: string; readonly path: string; readonly status: number; readonly bytes: number };

/** What the server has answered since the last time, at a path. Lines come when an answer is over: it is waited for as many. */
const counted = new Map<string, number>();
async function upstream(path: string, atLeast: number): Promise<Line[]> {
  const lines = () =>
    readFileSync(server.log, 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line)
      .filter((line) => line.msg === 'request' && decodeURIComponent(line.path) === path)
      .slice(counted.get(path) ?? 0);
  // Not expect.poll: it does not know which of the tests that run at once it belongs to.
  await vi.waitFor(() => expect(lines().length).toBeGreaterThanOrEqual(atLeast), { timeout: 30_000 });
  const fresh = lines();
  counted.set(path, (counted.get(path) ?? 0) + fresh.length);
  return fresh;
}

test.each(['index.json', 'frames.json', 'kernel', 'initrd', 'data', 'raw'])(
  '%s comes as it is, also from the cache',
  async (file) => {
    const path = pathOf(images[0], file);
    const straight = await ask(server.url, path);
    await upstream(path, 1);
    const first = await get(path);
    const slices = Math.max(1, Math.ceil(straight.body.length / SLICE));
    expect(await upstream(path, slices)).toHaveLength(slices);
    const again = await get(path);
    for (const { status, body, headers } of [first, again]) {
      expect(status).toBe(200);
      expect(hashOf(body)).toBe(hashOf(straight.body));
      for (const name of ['etag', 'content-length', 'content-type', 'cache-control', 'accept-ranges'])
        expect([name, headers[name]]).toEqual([name, straight.headers[name]]);
    }
    expect(first.headers['x-cache-status']).toBe('MISS');
  },
);

// These wait for what is kept to grow old: all at once, each with paths of its own.
test.concurrent('what never changes is not asked for again, and a condition is answered by the cache', async () => {
  const path = pathOf(images[0], 'raw');
  const { headers } = await get(path);
  await pause(ASKED_AGAIN_MS);
  await upstream(path, 0);
  expect((await get(path)).headers['x-cache-status']).toBe('HIT');
  const status = async (condition: Record<string, string>) => (await get(path, condition)).status;
  expect(await status({ 'if-none-match': headers.etag ?? '' })).toBe(304);
  expect(await status({ 'if-match': '"another"' })).toBe(412);
  expect(await status({ 'if-range': headers.etag ?? '', range: 'bytes=5-9' })).toBe(206);
  expect(await status({ 'if-range': '"another"', range: 'bytes=5-9' })).toBe(200);
  expect(await upstream(path, 0)).toEqual([]);
});

test.concurrent('what may change is asked about again, by its ETag, and not sent again', async () => {
  const asked = async (path: string) => {
    const before = await get(path);
    await pause(ASKED_AGAIN_MS);
    // By now the line about the first is written.
    await upstream(path, 0);
    const after = await get(path);
    expect(hashOf(after.body)).toBe(hashOf(before.body));
    expect((await upstream(path, 1)).map(({ status }) => status)).toEqual([304]);
    expect(after.headers['cache-control']).toBe('no-cache');
  };
  await Promise.all([pathOf(images[0], 'frames.json'), '/boot/installer/vmlinuz'].map(asked));
});

test.concurrent('who has an index and who has none never get what is meant for the other', async () => {
  const [known, wanted] = images;
  const dictionary = Buffer.from(known.digest.slice('sha256:'.length), 'hex').toString('base64');
  const has = { 'accept-encoding': 'dcz', 'available-dictionary': `:${dictionary}:` };
  const asked = async (file: string) => {
    const path = pathOf(wanted, file);
    const plain = await ask(server.url, path);
    const coded = await ask(server.url, path, { headers: has });
    expect([plain.headers['content-encoding'], coded.headers['content-encoding']]).toEqual([
      undefined,
      'dcz',
    ]);
    await upstream(path, 2);
    for (const ms of [0, 0, ASKED_AGAIN_MS]) {
      await pause(ms);
      for (const [asked, straight] of [
        [{}, plain],
        [has, coded],
      ] as const) {
        const { status, headers, body } = await get(path, asked);
        expect([status, headers.etag, headers['content-encoding'], hashOf(body)]).toEqual([
          200,
          straight.headers.etag,
          straight.headers['content-encoding'],
          hashOf(straight.body),
        ]);
      }
    }
  };
  await Promise.all(['index.json', 'frames.json'].map(asked));
});

test.concurrent('pieces of two versions are never one answer', async ({ onTestFinished }) => {
  let version = 1;
  const stub = createServer((request, response) => {
    const body = Buffer.alloc(SLICE + 100, String(version));
    const [, first = '0', last = ''] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
    const end = Math.min(Number(last), body.length - 1);
    response.setHeader('etag', `"${version}"`);
    if (request.headers['if-none-match'] === `"${version}"`) return void response.writeHead(304).end();
    response.writeHead(206, {
      'cache-control': 'no-cache',
      'accept-ranges': 'bytes',
      'content-length': end + 1 - Number(first),
      'content-range': `bytes ${first}-${end}/${body.length}`,
    });
    response.end(body.subarray(Number(first), end + 1));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => stub.once('listening', resolve));
  const before = await cacheBefore(`http://127.0.0.1:${(stub.address() as AddressInfo).port}`, 'stub');
  onTestFinished(async () => {
    await before.close();
    stub.closeAllConnections();
    stub.close();
  });
  const path = pathOf(images[0], 'data');
  expect(new Set((await ask(before.url, path)).body)).toEqual(new Set(Buffer.from('1')));
  version = 2;
  await pause(ASKED_AGAIN_MS);
  // Only the last piece is asked about: the first is still of the version before.
  await ask(before.url, path, { headers: { range: `bytes=${SLICE}-` } });
  const outcome = await ask(before.url, path).then(
    ({ body }) => new Set(body),
    () => 'cut',
  );
  expect([new Set(Buffer.from('2')), 'cut']).toContainEqual(outcome);
  await pause(ASKED_AGAIN_MS);
  expect(new Set((await ask(before.url, path)).body)).toEqual(new Set(Buffer.from('2')));
});

test('a range fetches only the pieces that it touches', async () => {
  const path = pathOf(images[1], 'data');
  const whole = readFileSync(images[1].file);
  const middle = 2 * SLICE;
  for (const [range, start, end, pieces] of [
    // nginx learns the length from the first piece.
    ['bytes=-10', whole.length - 10, whole.length, 2],
    [`bytes=${middle - 5}-${middle + 4}`, middle - 5, middle + 5, 1],
    ['bytes=0-0', 0, 1, 0],
  ] as const) {
    const { status, body, headers } = await get(path, { range });
    expect(status).toBe(206);
    expect(headers['content-range']).toBe(`bytes ${start}-${end - 1}/${whole.length}`);
    expect(body.equals(whole.subarray(start, end))).toBe(true);
    expect((await upstream(path, pieces)).filter(({ status: each }) => each === 206)).toHaveLength(pieces);
  }
  expect((await get(path, { range: `bytes=${whole.length}-` })).status).toBe(416);
});

test('many who ask at once for what nobody has asked for cause one fetch of each piece', async () => {
  const path = pathOf(images[1], 'raw');
  const straight = hashOf((await ask(server.url, path)).body);
  await upstream(path, 1);
  const clients = await Promise.all(Array.from({ length: 30 }, () => get(path)));
  expect(new Set(clients.map(({ body }) => hashOf(body)))).toEqual(new Set([straight]));
  const slices = Math.ceil((clients[0]?.body.length ?? 0) / SLICE);
  expect(slices).toBeGreaterThan(2);
  await pause(200);
  expect(await upstream(path, slices)).toHaveLength(slices);
});

test('manifests, scripts and what else is made for one machine reach the server each time', async () => {
  const mac = '52:54:00:12:34:56';
  for (const [path, status] of [
    ['/boot.ipxe', 200],
    ['/boot/script', 200],
    [`/boot/hosts/${mac}/manifest`, 404],
    ['/boot/installer/config.img', 200],
    ['//ipxe.efi', null],
    ['//autoexec.ipxe', 200],
  ] as const) {
    const answers: Answer[] = [];
    for (let i = 0; i < 2; i += 1)
      answers.push(await get(path === '/boot/script' ? `${path}?mac=${mac}` : path));
    for (const each of answers) {
      expect(each.headers['x-cache-status']).toBeUndefined();
      if (status !== null) expect([path, each.status]).toEqual([path, status]);
    }
    expect(await upstream(path, 2)).toHaveLength(2);
  }
  const report = await ask(cache.url, `/boot/hosts/${mac}/reports`, { body: { kind: 'nonsense' } });
  expect(report.status).toBe(400);
});

test('as a mirror it gives a host the whole image, and when it is down the host asks the server', async () => {
  const helper = join(folder, 'helper');
  mkdirSync(helper, { recursive: true });
  execFileSync('make', ['-s', '-C', inCheckout('images/agent/helper'), `OUT=${helper}`, 'all']);
  const raw = await ask(server.url, pathOf(images[0], 'raw'));
  const mirror = await cacheBefore(server.url, 'mirror');
  for (const isUp of [true, false]) {
    if (!isUp) await mirror.close();
    const before = new FakeHost();
    onTestFinished(() => before.remove());
    const { ended, log } = flashFile({
      host: before,
      helper: join(helper, 'warmboot-helper'),
      server: server.url,
      image: images[0],
      bytes: raw.body.length,
      shell: ['sh'],
      mac: '52:54:00:12:34:56',
      attempt: 'attempt-1',
      more: `M_MIRROR=${mirror.url}`,
    });
    expect([isUp, await ended, hashOf(readFileSync(before.path('slot')))]).toEqual([
      isUp,
      0,
      hashOf(raw.body),
    ]);
    expect(log().includes(`the mirror ${mirror.url} fails`)).toBe(!isUp);
  }
});
