import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Compressor } from 'zstd-napi';
import { dataExtents } from '../../server/blobs/data-extents.ts';
import { packFolder, packPath } from '../../server/blobs/places.ts';
import type { Digest } from '../../server/core/digest.ts';
import { frameOrder, type IndexChunk, layOutFrames } from '../../server/core/image-index.ts';
import type { ChunkPlace } from '../../server/core/ports.ts';

const BLOCK = 4096;

/**
 * A partition of 64 blocks with gaps and a repeated chunk, its frames spread over two packs with strangers between
 * them, and what rows would say about them.
 */
export function storedImage() {
  const dataDir = mkdtempSync(join(tmpdir(), 'warmboot-blobs-'));
  mkdirSync(packFolder(dataDir));
  const raw = Buffer.alloc(64 * BLOCK);
  const chunks: IndexChunk[] = [
    [0, 4, 1],
    [4, 5, 2],
    [16, 4, 3],
    [20, 4, 1],
    [40, 7, 4],
    [60, 3, 5],
  ].map(([at = 0, blocks = 0, seed = 0]) => {
    const content = raw.subarray(at * BLOCK, (at + blocks) * BLOCK);
    for (let i = 0; i < content.length; i += 1) content[i] = (seed * 31 + (i >> 5)) & 0xff;
    return {
      offset: at * BLOCK,
      bytes: blocks * BLOCK,
      sha256: createHash('sha256').update(content).digest('hex'),
    };
  });

  const packs: Record<string, Buffer[]> = { one: [Buffer.from('stranger')], two: [] };
  const places = new Map<string, ChunkPlace>();
  const data: Buffer[] = [];
  for (const [i, { offset, bytes, sha256 }] of frameOrder(chunks).entries()) {
    const frame = new Compressor().compress(raw.subarray(offset, offset + bytes));
    const packId = i < 3 ? 'one' : 'two';
    const pack = packs[packId] ?? [];
    places.set(sha256, { packId, offset: Buffer.concat(pack).length, bytes: frame.length, rawBytes: bytes });
    pack.push(frame);
    data.push(frame);
  }
  for (const [id, parts] of Object.entries(packs)) writeFileSync(packPath(dataDir, id), Buffer.concat(parts));
  const frames = layOutFrames(
    `sha256:${'e'.repeat(64)}` as Digest,
    chunks,
    (sha256) => places.get(sha256)?.bytes,
  );
  if (!frames.ok) throw new Error(frames.reason);
  return {
    dataDir,
    raw,
    chunks,
    places,
    frames: frames.value,
    data: Buffer.concat(data),
    extents: dataExtents(frames.value, places),
    remove: () => rmSync(dataDir, { recursive: true }),
  };
}

export async function collect(parts: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const part of parts) all.push(Buffer.from(part));
  return Buffer.concat(all);
}
