import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { compress } from 'zstd-napi';
import { imageFolder } from '../../server/blobs/places.ts';
import { makeHelper } from '../fixtures/helper.ts';
import { type RandomImage, storeRandomImages } from '../fixtures/random-images.ts';
import { ask, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { flashFile } from './flash-file.ts';
import { FakeHost, SHELLS } from './shell.ts';

/** Index and frames on their way to a host that has the index of another image: the real curl, helper and server. */

let server: TestServer;
let first: RandomImage;
let second: RandomImage;
let helper: string;
let raw: Buffer;
beforeAll(async () => {
  helper = await makeHelper('all');
  server = await runningServer();
  [first, second] = await storeRandomImages(server.dataDir, 8 * 2 ** 20);
  raw = (await server.boot(`/boot/images/${second.digest}/raw`)).body;
}, 120_000);
afterAll(() => server.close());

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  onTestFinished(() => host.remove());
});

type Sent = { readonly file: string; readonly coding: string | undefined; readonly bytes: number };
type Answered = { status: number; headers: Record<string, string | undefined>; body: Buffer };

/** Stands between host and server, changes what is sent of index and frames, and writes it down. */
async function between(change: (answered: Answered, asked: string | undefined) => void = () => {}) {
  const sent: Sent[] = [];
  const proxy = createServer(async (request, response) => {
    const { host: _, ...asked } = request.headers as Record<string, string>;
    const path = request.url ?? '/';
    const { status, headers, body } = await ask(server.running.boot?.url ?? '', path, { headers: asked });
    const answered = { status, headers: { ...headers } as Answered['headers'], body };
    if (path.endsWith('.json')) {
      change(answered, asked['accept-encoding']);
      const coding = answered.headers['content-encoding'];
      sent.push({ file: path.slice(path.lastIndexOf('/') + 1), coding, bytes: answered.body.length });
    }
    for (const [name, value] of Object.entries(answered.headers))
      if (value !== undefined && name !== 'content-length') response.setHeader(name, value);
    response.writeHead(answered.status, { 'content-length': answered.body.length }).end(answered.body);
  });
  proxy.listen(0, '127.0.0.1');
  await new Promise((resolve) => proxy.once('listening', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, sent };
}

/** The second image, on a host whose slot b has the first one's index. */
async function flash(url: string, shell: readonly string[] = SHELLS[0] ?? ['sh'], more = '') {
  host.write('run/boot/warmboot/b/valid', '');
  const from = join(imageFolder(server.dataDir, first.digest), 'index.json');
  cpSync(from, host.path('run/boot/warmboot/b/index.json'));
  const { ended, log } = flashFile({
    host,
    helper,
    server: url,
    image: second,
    bytes: raw.length,
    shell,
    mac: '52:54:00:12:34:56',
    attempt: 'att-1',
    more: `slots_on() { :; }; ${more}`,
    disk: 'disk',
  });
  expect(await ended).toBe(0);
  const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
  expect(sha256(readFileSync(host.path('slot')))).toBe(sha256(raw));
  return log();
}

const textBytes = (file: string) =>
  server.boot(`/boot/images/${second.digest}/${file}`).then(({ body }) => body.length);

test.each(SHELLS)(
  'in %s: only what the host cannot know of them is sent',
  async (...shell) => {
    const { url, sent } = await between();
    await flash(url, shell);
    expect(sent.map(({ file, coding }) => `${file} ${coding}`)).toEqual([
      'index.json dcz',
      'frames.json dcz',
    ]);
    expect(sent[0]?.bytes).toBeLessThan((await textBytes('index.json')) * 0.35);
    expect(sent[1]?.bytes).toBeLessThan((await textBytes('frames.json')) * 0.2);
    for (const file of ['index.json', 'frames.json'])
      expect(readFileSync(host.path(`run/work/${file}`)).length).toBe(await textBytes(file));
  },
  60_000,
);

test('a host without an index gets the index as it is', async () => {
  const { url, sent } = await between();
  await flash(url, undefined, 'rm "$BOOT/warmboot/b/index.json"');
  expect(sent.map(({ coding }) => coding)).toEqual([undefined, 'dcz']);
}, 60_000);

test('of an index that the host has and the server has not, nothing is left out', async () => {
  const { url, sent } = await between();
  await flash(url, undefined, 'echo >> "$BOOT/warmboot/b/index.json"');
  expect(sent.map(({ coding }) => coding)).toEqual([undefined, 'dcz']);
}, 60_000);

/** Passes on what a server of before would have answered: nothing is asked for twice. */
test('a server that leaves nothing out is understood', async () => {
  const plain = new Map<string, Buffer>();
  for (const file of ['index.json', 'frames.json'])
    plain.set(file, (await server.boot(`/boot/images/${second.digest}/${file}`)).body);
  let next = 0;
  const { url, sent } = await between((answered) => {
    answered.headers = {};
    answered.body = [...plain.values()][next++] ?? Buffer.alloc(0);
  });
  await flash(url);
  expect(sent.map(({ file, coding }) => `${file} ${coding}`)).toEqual([
    'index.json undefined',
    'frames.json undefined',
  ]);
}, 60_000);

const withFrame = (body: Buffer, frame: Buffer) => Buffer.concat([body.subarray(0, 40), frame]);
test.each<[string, (answered: Answered) => void, RegExp]>([
  [
    'more than is taken',
    (answered) => {
      answered.body = withFrame(answered.body, compress(Buffer.alloc(200 * 2 ** 20)));
    },
    /says that it has 209715200 bytes, and more than 33554432 are not taken/,
  ],
  [
    'cut off, by one that says so nowhere',
    (answered) => {
      answered.body = answered.body.subarray(0, -20);
    },
    /is damaged/,
  ],
  [
    'another text',
    (answered) => {
      answered.body = withFrame(answered.body, compress(Buffer.from('{"version":1}')));
    },
    /index.json came damaged/,
  ],
  [
    'a coding that nobody asked for',
    (answered) => {
      answered.headers['content-encoding'] = 'br';
    },
    /a coding that was not asked for/,
  ],
  [
    'a refusal',
    (answered) => {
      answered.status = 406;
      answered.headers['content-encoding'] = undefined;
    },
    /./,
  ],
])(
  '%s: refused with the reason, and all of it is fetched as it is',
  async (_, spoil, reason) => {
    let refused = 0;
    const { url, sent } = await between((answered, asked) => {
      if (asked !== 'dcz' || refused > 0) return;
      refused += 1;
      spoil(answered);
    });
    const log = await flash(url);
    expect(sent.map(({ file }) => file)).toEqual(['index.json', 'index.json', 'frames.json']);
    expect(sent[1]).toEqual({
      file: 'index.json',
      coding: undefined,
      bytes: await textBytes('index.json'),
    });
    expect(log).toMatch(reason);
    expect(existsSync(host.path('run/work/reason'))).toBe(false);
  },
  60_000,
);
