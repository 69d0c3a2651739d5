import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { imageFolder } from '../../server/blobs/places.ts';
import { runningServer, storeImage, type TestServer } from '../fixtures/running-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await runningServer();
});
afterAll(() => server.close());

const MIB = 1024 ** 2;
const GIB = 1024 * MIB;
const DISK = '/boot/disks/two-slots.img?a=one&b=two';
const SLOT_A = (2 + 512 + 64) * MIB;

describe.each([
  ['two-slots.img', 4 * GIB + 579 * MIB],
  ['two-slots-msdos.img', 4 * GIB + 577 * MIB],
  ['four-slots.img', 32 * GIB + 580 * MIB],
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

/** Asks for a range, lets something happen after the first bytes, and reads the rest. @returns the last bytes */
function interrupted(
  path: string,
  last: number,
  lastBytes: number,
  happens: () => Promise<unknown>,
): Promise<{ bytes: number; end: Buffer }> {
  const { hostname, port } = new URL(server.running.boot?.url ?? '');
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path, headers: { range: `bytes=0-${last}` } }, async (answer) => {
      let [bytes, end] = [0, Buffer.alloc(0)];
      try {
        for await (const part of answer) {
          if (bytes === 0) await happens();
          bytes += part.length;
          end = Buffer.concat([end, part]).subarray(-lastBytes);
        }
        resolve({ bytes, end });
      } catch (error) {
        reject(error);
      }
    });
    call.on('error', reject).end();
  });
}

test('a disk that has begun is finished, though its image is removed', async () => {
  const { digest, files } = await storeImage(server.dataDir, 'leaving');
  const raw = files.raw as Buffer;
  const path = '/boot/disks/two-slots.img?a=leaving';
  const last = SLOT_A + raw.length - 1;
  const { bytes, end } = await interrupted(path, last, raw.length, async () => {
    const { json } = await server.admin('/api/v1/images/leaving', { method: 'DELETE' });
    expect(json).toMatchObject({ digest, isGone: true });
    expect((await server.boot(`/boot/images/${digest}/kernel`)).status).toBe(404);
    expect((await server.boot(path)).status).toBe(422);
  });
  expect(bytes).toBe(last + 1);
  expect(end.equals(raw)).toBe(true);
});

test('what a check found damaged is refused, by itself, in a disk and as the installer, and the others are shown', async () => {
  const { digest } = await storeImage(server.dataDir, 'harmed');
  const installer = (await server.admin('/api/v1/images/installer')).json.digest;
  expect((await server.boot('/boot/disks/two-slots.img?a=harmed', { method: 'HEAD' })).status).toBe(200);
  writeFileSync(join(imageFolder(server.dataDir, digest), 'kernel'), 'other');
  writeFileSync(join(imageFolder(server.dataDir, installer), 'initrd'), 'other');
  await server.admin('/api/v1/store/verify', { method: 'POST' });
  for (const path of [
    `/boot/images/${digest}/kernel`,
    `/boot/images/${digest}/raw`,
    '/boot/disks/two-slots.img?a=harmed',
    '/boot/disks/two-slots.img.zst?a=one',
    '/boot/installer/vmlinuz',
    '/boot/installer/initrd.img',
  ]) {
    const { status, json } = await server.boot(path);
    expect([path, status, json.detail]).toEqual([path, 503, expect.stringMatching(/is damaged: .*Build/)]);
  }
  await server.restart();
  writeFileSync(join(imageFolder(server.dataDir, digest), 'index.json'), '{}');
  const { status, json } = await server.admin('/api/v1/images');
  expect(status).toBe(200);
  const shown = json.images.find((image: { digest: string }) => image.digest === digest);
  expect(shown).toMatchObject({ damaged: true, os: '', tags: ['harmed:latest'] });
});
