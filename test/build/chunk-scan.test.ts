import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { Decompressor } from 'zstd-napi';
import { scanChunks } from '../../server/build/chunk-scan.ts';
import { parseFreeBlocks } from '../../server/build/free-blocks.ts';
import { packChunks } from '../../server/build/pack.ts';
import { createCutter } from '../../server/core/chunks.ts';

const folder = mkdtempSync(join(tmpdir(), 'warmboot-scan-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BLOCK = 4096;
const BLOCKS = 5000;
const never = new AbortController().signal;
const quiet = () => {};

/** 20 MB that span several windows, with holes on and off the windows' borders. */
function partition(): { path: string; image: Buffer } {
  const image = Buffer.alloc(BLOCKS * BLOCK);
  let state = 1;
  for (let i = 0; i < image.length; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    image.writeUInt32LE(state, i);
  }
  for (const [from, to] of [
    [0, 3],
    [900, 1100],
    [2047, 2049],
    [3000, 4500],
    [4990, 5000],
  ] as const)
    image.fill(0, from * BLOCK, to * BLOCK);
  const path = join(folder, 'partition');
  writeFileSync(path, image);
  return { path, image };
}

const { path, image } = partition();

test('the chunks of a file are those of its bytes, whatever is known to be free', async () => {
  const cutter = createCutter(crc32);
  const expected = [...cutter.feed(image), ...cutter.finish()].map(({ offset, bytes }) => ({
    offset,
    bytes,
    sha256: createHash('sha256')
      .update(image.subarray(offset, offset + bytes))
      .digest('hex'),
  }));
  expect(await scanChunks(path, [], quiet, never)).toEqual(expected);
  const free = [
    [0, 1],
    [950, 1000],
    [3000, 4500],
    [4995, 5000],
  ].map(([from = 0, to = 0]) => ({ offset: from * BLOCK, bytes: (to - from) * BLOCK }));
  expect(await scanChunks(path, free, quiet, never)).toEqual(expected);
});

test('only missing chunks are packed, in image order; each frame is the chunk again', async () => {
  const chunks = await scanChunks(path, [], quiet, never);
  const stored = new Set(chunks.filter((_, i) => i % 3 === 0).map(({ sha256 }) => sha256));
  const frames: Buffer[] = [];
  let end = 0;
  const append = async (frame: Uint8Array) => {
    frames.push(Buffer.from(frame));
    end += frame.length;
    return end - frame.length;
  };
  const packed = await packChunks(path, [...chunks, ...chunks.slice(0, 2)], stored, append, quiet, never);
  expect(packed.map(({ sha256 }) => sha256)).toEqual(
    chunks.filter(({ sha256 }) => !stored.has(sha256)).map(({ sha256 }) => sha256),
  );
  packed.forEach(({ sha256, bytes, rawBytes }, i) => {
    const raw = new Decompressor().decompress(frames[i] ?? Buffer.alloc(0));
    expect([frames[i]?.length, raw.length, createHash('sha256').update(raw).digest('hex')]).toEqual([
      bytes,
      rawBytes,
      sha256,
    ]);
  });
});

test('a stop signal is heard', async () => {
  const stop = new AbortController();
  await expect(
    scanChunks(path, [], () => stop.abort(new Error('stopped')), stop.signal).then(() =>
      stop.signal.throwIfAborted(),
    ),
  ).rejects.toThrow('stopped');
  await expect(scanChunks(path, [], quiet, stop.signal)).rejects.toThrow('stopped');
});

test('dumpe2fs’s free blocks', () => {
  const text = `Block size:               4096
Group 0: (Blocks 0-32767) csum 0x1 [ITABLE_ZEROED]
  Block bitmap at 17 (+17), csum 0x2
  Free blocks: 5-9, 12, 32760-32767
  Free inodes: 12-8192
Group 1: (Blocks 32768-65535)
  Free blocks: 32768-32769
  Free inodes:
Group 2:
  Free blocks:
`;
  const extents = parseFreeBlocks(text);
  expect(extents.map(({ offset, bytes }) => [offset / 4096, bytes / 4096])).toEqual([
    [5, 5],
    [12, 1],
    [32760, 10],
  ]);
});
