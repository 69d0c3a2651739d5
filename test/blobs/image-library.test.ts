import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { imageFolder } from '../../server/blobs/places.ts';
import type { Digest } from '../../server/core/digest.ts';
import { IMAGE_FILES, type ImageFile } from '../../server/core/ports.ts';
import { imageArchive } from '../../server/http/image-archive.ts';
import { rawOf, type StoreWorld, storeWorld } from '../fixtures/store-world.ts';

let world: StoreWorld;
beforeEach(() => {
  world = storeWorld();
});
afterEach(async () => {
  await world.close();
  world.discard();
});
const everything = new AbortController().signal;
const path = (digest: Digest, file: string) => join(imageFolder(world.dataDir, digest), file);
const unavailable = (reason: RegExp) => ({
  code: 'unavailable',
  message: expect.stringMatching(reason),
});

test.each(['kernel', 'initrd', 'index.json'])(
  'once a check found %s damaged, nothing of the image is served',
  async (file) => {
    const digest = await world.build('one', { chunks: ['a', 'b'] });
    await world.library.index(digest);
    writeFileSync(path(digest, file), 'k?rnel');
    await world.verify();
    for (const each of IMAGE_FILES)
      await expect(world.library.open(digest, each), each).rejects.toMatchObject(
        unavailable(/is damaged.*Build/),
      );
    await expect(imageArchive(world.library, digest, null)).rejects.toMatchObject({ code: 'unavailable' });
    await world.build('one', { chunks: ['a', 'b'] });
    expect(String(await world.read(digest, 'kernel'))).toBe('kernel');
  },
);

test('an index that is not what was stored is refused when it is read, before any check', async () => {
  const digest = await world.build('one', { chunks: ['a'] });
  const other = await world.build('two', { chunks: ['a', 'b'] });
  const text = String(await world.read(other, 'index.json' as 'kernel'));
  const fresh = storeWorld(world.dataDir);
  writeFileSync(path(digest, 'index.json'), text);
  await expect(fresh.library.index(digest)).rejects.toMatchObject(
    unavailable(/index.json is not what was stored/),
  );
  await expect(fresh.library.open(digest, 'kernel')).rejects.toMatchObject({ code: 'unavailable' });
  await fresh.close();
});

test.each([
  ['cut off', (file: string) => truncateSync(file, 3), /kernel has 3 bytes instead of 6/],
  ['missing', (file: string) => rmSync(file), /a file of it is missing/],
])('a kernel that is %s is refused before its length is promised', async (_what, harm, reason) => {
  const digest = await world.build('one', { chunks: ['a'] });
  harm(path(digest, 'kernel'));
  await expect(world.library.open(digest, 'kernel')).rejects.toMatchObject(unavailable(reason));
});

/** Reads the first part, lets something happen, and reads the rest. */
async function interrupted(
  source: {
    sizeBytes: number;
    read: (range: { start: number; end: number }, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  },
  happens: () => Promise<unknown>,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of source.read({ start: 0, end: source.sizeBytes }, everything)) {
    if (parts.length === 0) await happens();
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}

test('an archive that has begun is finished, though its image is removed', async () => {
  const digest = await world.build('one', { chunks: ['a', 'b', 'c'] }, 'pack');
  const before = await imageArchive(world.library, digest, null);
  if (!before) throw new Error('no archive');
  const whole = await interrupted(before, async () => {});
  const removed = await interrupted(before, async () => {
    expect(await world.remove('os:one')).toMatchObject({ isGone: true });
    expect(await world.library.open(digest, 'kernel')).toBeNull();
  });
  expect(removed.equals(whole)).toBe(true);
  // One that has not begun is refused, before a byte of it was sent.
  await expect(before.hold?.()).rejects.toMatchObject({ code: 'not-found' });
});

test('what was promised in one encoding is not begun in another', async () => {
  const chunks = ['a', 'b', 'c', 'd'];
  const digest = await world.build('one', { chunks, level: 1 }, 'first');
  const before = await imageArchive(world.library, digest, null);
  const old = (await world.library.encoding(digest))?.data;
  if (!before || !old) throw new Error('no archive');
  truncateSync(join(world.dataDir, 'packs/first.pack'), 0);
  await world.verify();
  await world.build('one', { chunks, level: 19 });
  const after = await imageArchive(world.library, digest, null);
  expect(after?.etag).not.toBe(before.etag);
  // What was promised cannot be sent any more, and is not begun.
  await expect(before.hold?.()).rejects.toMatchObject(unavailable(/stored anew a moment ago/));
  await expect(old.hold?.()).rejects.toMatchObject({ code: 'unavailable' });
  expect((await world.read(digest, 'raw'))?.equals(rawOf(chunks))).toBe(true);
});

test.each<ImageFile>(['kernel', 'index.json', 'raw', 'data'])(
  '%s that is held can be read in parts after its image is gone',
  async (file) => {
    const digest = await world.build('one', { chunks: ['a', 'b', 'c'] });
    const source = await world.library.open(digest, file);
    const whole = await world.read(digest, file as 'kernel');
    const held = await source?.hold?.();
    if (!source || !held || !whole) throw new Error('nothing is held');
    await world.remove('os:one');
    for (const [start, end] of [
      [0, 3],
      [1, source.sizeBytes],
    ] as const) {
      const parts: Uint8Array[] = [];
      for await (const part of held.read({ start, end }, everything)) parts.push(Buffer.from(part));
      expect(Buffer.concat(parts).equals(whole.subarray(start, end))).toBe(true);
    }
    await held.release();
    await expect(source.hold?.()).rejects.toMatchObject({ code: 'not-found' });
  },
);
