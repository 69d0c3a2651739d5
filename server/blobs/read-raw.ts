import type { ByteRange } from '../core/byte-range.ts';
import type { IndexChunk } from '../core/image-index.ts';
import type { ChunkPlace } from '../core/ports.ts';
import { firstAt } from './data-extents.ts';
import { openPacks } from './pack-files.ts';
import { readChunk } from './read-chunk.ts';

/** Shared by every reader: a consumer must not write into it. */
const ZEROS = Buffer.alloc(1024 * 1024);

/**
 * The bytes of a range of the partition: chunks decompressed and verified, zeros where no chunk is.
 * @param place where a chunk's frame lies; undefined when it is not stored
 * @throws DamageError instead of handing on a wrong byte
 */
export async function* readRaw(
  dataDir: string,
  chunks: readonly IndexChunk[],
  place: (sha256: string) => ChunkPlace | undefined,
  range: ByteRange,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const packs = openPacks(dataDir);
  try {
    let at = range.start;
    for (let i = firstAt(chunks, ({ offset, bytes }) => offset + bytes > at); at < range.end; i += 1) {
      const chunk = chunks[i];
      const zerosEnd = Math.min(chunk?.offset ?? range.end, range.end);
      while (at < zerosEnd) {
        signal?.throwIfAborted();
        const piece = ZEROS.subarray(0, Math.min(ZEROS.length, zerosEnd - at));
        yield piece;
        at += piece.length;
      }
      if (!chunk || at >= range.end) continue;
      signal?.throwIfAborted();
      const found = place(chunk.sha256);
      if (!found) throw new Error(`chunk ${chunk.sha256} is not stored`);
      const raw = await readChunk(packs, chunk.sha256, found);
      const piece = raw.subarray(at - chunk.offset, Math.min(chunk.bytes, range.end - chunk.offset));
      yield piece;
      at += piece.length;
    }
  } finally {
    await packs[Symbol.asyncDispose]();
  }
}
