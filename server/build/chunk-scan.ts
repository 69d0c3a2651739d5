import { hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { type ByteExtent, CHUNKING, createCutter, MAX_CHUNK_BYTES } from '../core/chunks.ts';
import type { IndexChunk } from '../core/image-index.ts';
import type { Report } from './messages.ts';

const WINDOW_BYTES = 4 * 1024 * 1024;
const REPORT_EVERY = 256 * 1024 * 1024;

/**
 * Cuts a partition into chunks and hashes them, in one pass.
 * @param free runs known to be zeros, in rising order: they are not read
 */
export async function scanChunks(
  path: string,
  free: readonly ByteExtent[],
  report: Report,
  signal: AbortSignal,
): Promise<IndexChunk[]> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size % CHUNKING.blockBytes !== 0) throw new RangeError('a partition is whole blocks');
    const chunks: IndexChunk[] = [];
    const cutter = createCutter(crc32);
    const buffer = Buffer.allocUnsafeSlow(MAX_CHUNK_BYTES + WINDOW_BYTES);
    // Where on the partition the buffer begins. What it holds of the windows before is the open chunk.
    let base = 0;
    let told = 0;
    const take = (closed: readonly ByteExtent[]): void => {
      for (const { offset, bytes } of closed)
        chunks.push({
          offset,
          bytes,
          sha256: hash('sha256', buffer.subarray(offset - base, offset - base + bytes)),
        });
    };
    for (const { offset, bytes, zeros } of windows(size, free)) {
      signal.throwIfAborted();
      const held = offset - base;
      if (zeros) take(cutter.skipZeros(bytes));
      else {
        const window = buffer.subarray(held, held + bytes);
        await readFully(file, window, offset);
        take(cutter.feed(window));
      }
      const end = offset + bytes;
      if (end === size) take(cutter.finish());
      const keep = cutter.keepFrom();
      if (keep < end) buffer.copyWithin(0, keep - base, end - base);
      base = keep;
      if (end - told < REPORT_EVERY && end < size) continue;
      told = end;
      report({ phase: 'chunks', message: `${chunks.length} chunks`, bytesDone: end, bytesTotal: size });
    }
    return chunks;
  } finally {
    await file.close();
  }
}

/** The partition as runs of zeros and pieces to read. */
function* windows(size: number, free: readonly ByteExtent[]): Generator<ByteExtent & { zeros: boolean }> {
  let at = 0;
  for (const { offset, bytes } of [...free, { offset: size, bytes: 0 }]) {
    for (; at < offset; at += WINDOW_BYTES)
      yield { offset: at, bytes: Math.min(WINDOW_BYTES, offset - at), zeros: false };
    at = offset + bytes;
    if (bytes > 0) yield { offset, bytes, zeros: true };
  }
}

async function readFully(file: FileHandle, target: Buffer, position: number): Promise<void> {
  for (let done = 0; done < target.length; ) {
    const { bytesRead } = await file.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) throw new Error('the filesystem file became shorter while it was read');
    done += bytesRead;
  }
}
