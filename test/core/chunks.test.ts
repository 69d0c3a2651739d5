import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ByteExtent, CHUNKING, createCutter, isZero } from '../../server/core/chunks.ts';
import vector from '../fixtures/chunks-v1.json' with { type: 'json' };

const BLOCK = CHUNKING.blockBytes;

/** The rule, written down again as plainly as possible: one pass over a list of blocks. */
function plainly(blocks: readonly Buffer[]): ByteExtent[] {
  const chunks: ByteExtent[] = [];
  let from: number | null = null;
  blocks.forEach((block, i) => {
    const zero = block.every((byte) => byte === 0);
    if (zero && from !== null) chunks.push({ offset: from * BLOCK, bytes: (i - from) * BLOCK });
    if (zero) from = null;
    else {
      from ??= i;
      const count = i - from + 1;
      if ((count >= 4 && crc32(block) % 16 === 0) || count === 64) {
        chunks.push({ offset: from * BLOCK, bytes: count * BLOCK });
        from = null;
      }
    }
  });
  if (from !== null) chunks.push({ offset: from * BLOCK, bytes: (blocks.length - from) * BLOCK });
  return chunks;
}

/** A block whose content follows from a number; 0 gives zeros. */
function block(seed: number): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  if (seed !== 0)
    for (let i = 0; i < BLOCK; i += 4) bytes.writeUInt32LE((Math.imul(seed + i, 2654435761) ^ i) >>> 0, i);
  return bytes;
}

function cut(image: Buffer, feedBlocks: number): ByteExtent[] {
  const cutter = createCutter(crc32);
  const chunks: ByteExtent[] = [];
  for (let at = 0; at < image.length; at += feedBlocks * BLOCK)
    chunks.push(...cutter.feed(image.subarray(at, at + feedBlocks * BLOCK)));
  return [...chunks, ...cutter.finish()];
}

test('cuts as the rule says, however it is fed', () => {
  const seeds = fc.array(
    fc.oneof(
      { weight: 1, arbitrary: fc.constant(0) },
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 1e9 }) },
    ),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(seeds, fc.integer({ min: 1, max: 70 }), (list, feedBlocks) => {
      const blocks = list.map(block);
      expect(cut(Buffer.concat(blocks), feedBlocks)).toEqual(plainly(blocks));
    }),
    { numRuns: 40 },
  );
});

test('chunks cover every block that is not zero, and nothing else', () => {
  const blocks = Array.from({ length: 500 }, (_, i) => block(i % 7 === 0 ? 0 : i));
  const covered = new Set(
    cut(Buffer.concat(blocks), 13).flatMap(({ offset, bytes }) => {
      return Array.from({ length: bytes / BLOCK }, (_, i) => offset / BLOCK + i);
    }),
  );
  blocks.forEach((_, i) => {
    expect(covered.has(i)).toBe(i % 7 !== 0);
  });
});

test('a run that never meets the checksum ends at 64 blocks', () => {
  const never = createCutter(() => 1);
  expect(
    [...never.feed(Buffer.alloc(130 * BLOCK, 1)), ...never.finish()].map(({ bytes }) => bytes / BLOCK),
  ).toEqual([64, 64, 2]);
});

test('a run that always meets it ends at 4 blocks, a zero block ends it earlier', () => {
  const always = createCutter(() => 16);
  const image = Buffer.alloc(9 * BLOCK, 1);
  image.fill(0, 6 * BLOCK, 7 * BLOCK);
  expect([...always.feed(image), ...always.finish()]).toEqual([
    { offset: 0, bytes: 4 * BLOCK },
    { offset: 4 * BLOCK, bytes: 2 * BLOCK },
    { offset: 7 * BLOCK, bytes: 2 * BLOCK },
  ]);
});

test('skipping zeros is the same as feeding them', () => {
  const cutter = createCutter(crc32);
  expect(cutter.feed(block(5))).toEqual([]);
  expect(cutter.keepFrom()).toBe(0);
  expect(cutter.skipZeros(10 * BLOCK)).toEqual([{ offset: 0, bytes: BLOCK }]);
  expect(cutter.keepFrom()).toBe(11 * BLOCK);
  expect([...cutter.feed(block(6)), ...cutter.finish()]).toEqual([{ offset: 11 * BLOCK, bytes: BLOCK }]);
});

test('half a block is the caller’s mistake', () => {
  expect(() => createCutter(crc32).feed(Buffer.alloc(100))).toThrow(RangeError);
});

test('zero means every byte, negative zeros and odd alignments included', () => {
  const bytes = Buffer.alloc(BLOCK + 8);
  expect(isZero(bytes.subarray(0, BLOCK))).toBe(true);
  expect(isZero(bytes.subarray(3, BLOCK + 3))).toBe(true);
  bytes[7] = 0x80; // a Float64 of -0
  expect(isZero(bytes.subarray(0, BLOCK))).toBe(false);
  bytes[7] = 0;
  bytes[BLOCK - 1] = 1;
  expect(isZero(bytes.subarray(0, BLOCK))).toBe(false);
});

/** Programs in other languages cut the same image (fixtures/chunks-v1.json says how it is made). */
test('the golden vector', () => {
  const blocks = Array.from({ length: vector.blocks }, (_, i) => {
    const bytes = Buffer.alloc(BLOCK);
    if (!vector.zeroBlocks.includes(i))
      for (let at = 0; at < BLOCK; at += 4)
        bytes.writeUInt32LE((Math.imul(i * BLOCK + at, 2654435761) + 1) >>> 0, at);
    return bytes;
  });
  const image = Buffer.concat(blocks);
  const chunks = cut(image, 8).map(({ offset, bytes }) => ({
    offset,
    bytes,
    sha256: createHash('sha256')
      .update(image.subarray(offset, offset + bytes))
      .digest('hex'),
  }));
  expect(chunks).toEqual(vector.chunks);
});
