import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Compressor } from 'zstd-napi';
import { MAX_CHUNK_BYTES } from '../core/chunks.ts';
import { frameOrder, type IndexChunk } from '../core/image-index.ts';
import type { PackedChunk, Report } from './messages.ts';
import type { ImageDraft } from './storage.ts';

/** zstd's own default: of the levels that keep up with a disk, the one that packs best. */
const LEVEL = 3;
const TURN_EVERY = 32;
const REPORT_EVERY = 64 * 1024 * 1024;

/**
 * Compresses the chunks that are not stored yet, each as one frame with its content size and no checksum (the chunk's
 * sha256 is checked anyway), into a pack in image order.
 * @param stored sha256s of chunks that are stored
 */
export async function packChunks(
  partition: string,
  chunks: readonly IndexChunk[],
  stored: { has(sha256: string): boolean },
  append: ImageDraft['append'],
  report: Report,
  signal: AbortSignal,
): Promise<PackedChunk[]> {
  const missing = frameOrder(chunks).filter(({ sha256 }) => !stored.has(sha256));
  const bytesTotal = missing.reduce((sum, { bytes }) => sum + bytes, 0);
  const compressor = new Compressor();
  compressor.setParameters({ compressionLevel: LEVEL, checksumFlag: false, contentSizeFlag: true });
  const buffer = Buffer.allocUnsafe(MAX_CHUNK_BYTES);
  const packed: PackedChunk[] = [];
  let bytesDone = 0;
  let told = 0;
  const file = openSync(partition, 'r');
  try {
    for (const { offset, bytes, sha256 } of missing) {
      if (readSync(file, buffer, 0, bytes, offset) !== bytes)
        throw new Error('the filesystem file became shorter');
      const frame = compressor.compress(buffer.subarray(0, bytes));
      packed.push({ sha256, offset: await append(frame), bytes: frame.length, rawBytes: bytes });
      bytesDone += bytes;
      // Compressing is synchronous: let messages and the stop signal in now and then.
      if (packed.length % TURN_EVERY === 0) await nextTurn();
      signal.throwIfAborted();
      if (bytesDone - told < REPORT_EVERY && bytesDone < bytesTotal) continue;
      told = bytesDone;
      report({
        phase: 'pack',
        message: `${packed.length} of ${missing.length} new chunks`,
        bytesDone,
        bytesTotal,
      });
    }
    return packed;
  } finally {
    closeSync(file);
  }
}
