import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runningServer, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
}, 30_000);
afterAll(() => server.close());

const MIB = 1024 ** 2;
const GIB = 1024 * MIB;
const DISK = '/boot/disks/two-slots.img?a=one&b=two';
const SLOT_A = (2 + 512 + 64) * MIB;

describe.each([
  ['two-slots.img', 4 * GIB + 579 * MIB],
  ['two-slots-msdos.img', 4 * GIB + 577 * MIB],
  ['four-slots.img', 8 * GIB + 580 * MIB],
])('%s', (file, bytes) => {
  const path = `/boot/disks/${file}?a=one&b=two`;

  test('its length, a strong ETag, and leave to ask again', async () => {
    const { status, headers } = await server.boot(path, { method: 'HEAD' });
    expect([status, headers['content-length']]).toEqual([200, String(bytes)]);
    expect(headers['accept-ranges']).toBe('bytes');
    expect(headers.etag).toMatch(/^"[0-9a-f]{64}"$/);
    expect(headers['cache-control']).toBe('no-cache');
    const etag = headers.etag ?? '';
    expect((await server.boot(path, { headers: { 'if-none-match': etag } })).status).toBe(304);
  });

  test('both planes send the same bytes', async () => {
    const range = { range: `bytes=0-${3 * MIB}` };
    const boot = await server.boot(path, { headers: range });
    const admin = await server.admin(path.replace('/boot', '/api/v1'), { headers: range });
    expect([boot.status, admin.status]).toEqual([206, 206]);
    expect(admin.headers.etag).toBe(boot.headers.etag);
    expect(admin.body.equals(boot.body)).toBe(true);
    expect(boot.body.readUInt16LE(510)).toBe(0xaa55);
  });
});

test('a slot is the image that was named, by name or by digest', async () => {
  const raw = server.one.files.raw as Buffer;
  const slot = { headers: { range: `bytes=${SLOT_A}-${SLOT_A + raw.length - 1}` } };
  expect((await server.boot(DISK, slot)).body.equals(raw)).toBe(true);
  const byDigest = `/boot/disks/two-slots.img?b=two:latest&a=${server.one.digest}`;
  const etags = [DISK, byDigest].map(
    async (path) => (await server.boot(path, { method: 'HEAD' })).headers.etag,
  );
  const [one, other] = await Promise.all(etags);
  expect(other).toBe(one);
});

test('slots, sectors and seed make another disk', async () => {
  const etags = await Promise.all(
    ['', '&sector=512', '&seed=', '&seed=1', '&sector=4096', '&b=one'].map(async (more) => {
      const path = `${DISK.replace('&b=two', more.includes('b=') ? '' : '&b=two')}${more}`;
      return (await server.boot(path, { method: 'HEAD' })).headers.etag;
    }),
  );
  expect(etags[1]).toBe(etags[0]);
  expect(etags[2]).toBe(etags[0]);
  expect(new Set(etags).size).toBe(4);
});

test('the state partition is a sound, empty ext4', async () => {
  const from = (2 + 512) * MIB;
  const { body } = await server.boot(DISK, { headers: { range: `bytes=${from}-${from + 64 * MIB - 1}` } });
  expect(body.readUInt16LE(1024 + 56)).toBe(0xef53);
});

test('as zstd frames: length first, ranges, and another ETag', async () => {
  const path = DISK.replace('.img', '.img.zst');
  const head = await server.boot(path, { method: 'HEAD' });
  expect(head.headers['content-type']).toBe('application/zstd');
  expect(head.headers.etag).not.toBe((await server.boot(DISK, { method: 'HEAD' })).headers.etag);
  const { body } = await server.boot(path);
  expect(String(body.length)).toBe(head.headers['content-length']);
  const part = await server.boot(path, { headers: { range: 'bytes=1000-70000' } });
  expect(part.body.equals(body.subarray(1000, 70_001))).toBe(true);
});

test.each([
  ['/boot/disks/none.img?a=one', 404, /no disk layout "none".*two-slots/],
  ['/boot/disks/two-slots.iso?a=one', 404, /LAYOUT.img/],
  ['/boot/disks/two-slots.img?b=one', 422, /slot a shall hold/],
  ['/boot/disks/two-slots.img?a=nothing', 422, /no image nothing for slot a/],
  ['/boot/disks/two-slots.img?a=../x', 422, /no image/],
  ['/boot/disks/two-slots.img?a=installer', 422, /is an installer/],
  ['/boot/disks/two-slots.img?a=one&c=two', 422, /has the slots a, b, not "c"/],
  ['/boot/disks/two-slots.img?a=one&sector=1024', 422, /512 or 4096/],
  ['/boot/disks/two-slots.img?a=one&sector=x', 400, /512 or 4096/],
  [`/boot/disks/two-slots.img?a=one&seed=${'s'.repeat(129)}`, 400, /128 characters/],
])('%s: %i', async (path, status, detail) => {
  const answer = await server.boot(path);
  expect(answer.status).toBe(status);
  expect(answer.json.detail).toMatch(detail);
});

test('the admin plane wants its token', async () => {
  const { status } = await server.admin('/api/v1/disks/two-slots.img?a=one', {
    headers: { authorization: '' },
  });
  expect(status).toBe(401);
});

test('the loader of the installer is a file like the others', async () => {
  const { digest } = (await server.admin('/api/v1/images/installer')).json;
  const { status, body } = await server.boot(`/boot/images/${digest}/loader`);
  expect(status).toBe(200);
  expect(execFileSync('cpio', ['-t', '--quiet'], { input: body, encoding: 'utf8' })).toContain(
    'core-msdos.img',
  );
  expect((await server.boot(`/boot/images/${server.one.digest}/loader`)).status).toBe(404);
});
