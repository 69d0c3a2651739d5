import { closeSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { type ByteExtent, CHUNKING, type ChunkingRule, createCutter } from '../core/chunks.ts';
import type { FilesystemPlan, Piece } from '../filesystems/piece.ts';

/** Bytes that are held at a time; what is asked of the store in one go follows from it. */
const BUFFER_BYTES = 16 * 1024 * 1024;

/** A chunk at its place, with its bytes; they are valid until the next batch is asked for. */
export interface CutChunk extends ByteExtent {
  readonly data: Buffer;
}

/** Reads a planned partition once, front to back, and gives its chunks in batches of some MiB. Holes are not touched. */
export function* partitionChunks(
  plan: FilesystemPlan,
  rule: ChunkingRule = CHUNKING,
): Generator<readonly CutChunk[]> {
  const cutter = createCutter(crc32, rule);
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  const source = createSource();
  let batch: CutChunk[] = [];
  /** Where the next byte lies, on the partition and in the buffer. */
  let position = 0;
  let filled = 0;

  const take = (closed: readonly ByteExtent[]): void => {
    const shift = filled - position;
    for (const { offset, bytes } of closed)
      batch.push({ offset, bytes, data: buffer.subarray(offset + shift, offset + shift + bytes) });
  };
  try {
    for (const piece of plan.pieces()) {
      if (piece.offset < position || piece.offset + piece.bytes > plan.bytes)
        throw new RangeError(`the piece at ${piece.offset} overlaps the one before it, or the end`);
      if (piece.offset > position) take(cutter.skipZeros(piece.offset - position));
      position = piece.offset;
      const read = source.open(piece);
      for (let done = 0; done < piece.bytes; ) {
        if (filled === BUFFER_BYTES) {
          yield batch;
          batch = [];
          // The chunk that is still open moves to the front.
          const open = position - cutter.keepFrom();
          buffer.copyWithin(0, filled - open, filled);
          filled = open;
        }
        const bytes = Math.min(BUFFER_BYTES - filled, piece.bytes - done);
        const target = buffer.subarray(filled, filled + bytes);
        read(done, target);
        const closed = cutter.feed(target);
        done += bytes;
        filled += bytes;
        position += bytes;
        take(closed);
      }
    }
    take(cutter.finish());
    if (batch.length > 0) yield batch;
  } finally {
    source.close();
  }
}

/** Reads pieces. Layers lie in a few files, which stay open. */
function createSource() {
  const files = new Map<string, number>();
  return {
    /** @returns fills a buffer with the piece's bytes from a place in it */
    open({ offset, bytes, from }: Piece): (start: number, target: Buffer) => void {
      if (from.kind === 'made') {
        const made = from.make();
        if (made.length !== bytes)
          throw new RangeError(`the piece at ${offset} has ${made.length} bytes, not ${bytes}`);
        return (start, target) => target.set(made.subarray(start, start + target.length));
      }
      const file = files.get(from.file) ?? openSync(from.file, 'r');
      files.set(from.file, file);
      return (start, target) => {
        const wanted = Math.max(0, Math.min(target.length, from.bytes - start));
        for (let done = 0; done < wanted; ) {
          const read = readSync(file, target, done, wanted - done, from.offset + start + done);
          if (read === 0) throw new Error(`${from.file} became shorter while it was read`);
          done += read;
        }
        target.fill(0, wanted);
      };
    },
    close: () => {
      for (const file of files.values()) closeSync(file);
    },
  };
}
