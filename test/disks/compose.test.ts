import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiskLayout } from '../../server/core/disk-layout.ts';
import { WarmbootError } from '../../server/core/errors.ts';
import { serializeIndex } from '../../server/core/image-index.ts';
import { composedDiskGuid } from '../../server/core/partition-guid.ts';
import { type Composition, composeDisk } from '../../server/disks/compose.ts';
import { diskParts } from '../../server/disks/parts.ts';
import { rawImage } from '../../server/disks/raw-image.ts';
import { zstdImage } from '../../server/disks/zstd-image.ts';
import { bytesOf, composition, playedImages, playedLoader, sha256Hex, sourceOf } from './composition.ts';

const MIB = 1024 ** 2;
let images: ReturnType<typeof playedImages>;
beforeAll(() => {
  images = playedImages();
});
afterAll(() => images.remove());

const disk = (parts: Partial<Composition> = {}, layout: Partial<DiskLayout> = {}) =>
  composeDisk(composition(images.slots, parts, layout), sha256Hex);

describe.each(['img', 'zst'] as const)('as %s', (format) => {
  const made = (...args: Parameters<typeof disk>) =>
    format === 'img' ? rawImage(disk(...args)) : zstdImage(disk(...args));

  test('has the length it says, and the same bytes again', async () => {
    const whole = await bytesOf(made());
    expect(whole.length).toBe(made().sizeBytes);
    expect((await bytesOf(made())).equals(whole)).toBe(true);
  });

  test('any range is a slice of the whole', async () => {
    const source = made();
    const whole = await bytesOf(source);
    const edges = [0, 1, 511, 512, 440, MIB - 1, MIB, 2 * MIB, 66 * MIB, whole.length - 512, whole.length];
    const point = fc.oneof(
      fc.nat(whole.length),
      fc
        .tuple(fc.constantFrom(...edges), fc.integer({ min: -700, max: 70_000 }))
        .map(([edge, by]) => Math.min(whole.length, Math.max(0, edge + by))),
    );
    await fc.assert(
      fc.asyncProperty(point, point, async (one, two) => {
        const [start, end] = [Math.min(one, two), Math.max(one, two)];
        const till = Math.min(end, start + 3 * MIB);
        expect((await bytesOf(source, start, till)).equals(whole.subarray(start, till))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('the ETag is the same for the same disk, and another for any other', () => {
    const other = playedLoader().set('grub.cfg', Buffer.from('echo other\n'));
    const etags = [
      made(),
      made({ guid: composedDiskGuid('other', sha256Hex) }),
      made({ loader: other }),
      made({ slots: images.slots.slice(0, 1) }),
      made({ trialSeconds: 60 }),
      made({}, { slots: 3 }),
      made({}, { table: 'msdos' }),
    ].map(({ etag }) => etag);
    expect(new Set(etags).size).toBe(etags.length);
    expect(made().etag).toBe(etags[0]);
    for (const etag of etags) expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
  });
});

test('the two representations have different ETags', () => {
  expect(rawImage(disk()).etag).not.toBe(zstdImage(disk()).etag);
});

test('slots hold the images, the others nothing', async () => {
  const image = rawImage(disk({ slots: images.slots.slice(0, 1) }));
  const a = (2 + 64 + 16) * MIB;
  expect((await bytesOf(image, a, a + images.raw.length)).equals(images.raw)).toBe(true);
  const rest = await bytesOf(image, a + images.raw.length, a + 4 * MIB);
  expect(rest.every((byte) => byte === 0)).toBe(true);
});

describe('BIOS boot code', () => {
  test.each([
    ['gpt', 2048],
    ['msdos', 1],
  ] as const)('%s: in sector 0 and at sector %i', async (table, sector) => {
    const loader = playedLoader();
    const image = rawImage(disk({}, { table }));
    const first = await bytesOf(image, 0, 512);
    expect(first.subarray(0, 440).equals(loader.get(`boot-${table}.img`)?.subarray(0, 440) as Buffer)).toBe(
      true,
    );
    const core = loader.get(`core-${table}.img`) as Buffer;
    expect((await bytesOf(image, sector * 512, sector * 512 + core.length)).equals(core)).toBe(true);
  });

  test('none on a disk with sectors of 4096 bytes', async () => {
    const image = rawImage(disk({ sectorBytes: 4096 }, { bootBytes: 260 * MIB }));
    expect((await bytesOf(image, 0, 440)).every((byte) => byte === 0)).toBe(true);
  });

  test('a core.img that does not fit, or is made for another place, is refused', () => {
    const big = playedLoader().set('core-msdos.img', Buffer.alloc(2047 * 512 + 1));
    expect(() => disk({ loader: big }, { table: 'msdos' })).toThrow(
      /1048065 bytes, its place on the disk 1048064/,
    );
    const swapped = playedLoader();
    swapped.set('boot-gpt.img', swapped.get('boot-msdos.img') as Buffer);
    expect(() => disk({ loader: swapped })).toThrow(/do not belong to sector 2048/);
  });

  test('an installer without a file that is needed', () => {
    const loader = playedLoader();
    loader.delete('BOOTX64.EFI');
    expect(() => disk({ loader })).toThrow(WarmbootError);
    expect(() => disk({ loader })).toThrow(/no boot loader file BOOTX64.EFI.*warmboot build installer/);
  });
});

test('a boot partition that is too small is refused with numbers', () => {
  expect(() => disk({ sectorBytes: 4096 })).toThrow(/needs 257 MiB at least, the boot partition has 64/);
  const [a, b] = images.slots;
  if (!a || !b) throw new Error('no images');
  const huge = { ...a, initrd: { ...a.initrd, sizeBytes: 100 * MIB } };
  expect(() => disk({ slots: [huge, b] })).toThrow(
    /the files need 10\d MiB, the boot partition has room for 6\d/,
  );
});

/** Whether the disk has these bytes anywhere. */
const holds = async (parts: Partial<Composition>, text: string) =>
  (await bytesOf(rawImage(disk(parts)))).includes(text);

test('the boot partition has the index of each image, but where there is no room for it', async () => {
  const [a, b] = images.slots;
  if (!a || !b) throw new Error('no images');
  expect(await holds({}, serializeIndex(a.index))).toBe(true);
  expect(await holds({}, serializeIndex(b.index))).toBe(true);
  // Kernel and initrd take nearly all of the 64 MiB.
  const tight = { ...a, initrd: sourceOf(Buffer.alloc(62 * MIB)) };
  expect(await holds({ slots: [tight] }, serializeIndex(a.index))).toBe(true);
  const chunks = Array.from({ length: 30_000 }, (_, i) => ({
    offset: i * 4096,
    bytes: 4096,
    sha256: 'c'.repeat(64),
  }));
  const large = { ...tight, index: { ...a.index, chunks } };
  expect(await holds({ slots: [large] }, serializeIndex(large.index))).toBe(false);
});

test('parts that overlap are a mistake that shows', () => {
  const part = (offset: number, bytes: number) =>
    ({ offset, bytes, from: { kind: 'made', data: Buffer.alloc(bytes) } }) as const;
  expect(() => diskParts(100, [part(0, 10), part(9, 1)])).toThrow(RangeError);
  expect(() => diskParts(100, [part(90, 11)])).toThrow(RangeError);
  expect(diskParts(100, [part(10, 5), part(0, 10)]).parts.map(({ offset }) => offset)).toEqual([0, 10]);
});

test('an image of very many runs is no longer than what it says', () => {
  const [image] = images.slots;
  if (!image?.stored) throw new Error('no image');
  const count = 130_000;
  const hash = 'c'.repeat(64);
  // Every second block is a chunk, and all are one and the same: no two frames follow each other.
  const chunks = Array.from({ length: count }, (_, i) => ({ offset: i * 8192, bytes: 4096, sha256: hash }));
  const frames = new Map([[hash, { offset: 0, bytes: 20, chunk: hash }]]);
  const raw = { ...image.raw, sizeBytes: count * 8192 };
  const slots = [{ ...image, raw, stored: { ...image.stored, chunks, frames } }];
  expect(zstdImage(disk({ slots }, { slotBytes: 1024 * MIB })).sizeBytes).toBeGreaterThan(count * 20);
});
