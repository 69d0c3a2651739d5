import { hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Compressor } from 'zstd-napi';
import type { ImageDraft } from '../core/file-ports.ts';
import type { IndexChunk } from '../core/image-index.ts';
import type { FilesystemPlan } from '../filesystems/piece.ts';
import type { ChunkLookup } from './build-image.ts';
import type { PackedChunk, Report } from './messages.ts';
import { partitionChunks } from './partition-chunks.ts';

/** What hosts fetch counts more than what a build computes, as far as this (docs/decisions/0002-chunks.md). */
export const LEVEL = 6;
const REPORT_EVERY = 64 * 1024 * 1024;

/** What a partition became. */
export interface StoredPartition {
  /** As the index lists them. */
  readonly chunks: readonly IndexChunk[];
  /** Different chunks that were not stored before, in the order in which they lie in the pack. */
  readonly packed: readonly PackedChunk[];
  /** How many different chunks there are, stored before or now. */
  readonly different: number;
  /** Length of their frames: what a host without any of them fetches. */
  readonly dataBytes: number;
}

/**
 * Reads a planned partition once, front to back: cuts it into chunks, hashes them, asks which are stored, and appends the
 * others to the pack in image order, each as one zstd frame with its content size and no checksum (the chunk's sha256 is
 * checked anyway). The partition itself is never written anywhere.
 */
export async function storePartition(
  plan: FilesystemPlan,
  lookup: ChunkLookup,
  append: ImageDraft['append'],
  report: Report,
  signal: AbortSignal,
): Promise<StoredPartition> {
  const chunks: IndexChunk[] = [];
  const packed: PackedChunk[] = [];
  const known = new Set<string>();
  let dataBytes = 0;
  const compressor = new Compressor();
  compressor.setParameters({ compressionLevel: LEVEL, checksumFlag: false, contentSizeFlag: true });
  const total = contentBytes(plan);
  let done = 0;
  let told = 0;

  for (const batch of partitionChunks(plan)) {
    signal.throwIfAborted();
    const hashed = batch.map((chunk) => ({ ...chunk, sha256: hash('sha256', chunk.data) }));
    const unknown = [...new Set(hashed.map(({ sha256 }) => sha256).filter((sha256) => !known.has(sha256)))];
    const stored = unknown.length > 0 ? await lookup(unknown) : new Map<string, { bytes: number }>();
    for (const [sha256, { bytes: frameBytes }] of stored) {
      known.add(sha256);
      dataBytes += frameBytes;
    }
    for (const { offset, bytes, data, sha256 } of hashed) {
      chunks.push({ offset, bytes, sha256 });
      done += bytes;
      if (known.has(sha256)) continue;
      const frame = compressor.compress(data);
      known.add(sha256);
      dataBytes += frame.length;
      packed.push({ sha256, offset: await append(frame), bytes: frame.length, rawBytes: bytes });
    }
    // All of this is synchronous: let messages and the stop signal in.
    await nextTurn();
    if (done - told < REPORT_EVERY) continue;
    told = done;
    const message = `${chunks.length} chunks, ${packed.length} of them new`;
    report({ phase: 'pack', message, bytesDone: Math.min(done, total), bytesTotal: total });
  }
  report({
    phase: 'pack',
    message: `${chunks.length} chunks, ${packed.length} of them new`,
    bytesDone: total,
    bytesTotal: total,
  });
  return { chunks, packed, different: known.size, dataBytes };
}

function contentBytes(plan: FilesystemPlan): number {
  let total = 0;
  for (const { bytes } of plan.pieces()) total += bytes;
  return total;
}
