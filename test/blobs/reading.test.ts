import { readdirSync, readFileSync, readlinkSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Compressor } from 'zstd-napi';
import { DamageError } from '../../server/blobs/damage.ts';
import { dataExtents } from '../../server/blobs/data-extents.ts';
import { packPath } from '../../server/blobs/places.ts';
import { contentSize } from '../../server/blobs/read-chunk.ts';
import { readData } from '../../server/blobs/read-data.ts';
import { readRaw } from '../../server/blobs/read-raw.ts';
import { findDamage } from '../../server/blobs/verify.ts';
import { collect, storedImage } from './stored-image.ts';

let image: ReturnType<typeof storedImage>;
beforeEach(() => {
  image = storedImage();
});
afterEach(() => image.remove());

const place = (sha256: string) => image.places.get(sha256);
const rawOf = (start: number, end: number, signal?: AbortSignal) =>
  readRaw(image.dataDir, image.chunks, place, { start, end }, signal);

test('frames that follow each other in a pack are one extent', () => {
  const extents = dataExtents(image.frames, image.places);
  expect(extents.map(({ packId, dataOffset, offset }) => [packId, dataOffset, offset])).toEqual([
    ['one', 0, 'stranger'.length],
    ['two', extents[0]?.bytes, 0],
  ]);
  expect(extents.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(image.frames.bytes);
});

test('a frame that is not stored, or in another length, is no extent', () => {
  const [first] = image.frames.frames;
  const known = image.places.get(first?.chunk ?? '');
  if (!first || !known) throw new Error('no frame');
  image.places.set(first.chunk, { ...known, bytes: known.bytes + 1 });
  expect(() => dataExtents(image.frames, image.places)).toThrow('another length');
  image.places.delete(first.chunk);
  expect(() => dataExtents(image.frames, image.places)).toThrow('not stored');
});

test('any range of data', async () => {
  const extents = dataExtents(image.frames, image.places);
  const position = fc.integer({ min: 0, max: image.data.length });
  await fc.assert(
    fc.asyncProperty(position, position, async (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      const read = await collect(readData(image.dataDir, extents, { start, end }));
      expect(read.equals(image.data.subarray(start, end))).toBe(true);
    }),
  );
  await expect(
    collect(readData(image.dataDir, extents, { start: 0, end: image.data.length + 1 })),
  ).rejects.toThrow('ends');
});

test('any range of the partition, zeros included', async () => {
  const position = fc.integer({ min: 0, max: image.raw.length });
  await fc.assert(
    fc.asyncProperty(position, position, async (a, b) => {
      const [start, end] = [Math.min(a, b), Math.max(a, b)];
      expect((await collect(rawOf(start, end))).equals(image.raw.subarray(start, end))).toBe(true);
    }),
  );
});

test('a flipped bit is an error in raw, and found by the check', async () => {
  const path = packPath(image.dataDir, 'two');
  const pack = readFileSync(path);
  for (let i = 0; i < pack.length; i += 1) {
    const damaged = Buffer.from(pack);
    damaged.writeUInt8((pack[i] ?? 0) ^ 0x10, i);
    writeFileSync(path, damaged);
    const outcome = await collect(rawOf(0, image.raw.length)).catch((error: unknown) => error);
    // Some bits of a frame mean nothing; then the bytes are right.
    if (outcome instanceof Buffer) expect(outcome.equals(image.raw)).toBe(true);
    else expect(outcome).toBeInstanceOf(DamageError);
  }
  writeFileSync(path, Buffer.alloc(pack.length, 0x5a));
  const damage = [];
  for await (const each of findDamage(image.dataDir, image.places)) damage.push(each);
  expect(damage.map(({ packId }) => packId)).toEqual(['two', 'two']);
  expect(damage[0]?.what).toContain('pack two');
});

test('a pack that is cut off or missing', async () => {
  const extents = dataExtents(image.frames, image.places);
  truncateSync(packPath(image.dataDir, 'two'), 5);
  await expect(
    collect(readData(image.dataDir, extents, { start: 0, end: image.data.length })),
  ).rejects.toThrow(DamageError);
  rmSync(packPath(image.dataDir, 'one'));
  await expect(collect(rawOf(0, 100))).rejects.toThrow('pack one is missing');
});

test('leaving early and aborting close the files', async () => {
  for await (const _ of rawOf(0, image.raw.length)) break;
  const gone = new AbortController();
  const read = rawOf(0, image.raw.length, gone.signal);
  await read.next();
  gone.abort(new Error('the host went away'));
  await expect(collect(read)).rejects.toThrow('the host went away');
  const open = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  expect(open.filter((path) => path.startsWith(image.dataDir))).toEqual([]);
});

test('the content size of a frame is what zstd wrote', () => {
  const compressor = new Compressor();
  for (const bytes of [0, 1, 255, 256, 4096, 65_791, 65_792, 262_144])
    expect(contentSize(compressor.compress(Buffer.alloc(bytes, 'ab')))).toBe(bytes);
  expect(contentSize(Buffer.from('no frame'))).toBeNull();
});
