import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Compressor } from 'zstd-napi';
import { serializeIndex } from '../../server/core/image-index.ts';
import { sentChunk, sentFrame } from '../fixtures/frames.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';
import { chunkContent, sha256, testIndex } from '../fixtures/store-images.ts';
import { rawOf } from '../fixtures/store-world.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const UPLOADS = '/api/v1/uploads';
const begin = (index: string, name = 'sent', tag = 'latest') =>
  server.admin(UPLOADS, { body: { index, name, tag } });
const put = (path: string, body: Buffer) => server.admin(path, { method: 'PUT', body });
const post = (path: string) => server.admin(path, { method: 'POST' });

/** Every file below images/ and packs/. */
const stored = () =>
  ['images', 'packs'].flatMap((folder) =>
    readdirSync(join(server.dataDir, folder), { recursive: true, encoding: 'utf8' }).map(
      (name) => `${folder}/${name}`,
    ),
  );

test('an image is sent in parts, which may be repeated and taken up, and is whole then', async () => {
  const { text, digest } = testIndex({ kernel: 'the kernel', chunks: ['p', 'q', 'r', 'p'] });
  const begun = await begin(text);
  expect(begun.status).toBe(201);
  expect(begun.json).toMatchObject({
    digest,
    status: 'open',
    missing: ['p', 'q', 'r'].map((seed) => sha256(chunkContent(seed))),
    files: [
      { name: 'kernel', bytes: 10, received: 0 },
      { name: 'initrd', bytes: 6, received: 0 },
    ],
  });
  const at = `${UPLOADS}/${begun.json.id}`;
  expect((await post(`${at}/commit`)).status).toBe(409);
  expect((await put(`${at}/files/kernel?offset=4`, Buffer.from('x'))).status).toBe(409);
  expect((await put(`${at}/files/kernel`, Buffer.from('the k'))).json.files[0].received).toBe(5);
  expect((await put(`${at}/files/kernel?offset=4`, Buffer.from('kernel'))).json.files[0].received).toBe(10);
  expect((await put(`${at}/files/initrd`, Buffer.from('initrd'))).status).toBe(200);

  // The connection breaks within the second frame: the first has come.
  const [p, q, r] = [sentChunk('p'), sentChunk('q'), sentChunk('r')];
  const { hostname, port } = new URL(server.running.adminUrl);
  await new Promise<void>((resolve) => {
    const broken = request({
      hostname,
      port,
      path: `${at}/frames`,
      method: 'PUT',
      headers: { authorization: `Bearer ${server.token}`, 'content-length': p.length + q.length },
    });
    broken.on('error', () => resolve());
    broken.write(Buffer.concat([p, q.subarray(0, 50)]), () => setTimeout(() => broken.destroy(), 100));
  });
  await expect.poll(async () => (await server.admin(at)).json.missing.length).toBe(2);
  const rest = await put(`${at}/frames`, Buffer.concat([p, q, r]));
  expect(rest.json).toMatchObject({ missingChunks: 0, missingBytes: 0, status: 'open' });
  expect(rest.json).not.toHaveProperty('missing');

  const done = await post(`${at}/commit`);
  expect(done.status).toBe(201);
  expect(done.json).toMatchObject({ digest, tags: ['sent:latest'], chunks: 4, damaged: false });
  // The answer may be lost: asked again it is the same.
  expect((await post(`${at}/commit`)).json.digest).toBe(digest);
  expect((await put(`${at}/frames`, p)).status).toBe(409);
  const raw = await server.boot(`/boot/images/${digest}/raw`);
  expect(raw.body.equals(rawOf(['p', 'q', 'r', 'p']))).toBe(true);
  expect((await server.boot(`/boot/images/${digest}/kernel`)).text).toBe('the kernel');

  // Once more: nothing is missing.
  const again = await begin(text, 'sent', 'second');
  expect(again.json).toMatchObject({ missing: [], files: [] });
  expect((await post(`${UPLOADS}/${again.json.id}/commit`)).json.tags).toEqual([
    'sent:latest',
    'sent:second',
  ]);
  expect((await server.admin(`/api/v1/images/${digest}`, { method: 'DELETE' })).json).toMatchObject({
    digest,
    tagsRemoved: 2,
    isGone: true,
    keptFor: [],
  });
  expect((await server.boot(`/boot/images/${digest}/raw`)).status).toBe(404);
});

const bomb = (hash: string) => sentFrame(hash, new Compressor().compress(Buffer.alloc(64 << 20)));
const lying = (hash: string) => {
  const frame = Buffer.from(new Compressor().compress(chunkContent('wrong')));
  return sentFrame(hash, frame.subarray(0, frame.length - 3));
};

test.each([
  ['another content', () => sentChunk('good', chunkContent('other'))],
  ['a bomb', () => bomb(sha256(chunkContent('good')))],
  ['a frame that breaks off', () => lying(sha256(chunkContent('good')))],
  ['no frame at all', () => sentFrame(sha256(chunkContent('good')), Buffer.from('not a frame'))],
])('%s is refused at the commit, and nothing of it remains', async (_what, frame) => {
  const before = stored();
  const { text } = testIndex({ chunks: ['good', 'fine'] });
  const { id } = (await begin(text)).json;
  await put(`${UPLOADS}/${id}/files/kernel`, Buffer.from('kernel'));
  await put(`${UPLOADS}/${id}/files/initrd`, Buffer.from('initrd'));
  expect((await put(`${UPLOADS}/${id}/frames`, Buffer.concat([frame(), sentChunk('fine')]))).status).toBe(
    200,
  );
  const { status, json } = await post(`${UPLOADS}/${id}/commit`);
  expect(status).toBe(422);
  expect(json.detail).toContain('is not the image');
  expect(stored()).toEqual(before);
  expect((await server.admin(`${UPLOADS}/${id}`)).status).toBe(404);
});

test('a kernel that is not the one of the index is refused at the commit', async () => {
  const before = stored();
  const { id } = (await begin(testIndex({}).text)).json;
  await put(`${UPLOADS}/${id}/files/kernel`, Buffer.from('kernal'));
  await put(`${UPLOADS}/${id}/files/initrd`, Buffer.from('initrd'));
  const { status, json } = await post(`${UPLOADS}/${id}/commit`);
  expect([status, json.detail]).toEqual([422, expect.stringContaining('kernel')]);
  expect(stored()).toEqual(before);
});

test('what was not asked for, or is too much, is refused at once', async () => {
  const { id } = (await begin(testIndex({ chunks: ['good'] }).text)).json;
  const at = `${UPLOADS}/${id}`;
  const hash = sha256(chunkContent('good'));
  expect((await put(`${at}/frames`, sentChunk('stranger'))).status).toBe(422);
  expect((await put(`${at}/frames`, sentFrame(hash, Buffer.alloc(0), 0xffffffff))).status).toBe(422);
  expect((await put(`${at}/frames`, sentFrame(hash, Buffer.alloc(20_000)))).status).toBe(422);
  expect((await put(`${at}/frames`, sentFrame(hash, Buffer.alloc(0), 100))).status).toBe(400);
  expect((await put(`${at}/files/kernel`, Buffer.alloc(7))).status).toBe(422);
  expect((await put(`${at}/files/..%2F..%2Fx`, Buffer.alloc(1))).status).toBe(404);
  expect((await put(`${at}/files/data`, Buffer.alloc(1))).status).toBe(404);
  expect((await server.admin(at, { method: 'DELETE' })).status).toBe(204);
  expect((await server.admin(at)).status).toBe(404);
  expect(stored().filter((name) => name.includes('tmp'))).toEqual([]);
});

const { index, text: INDEX } = testIndex({ chunks: ['good'] });
test.each([
  ['spaces', INDEX.replace('{"version"', '{ "version"')],
  ['another order of keys', JSON.stringify(Object.fromEntries(Object.entries(index).reverse()))],
  ['an unknown key', INDEX.replace('"requires"', '"x":1,"requires"')],
  ['no newline at its end', INDEX.trim()],
  ['shell code in append', serializeIndex({ ...index, append: 'quiet; reboot' })],
  ['a quote in append', serializeIndex({ ...index, append: "a'b" })],
  ['a long append', serializeIndex({ ...index, append: 'a'.repeat(1025) })],
  ['a path as release', serializeIndex({ ...index, kernel: { ...index.kernel, release: '../x' } })],
  ['an escape in a name', serializeIndex({ ...index, os: { ...index.os, name: '\u001b[2J' } })],
  ['a long name', serializeIndex({ ...index, os: { ...index.os, name: 'x'.repeat(257) } })],
  ['an odd architecture', serializeIndex({ ...index, architecture: 'amd64/../x' })],
])('an index with %s is refused', async (_what, text) => {
  const { status, json } = await begin(text);
  expect([status, json.detail]).toEqual([422, expect.stringMatching(/^The index cannot be taken: /)]);
});

test('names are checked before anything is stored', async () => {
  expect((await begin(INDEX, '../x')).status).toBe(422);
  expect((await begin(INDEX, 'x', 'a b')).status).toBe(422);
});

test('the archive: known length, any range, the same twice, a tar for everybody', async () => {
  const at = '/api/v1/images/one/archive';
  const whole = await server.admin(at);
  expect(whole.status).toBe(200);
  expect(Number(whole.headers['content-length'])).toBe(whole.body.length);
  expect((await server.admin(at)).body.equals(whole.body)).toBe(true);
  const { body } = await server.admin(at, { headers: { range: 'bytes=700-9000' } });
  expect(body.equals(whole.body.subarray(700, 9001))).toBe(true);
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-archive-'));
  try {
    writeFileSync(join(folder, 'x.tar'), whole.body);
    await execa('tar', ['-xf', 'x.tar'], { cwd: folder });
    for (const file of ['index.json', 'kernel', 'initrd', 'frames.json', 'data'])
      expect(readFileSync(join(folder, file)).equals(server.one.files[file] ?? Buffer.alloc(0))).toBe(true);
    expect(JSON.parse(readFileSync(join(folder, 'warmboot-image.json'), 'utf8'))).toEqual({
      format: 'warmboot-image',
      version: 1,
      digest: server.one.digest,
      name: 'one',
      tag: 'latest',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
  const installer = await server.admin('/api/v1/images/installer/archive');
  expect(installer.body.includes('index.json')).toBe(true);
  expect((await server.admin('/api/v1/images/none/archive')).status).toBe(404);
});

test('an image in use is not removed, and the answer names the host', async () => {
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'two' } });
  const { status, json } = await server.admin('/api/v1/images/two', { method: 'DELETE' });
  expect([status, json.detail]).toEqual([409, expect.stringContaining(mac)]);
  expect((await server.boot(`/boot/images/${server.two.digest}/raw`)).status).toBe(200);
  expect((await server.admin('/api/v1/images/none', { method: 'DELETE' })).status).toBe(404);
});

test('a check of the store, as JSON and as a stream', async () => {
  const found = await post('/api/v1/store/verify');
  expect(found.status).toBe(200);
  expect(found.json).toMatchObject({ damage: [], affected: [] });
  expect(found.json.chunks).toBeGreaterThan(0);
  const headers = { accept: 'text/event-stream' };
  const stream = await server.admin('/api/v1/store/verify', { method: 'POST', headers });
  expect(stream.headers['content-type']).toContain('text/event-stream');
  expect(stream.text).toMatch(/event: progress\n[\s\S]+event: end\n/);
  const both = await Promise.all([post('/api/v1/store/verify'), post('/api/v1/store/verify')]);
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
});
