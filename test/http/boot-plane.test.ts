import { readFileSync, truncateSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packPath } from '../../server/blobs/places.ts';
import { newMac, runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const FILES = ['index.json', 'frames.json', 'data', 'raw', 'kernel', 'initrd'];
const at = (file: string) => `/boot/images/${server.one.digest}/${file}`;
const bytesOf = (file: string) => server.one.files[file] ?? Buffer.alloc(0);

describe.each(FILES)('%s of an image', (file) => {
  test('whole, with its length, a strong ETag and how long it may be kept', async () => {
    const { status, headers, body } = await server.boot(at(file));
    expect(status).toBe(200);
    expect(body.equals(bytesOf(file))).toBe(true);
    expect(headers['content-length']).toBe(String(bytesOf(file).length));
    expect(headers['accept-ranges']).toBe('bytes');
    expect(headers.etag).toMatch(/^"[0-9a-f]{64}(-raw)?"$/);
    expect(headers['cache-control']).toContain(
      ['frames.json', 'data'].includes(file) ? 'no-cache' : 'immutable',
    );
  });

  test('HEAD says the same without a body; a range is for GET alone', async () => {
    const whole = await server.boot(at(file));
    for (const headers of [{}, { range: 'bytes=0-3' }] as Record<string, string>[]) {
      const head = await server.boot(at(file), { method: 'HEAD', headers });
      expect(head.status).toBe(200);
      expect(head.body.length).toBe(0);
      expect(head.headers.etag).toBe(whole.headers.etag);
      expect(head.headers['content-length']).toBe(whole.headers['content-length']);
    }
  });

  test('ranges', async () => {
    const all = bytesOf(file);
    const size = all.length;
    const middle = Math.floor(size / 2);
    for (const [range, start, end] of [
      ['bytes=0-0', 0, 1],
      [`bytes=${middle}-`, middle, size],
      [`bytes=${middle - 1}-${middle + 1}`, middle - 1, middle + 2],
      ['bytes=-7', size - 7, size],
      [`bytes=${size - 1}-${size + 99}`, size - 1, size],
    ] as const) {
      const { status, headers, body } = await server.boot(at(file), { headers: { range } });
      expect(status).toBe(206);
      expect(headers['content-range']).toBe(`bytes ${start}-${end - 1}/${size}`);
      expect(headers['content-length']).toBe(String(end - start));
      expect(body.equals(all.subarray(start, end))).toBe(true);
    }
  });

  test('ranges that cannot be had', async () => {
    const size = bytesOf(file).length;
    const beyond = await server.boot(at(file), { headers: { range: `bytes=${size}-` } });
    expect(beyond.status).toBe(416);
    expect(beyond.headers['content-range']).toBe(`bytes */${size}`);
    expect(beyond.headers['content-type']).toBe('application/problem+json');
    const wrong = await server.boot(at(file), { headers: { range: 'bytes=9-1' } });
    expect(wrong.status).toBe(400);
    expect(wrong.headers['content-type']).toBe('application/problem+json');
    const several = await server.boot(at(file), { headers: { range: 'bytes=0-1,4-5' } });
    expect([several.status, several.body.length]).toEqual([200, size]);
  });

  test('conditions', async () => {
    const etag = (await server.boot(at(file))).headers.etag ?? '';
    const status = async (headers: Record<string, string>) =>
      (await server.boot(at(file), { headers })).status;
    expect(await status({ 'if-none-match': etag })).toBe(304);
    expect(await status({ 'if-none-match': `"x", W/${etag}` })).toBe(304);
    expect(await status({ 'if-none-match': '*' })).toBe(304);
    expect(await status({ 'if-none-match': '"x"' })).toBe(200);
    expect(await status({ 'if-match': '"x"' })).toBe(412);
    expect(await status({ 'if-match': etag })).toBe(200);
    expect(await status({ 'if-match': `W/${etag}` })).toBe(412);
    expect(await status({ 'if-none-match': `"x", W/${etag}` })).toBe(304);
    expect(await status({ 'if-range': etag, range: 'bytes=0-1' })).toBe(206);
    expect(await status({ 'if-range': '"x"', range: 'bytes=0-1' })).toBe(200);
    expect(await status({ 'if-range': `W/${etag}`, range: 'bytes=0-1' })).toBe(200);
  });
});

test('an image that is not there, and a name that is none', async () => {
  const status = async (path: string) => (await server.boot(path)).status;
  expect(await status(`/boot/images/sha256:${'0'.repeat(64)}/raw`)).toBe(404);
  expect(await status(`/boot/images/${server.one.digest}/secret`)).toBe(404);
  expect(await status('/boot/images/one/raw')).toBe(400);
  expect(await status(at('raw').replace(':', '%3A'))).toBe(200);
  const installer = await server.boot('/boot/installer/vmlinuz');
  expect(installer.text).toContain('kernel of installer');
});

test.each([
  '/boot/nbp/../../../../etc/passwd',
  '/boot/nbp/..%2f..%2f..%2fetc%2fpasswd',
  '/boot/nbp/%2e%2e/%2e%2e/etc/passwd',
  '/boot/images/../../etc/passwd',
  '//..%2fetc%2fpasswd',
  '//etc/passwd',
  '/boot/installer/..%2fconfig.img%00',
  '/%',
  '/boot/images/%zz/raw',
])('nothing outside is reached by %s', async (path) => {
  const { status, headers, text } = await server.boot(path);
  expect([400, 404]).toContain(status);
  expect(text).not.toContain('root:');
  expect(headers['content-type']).toBe('application/problem+json');
});

test('NBPs with one slash too many', async () => {
  const single = await server.boot('/boot/nbp/ipxe.efi');
  const doubled = await server.boot('//ipxe.efi');
  expect(doubled.status).toBe(single.status);
  expect(doubled.body.equals(single.body)).toBe(true);
  expect((await server.boot('//ipxe.efi', { body: 'x' })).status).toBe(404);
  expect((await server.boot('//autoexec.ipxe')).text).toMatch(/^#!ipxe\n/);
});

test('iPXE scripts name the server by its boot URL, never by a Host header', async () => {
  const mac = newMac();
  await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
  const headers = { host: 'evil.example' };
  for (const path of ['/boot.ipxe', `/boot/script?mac=${mac}`, `/boot/script?mac=${newMac()}`]) {
    const { status, text, headers: answered } = await server.boot(path, { headers });
    expect(status).toBe(200);
    expect(text).toContain(server.running.boot?.url);
    expect(text).not.toContain('evil');
    expect(answered['cache-control']).toBe('no-store');
  }
  expect((await server.boot('/boot/script')).status).toBe(400);
  expect((await server.boot('/boot/script?mac=zz')).status).toBe(400);
  expect((await server.boot('/boot/hosts')).status).toBe(404);
});

test('asking changes nothing', async () => {
  const before = await server.admin('/api/v1/events');
  const mac = newMac();
  for (const path of [`/boot/script?mac=${mac}`, `/boot/hosts/${mac}/manifest`]) await server.boot(path);
  const after = await server.admin('/api/v1/events');
  expect(after.text).toBe(before.text);
  expect((await server.admin(`/api/v1/hosts/${mac}`)).status).toBe(404);
});

test('the config image carries key and address', async () => {
  const { status, body } = await server.boot('/boot/installer/config.img');
  expect(status).toBe(200);
  expect(body.toString('latin1', 0, 6)).toBe('070701');
  expect(body.toString()).toContain(`${server.running.boot?.url}\n`);
  expect(body.toString()).toContain('BEGIN PUBLIC KEY');
  expect(body.toString()).not.toContain('PRIVATE');
});

describe('GET layout', () => {
  async function installing() {
    const mac = newMac();
    const { json } = await server.admin('/api/v1/hosts', { body: { macs: [mac], image: 'one' } });
    return { mac, attempt: json.attempt.id as string };
  }
  test('is as recorded but for the GUIDs, which follow from host and attempt', async () => {
    const { mac, attempt } = await installing();
    const path = `/boot/hosts/${mac}/layout?attempt=${attempt}&bytes=6442450944&sector=512`;
    const { status, text, headers } = await server.boot(path);
    expect(status).toBe(200);
    expect(headers['content-type']).toContain('text/plain');
    const shown = text.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'GUID');
    await expect(shown).toMatchFileSnapshot(join(import.meta.dirname, '../golden/manifest/layout.sfdisk'));
    expect((await server.boot(path)).text).toBe(text);
    const head = await server.boot(path, { method: 'HEAD' });
    expect([head.status, head.text, head.headers['content-type']]).toEqual([
      200,
      '',
      headers['content-type'],
    ]);
  });
  test('is refused with a reason', async () => {
    const { mac, attempt } = await installing();
    const status = async (query: string) => (await server.boot(`/boot/hosts/${mac}/layout?${query}`)).status;
    const small = await server.boot(`/boot/hosts/${mac}/layout?bytes=1000000&sector=512`);
    expect(small.status).toBe(422);
    expect(small.json.detail).toMatch(/1000000 bytes.*needs \d+/);
    expect(await status('bytes=9e9&sector=512')).toBe(400);
    expect(await status('bytes=6442450944')).toBe(400);
    expect(await status('bytes=6442450944&sector=520')).toBe(422);
    expect(await status('attempt=other&bytes=6442450944&sector=512')).toBe(409);
    expect(await status(`attempt=${attempt}&bytes=6442450944&sector=4096`)).toBe(200);
    expect((await server.boot(`/boot/hosts/${newMac()}/layout?bytes=6442450944&sector=512`)).status).toBe(
      404,
    );
  });
});

test('a request without a Host, as HTTP/1.0 allows, is answered', async () => {
  const port = server.running.boot?.port ?? 0;
  const answer = await new Promise<string>((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /boot.ipxe HTTP/1.0\r\n\r\n'));
    socket.on('data', (part) => {
      text += part;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });
  expect(answer).toMatch(/^HTTP\/1\.[01] 200 /);
  expect(answer).toContain('#!ipxe');
});

test('a pack that is damaged cuts the transfer, and the server lives on', async () => {
  const pack = packPath(server.dataDir, 'build-two');
  const whole = readFileSync(pack).length;
  truncateSync(pack, Math.floor(whole / 2));
  await expect(server.boot(`/boot/images/${server.two.digest}/data`)).rejects.toThrow();
  expect((await server.boot(at('kernel'))).status).toBe(200);
});
