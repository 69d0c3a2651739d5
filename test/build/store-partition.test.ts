import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { Decompressor } from 'zstd-napi';
import { storePartition } from '../../server/build/store-partition.ts';
import { createCutter } from '../../server/core/chunks.ts';
import type { FilesystemPlan, Piece } from '../../server/filesystems/piece.ts';

const folder = mkdtempSync(join(tmpdir(), 'warmboot-partition-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BLOCK = 4096;
const never = new AbortController().signal;
const quiet = () => {};
const nothingStored = async () => new Map<string, { bytes: number }>();

/** Bytes that no two places share. */
function noise(bytes: number, seed: number): Buffer {
  const data = Buffer.alloc(bytes);
  let state = seed;
  for (let i = 0; i + 4 <= bytes; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data.writeUInt32LE(state, i);
  }
  return data;
}

const source = join(folder, 'layer.tar');
const layer = noise(24 * 1024 * 1024, 1);
writeFileSync(source, layer);

type Part = { readonly gap: number; readonly blocks: number; readonly kind: 'made' | 'copied' | 'zeros' };

/** A partition of such parts, and its bytes as a whole. */
function planOf(parts: readonly Part[]): { plan: FilesystemPlan; image: Buffer } {
  const pieces: Piece[] = [];
  let at = 0;
  for (const [i, { gap, blocks, kind }] of parts.entries()) {
    const offset = at + gap * BLOCK;
    const bytes = blocks * BLOCK;
    at = offset + bytes;
    if (kind === 'copied')
      pieces.push({
        offset,
        bytes,
        from: { kind, file: source, offset: i * 7 + 3, bytes: bytes - (i % BLOCK) },
      });
    else {
      const make = () => (kind === 'made' ? noise(bytes, i + 2) : Buffer.alloc(bytes));
      pieces.push({ offset, bytes, from: { kind: 'made', make } });
    }
  }
  const bytes = at + 16 * BLOCK;
  const image = Buffer.alloc(bytes);
  for (const { offset, bytes: length, from } of pieces)
    if (from.kind === 'made') image.set(from.make(), offset);
    else layer.copy(image, offset, from.offset, from.offset + Math.min(length, from.bytes));
  return { plan: { bytes, pieces: () => pieces }, image };
}

function chunksOf(image: Buffer) {
  const cutter = createCutter(crc32);
  return [...cutter.feed(image), ...cutter.finish()].map(({ offset, bytes }) => ({
    offset,
    bytes,
    sha256: createHash('sha256')
      .update(image.subarray(offset, offset + bytes))
      .digest('hex'),
  }));
}

/** A pack in memory. */
function pack() {
  const frames: Buffer[] = [];
  let end = 0;
  const append = async (frame: Uint8Array) => {
    frames.push(Buffer.from(frame));
    end += frame.length;
    return end - frame.length;
  };
  return { frames, append };
}

const LARGE: readonly Part[] = [
  { gap: 0, blocks: 1, kind: 'made' },
  { gap: 3, blocks: 5000, kind: 'copied' },
  { gap: 0, blocks: 700, kind: 'zeros' },
  { gap: 900, blocks: 1, kind: 'made' },
  { gap: 0, blocks: 1, kind: 'made' },
  { gap: 1, blocks: 5500, kind: 'copied' },
];

test('the chunks are those of the partition’s bytes, across buffers, holes and kinds of pieces', async () => {
  const { plan, image } = planOf(LARGE);
  const { chunks } = await storePartition(plan, nothingStored, pack().append, quiet, never);
  expect(chunks).toEqual(chunksOf(image));
});

test('any small partition is cut as its bytes are', async () => {
  const part = fc.record({
    gap: fc.integer({ min: 0, max: 3 }),
    blocks: fc.integer({ min: 1, max: 90 }),
    kind: fc.constantFrom('made' as const, 'copied' as const, 'zeros' as const),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 12 }), async (parts) => {
      const { plan, image } = planOf(parts);
      const { chunks } = await storePartition(plan, nothingStored, pack().append, quiet, never);
      expect(chunks).toEqual(chunksOf(image));
    }),
    { numRuns: 60 },
  );
});

test('only missing chunks are packed, each once and in image order; each frame is the chunk again', async () => {
  const { plan, image } = planOf([...LARGE, ...LARGE.slice(1, 2).map((part) => ({ ...part, gap: 1 }))]);
  const expected = chunksOf(image);
  const stored = new Map(expected.filter((_, i) => i % 3 === 0).map(({ sha256 }) => [sha256, { bytes: 77 }]));
  const asked: string[] = [];
  const lookup = async (sha256s: readonly string[]) => {
    asked.push(...sha256s);
    return new Map(sha256s.flatMap((sha256) => (stored.has(sha256) ? [[sha256, { bytes: 77 }]] : [])));
  };
  const { frames, append } = pack();
  const { packed, different: count, dataBytes } = await storePartition(plan, lookup, append, quiet, never);
  const different = [...new Set(expected.map(({ sha256 }) => sha256))];
  expect(asked).toEqual(different);
  expect(packed.map(({ sha256 }) => sha256)).toEqual(different.filter((sha256) => !stored.has(sha256)));
  expect(count).toBe(different.length);
  const fresh = packed.reduce((sum, { bytes }) => sum + bytes, 0);
  expect(dataBytes).toBe(fresh + 77 * (different.length - packed.length));
  for (const [i, { sha256, bytes, rawBytes }] of packed.entries()) {
    const raw = new Decompressor().decompress(frames[i] ?? Buffer.alloc(0));
    const found = [frames[i]?.length, raw.length, createHash('sha256').update(raw).digest('hex')];
    expect(found).toEqual([bytes, rawBytes, sha256]);
  }
});

test('a stop signal is heard', async () => {
  const { plan } = planOf(LARGE);
  const stop = new AbortController();
  const lookup = async () => {
    stop.abort(new Error('stopped'));
    return new Map<string, { bytes: number }>();
  };
  await expect(storePartition(plan, lookup, pack().append, quiet, stop.signal)).rejects.toThrow('stopped');
});

test('a plan that contradicts itself, or a layer that shrank, is an error and not a wrong partition', async () => {
  const store = (pieces: Piece[], bytes = 8 * BLOCK) =>
    storePartition({ bytes, pieces: () => pieces }, nothingStored, pack().append, quiet, never);
  const made = (offset: number, bytes = BLOCK, length = bytes): Piece => ({
    offset,
    bytes,
    from: { kind: 'made', make: () => Buffer.alloc(length, 1) },
  });
  await expect(store([made(BLOCK), made(0)])).rejects.toThrow('overlaps');
  await expect(store([made(7 * BLOCK, 2 * BLOCK)])).rejects.toThrow('overlaps');
  await expect(store([made(0, BLOCK, 12)])).rejects.toThrow('has 12 bytes');
  const short: Piece = {
    offset: 0,
    bytes: BLOCK,
    from: { kind: 'copied', file: source, offset: layer.length - 5, bytes: 10 },
  };
  await expect(store([short])).rejects.toThrow('became shorter');
});
