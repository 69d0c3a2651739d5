import { createHash } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { imageFolder } from '../../server/blobs/places.ts';
import { makeHelper } from '../fixtures/helper.ts';
import { type RandomImage, storeRandomImages } from '../fixtures/random-images.ts';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';
import { flashFile } from './flash-file.ts';
import { FakeHost, SHELLS } from './shell.ts';

/** How a slot is flashed by parts: the real curl and the real helper, and a network that does not mean well. */

const BYTES = 40 * 2 ** 20;
const DASH = SHELLS[0] ?? ['sh'];

let server: TestServer;
let first: RandomImage;
/** Has about half of its chunks from the first. */
let second: RandomImage;
let helper: string;
let raw: Map<string, Buffer>;
let frames: Map<string, { bytes: number; chunk: string }[]>;
beforeAll(async () => {
  helper = await makeHelper('all');
  server = await runningServer();
  [first, second] = await storeRandomImages(server.dataDir, BYTES);
  raw = new Map();
  frames = new Map();
  for (const { digest } of [first, second]) {
    raw.set(digest, (await server.boot(`/boot/images/${digest}/raw`)).body);
    frames.set(digest, (await server.boot(`/boot/images/${digest}/frames.json`)).json.frames);
  }
});
afterAll(() => server.close());

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  onTestFinished(() => host.remove());
});

type Asked = { readonly range: string; readonly ifMatch: string | undefined };

/** A request for `data`, and what shall become of it; undefined: what the server says. */
type Meddle = (asked: {
  readonly number: number;
  readonly active: number;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}) => undefined | 'answered' | { cutAfter: number } | { alterAt: number } | { shortenBy: number };

/** Stands between host and server, and meddles with `data`. */
async function between(meddle: Meddle) {
  const asked: Asked[] = [];
  let [active, most] = [0, 0];
  const upstream = new URL(server.running.boot?.url ?? '');
  const proxy = createServer((request, response) => {
    const isData = request.url?.endsWith('/data') ?? false;
    let what: ReturnType<Meddle>;
    if (isData) {
      active += 1;
      response.once('close', () => {
        active -= 1;
      });
      most = Math.max(most, active);
      asked.push({ range: request.headers.range ?? '', ifMatch: request.headers['if-match'] });
      what = meddle({ number: asked.length, active, request, response });
      if (what === 'answered') return;
    }
    const { url, method, headers } = request;
    const on = httpRequest(new URL(url ?? '/', upstream), { method, headers }, (answer) =>
      pass(answer, response, what),
    );
    on.on('error', () => response.destroy());
    response.once('close', () => on.destroy());
    request.pipe(on);
  });
  proxy.listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const { port } = proxy.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, asked, most: () => most, proxy };
}

function pass(answer: IncomingMessage, response: ServerResponse, what: ReturnType<Meddle>): void {
  const meddling = what as { cutAfter?: number; alterAt?: number; shortenBy?: number } | undefined;
  const headers = { ...answer.headers };
  let left = Number(headers['content-length'] ?? 0) - (meddling?.shortenBy ?? 0);
  if (meddling?.shortenBy) headers['content-length'] = String(left);
  response.writeHead(answer.statusCode ?? 502, headers);
  let at = 0;
  answer.on('data', (data: Buffer) => {
    const { alterAt = -1, cutAfter = Number.POSITIVE_INFINITY } = meddling ?? {};
    if (alterAt >= at && alterAt < at + data.length) data[alterAt - at] = (data[alterAt - at] ?? 0) ^ 1;
    const wanted = meddling?.shortenBy ? data.subarray(0, Math.max(0, left)) : data;
    left -= data.length;
    if (at + data.length > cutAfter) {
      response.write(data.subarray(0, Math.max(0, cutAfter - at)), () => response.destroy());
      answer.destroy();
    } else {
      response.write(wanted);
    }
    at += data.length;
  });
  answer.on('end', () => response.end());
  answer.on('error', () => response.destroy());
}

const flash = (image: RandomImage, url: string, more = '', shell = DASH) =>
  flashFile({
    host,
    helper,
    server: url,
    image,
    bytes: raw.get(image.digest)?.length ?? 0,
    shell,
    mac: '52:54:00:12:34:56',
    attempt: 'att-1',
    more: `STREAMS=4; slots_on() { :; }; ${more}`,
    disk: 'disk',
  });

const hash = (data: Buffer | undefined) =>
  createHash('sha256')
    .update(data ?? '')
    .digest('hex');
const written = () => hash(readFileSync(host.path('slot')));
const wholeOf = (image: RandomImage) => hash(raw.get(image.digest));

/** Processes that belong to this host's work: they carry its folder in their environment. */
function left(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false;
      if (/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) return false;
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(`WB_RUN=${host.path('run')}`);
    } catch {
      return false;
    }
  });
}

const bytesAsked = (asked: readonly Asked[]) =>
  asked.reduce((sum, { range }) => {
    const [, from = '0', to = '0'] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    return sum + Number(to) - Number(from) + 1;
  }, 0);

test.each(SHELLS)(
  'in %s: several streams at once, single ranges, each byte once, all of one version',
  async (...shell) => {
    const { url, asked, most } = await between(() => undefined);
    const { ended } = flash(first, url, 'FRESH=yes', shell);
    expect([await ended, written()]).toEqual([0, wholeOf(first)]);
    expect(most()).toBeGreaterThan(1);
    expect(most()).toBeLessThanOrEqual(4);
    expect(bytesAsked(asked)).toBe(first.bytes);
    // Who begins may not have seen the ETag yet; nobody else may leave it out.
    const versions = asked.flatMap(({ ifMatch }) => ifMatch ?? []);
    expect(asked.length - versions.length).toBeLessThanOrEqual(4);
    expect(versions.every((version) => /^"[0-9a-f]{64}"$/.test(version))).toBe(true);
    expect(left()).toEqual([]);
  },
);

/** A disk with the slot `b`, which holds this image, and with what an agent leaves of it on the boot partition. */
function otherSlot(image: RandomImage, index: 'with its index' | 'without'): string {
  const before = host.path('before');
  writeFileSync(before, raw.get(image.digest) ?? '');
  host.write('run/boot/warmboot/b/valid', `DIGEST='${image.digest}'\nNAME='os'\nATTEMPT='att-0'\n`);
  if (index === 'with its index')
    cpSync(
      join(imageFolder(server.dataDir, image.digest), 'index.json'),
      host.path('run/boot/warmboot/b/index.json'),
    );
  return `slots_on() { echo b; }; partition_on() { echo before; }; device() { echo '${before}'; };`;
}

test.each(['with its index', 'without'] as const)(
  'of an image that another slot holds (%s) nothing is fetched again; of a pair, what is new',
  async (index) => {
    const { url, asked } = await between(() => undefined);
    const { ended, log } = flash(second, url, otherSlot(first, index));
    expect([await ended, written()]).toEqual([0, wholeOf(second)]);
    const chunks = (image: RandomImage) => framesOf(image).map(({ chunk }) => chunk);
    const old = new Set(chunks(first));
    const missing = framesOf(second).filter(({ chunk }) => !old.has(chunk));
    const wanted = missing.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(wanted).toBeLessThan(second.bytes * 0.6);
    expect(bytesAsked(asked)).toBeGreaterThanOrEqual(wanted);
    expect(bytesAsked(asked)).toBeLessThanOrEqual(wanted * 1.05);
    expect(log()).toContain(`fetched ${Math.floor(wanted / 1024)} KiB of data`);
  },
);

function framesOf({ digest }: RandomImage): { bytes: number; chunk: string }[] {
  return frames.get(digest) ?? [];
}

test('a slot whose index cannot be had costs nothing but the download', async () => {
  const { url } = await between(() => undefined);
  const more = `${otherSlot(first, 'without')} sed -i 's/sha256:..../sha256:0000/' "$BOOT/warmboot/b/valid"`;
  const { ended } = flash(second, url, more);
  expect([await ended, written()]).toEqual([0, wholeOf(second)]);
});

test('the same image again fetches no data', async () => {
  const { url, asked } = await between(() => undefined);
  const one = flash(first, url);
  expect(await one.ended).toBe(0);
  const before = asked.length;
  cpSync(host.path('slot'), host.path('kept'));
  const two = flash(first, url, `cp '${host.path('kept')}' '${host.path('slot')}'`);
  expect([await two.ended, written()]).toEqual([0, wholeOf(first)]);
  expect(asked.length).toBe(before);
});

test.each<[string, Meddle, RegExp | null]>([
  [
    'a stream that breaks off now and then',
    ({ number }) => (number % 3 === 1 ? { cutAfter: 1_000_000 } : undefined),
    /data ended/,
  ],
  [
    'answers that are shorter than what was asked for',
    ({ number }) => (number < 6 ? { shortenBy: 1000 } : undefined),
    null,
  ],
  [
    'a byte that was altered in one stream',
    ({ number }) => (number === 2 ? { alterAt: 70_000 } : undefined),
    /is corrupt/,
  ],
  [
    'all of it instead of a part',
    ({ number, response }) => {
      if (number !== 1) return undefined;
      response.writeHead(200, { 'content-length': 10 ** 9 });
      response.flushHeaders();
      return 'answered';
    },
    /does not give parts|Maximum file size exceeded/i,
  ],
  [
    '503 to all but one, for as long as that one is under way',
    ({ active, response }) => {
      if (active === 1) return undefined;
      response.writeHead(503, { 'retry-after': '1' }).end();
      return 'answered';
    },
    null,
  ],
  [
    'no answer to all but one',
    ({ active, response }) => {
      if (active === 1) return undefined;
      response.destroy();
      return 'answered';
    },
    null,
  ],
])('%s', async (_, meddle, said) => {
  const { url } = await between(meddle);
  const { ended, log } = flash(first, url);
  expect([await ended, written()]).toEqual([0, wholeOf(first)]);
  if (said) expect(log()).toMatch(said);
  expect(left()).toEqual([]);
});

test('data that has changed on the server is asked for by new frames', async () => {
  let changed = 0;
  const { url } = await between(({ request, response }) => {
    if (request.headers['if-match'] === undefined || changed > 0) return undefined;
    changed += 1;
    response.writeHead(412).end();
    return 'answered';
  });
  const { ended, log } = flash(first, url);
  expect([await ended, written(), changed]).toEqual([0, wholeOf(first), 1]);
  expect(log()).toContain('is not what it was');
});

test('with a rate there is one stream, and it keeps to the rate', async () => {
  const { url, most } = await between(() => undefined);
  const began = performance.now();
  const { ended } = flash(first, url, 'M_RATE=20000000');
  expect([await ended, written(), most()]).toEqual([0, wholeOf(first), 1]);
  expect(performance.now() - began).toBeGreaterThan(1000);
});

test('a server that dies in the middle of several streams and comes back costs only what was under way', async () => {
  let down = 0;
  const sockets = new Set<{ destroy(): void }>();
  const meddle: Meddle = ({ number, response }) => {
    if (number === 6) down = performance.now() + 1500;
    if (performance.now() < down) {
      for (const each of sockets) each.destroy();
      response.destroy();
      return 'answered';
    }
    if (response.socket) sockets.add(response.socket);
    return undefined;
  };
  const { url } = await between(meddle);
  const { ended } = flash(first, url);
  expect([await ended, written()]).toEqual([0, wholeOf(first)]);
  expect(left()).toEqual([]);
});

test('work that is dropped in the middle of four streams leaves none of them', async () => {
  // Stream 0 has to get something before the others begin: the first goes through.
  const slow = await between(({ number, response }) => {
    if (number === 1) return { cutAfter: 2_000_000 };
    response.writeHead(206, { 'content-length': 10 ** 6 });
    response.flushHeaders();
    return 'answered';
  });
  const { ended } = flash(first, slow.url);
  await expect.poll(() => slow.most()).toBe(4);
  expect(left().length).toBeGreaterThan(4);
  await execa('sh', ['-c', ': > "$1/unwanted"; kill "$(cat "$1/pid")"', 'sh', host.path('run/work')]);
  expect(await ended).toBe(2);
  await expect.poll(left).toEqual([]);
});

test.each([
  // It comes back when patience has long been over.
  [
    'which is away, as its reports show, is waited for as long as it takes',
    { reported: 1, backAfterMs: 9_000 },
    0,
  ],
  [
    'which takes reports and gives nothing is given up',
    { reported: 0, backAfterMs: Number.POSITIVE_INFINITY },
    1,
  ],
] as const)('a server %s', async (_, { reported, backAfterMs }, end) => {
  let began = 0;
  const { url } = await between(({ request }) => {
    // A busy machine may come late to ask at all.
    began ||= performance.now();
    if (performance.now() - began > backAfterMs) return undefined;
    request.destroy();
    return 'answered';
  });
  const { ended, log } = flash(first, url, `PATIENCE_SECONDS=4; report() { return ${reported}; }`);
  expect(await ended).toBe(end);
  if (end === 0) expect(written()).toBe(wholeOf(first));
  else expect(readFileSync(host.path('run/work/reason'), 'utf8')).toMatch(/^no data from the server for 4 s/);
  expect(log()).toContain('the data ended behind byte');
});
