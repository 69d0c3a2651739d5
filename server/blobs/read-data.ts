import type { ByteRange } from '../core/byte-range.ts';
import { type DataExtent, firstAt } from './data-extents.ts';
import { openPacks } from './pack-files.ts';
import { sharedBuffers } from './read-buffers.ts';

/**
 * The bytes of a range of an image's `data`, as they are stored. Pieces are as large as the buffer, from however many places
 * they come; each is overwritten by the next. Nothing is verified: a host checks every chunk against its sha256. Leaving the
 * loop early, or aborting, closes the files.
 * @throws DamageError when a pack is missing or too short
 */
export async function* readData(
  dataDir: string,
  extents: readonly DataExtent[],
  range: ByteRange,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const packs = openPacks(dataDir);
  const buffer = sharedBuffers.take(range.end - range.start);
  try {
    let at = range.start;
    for (let i = firstAt(extents, (extent) => extent.dataOffset + extent.bytes > at); at < range.end; ) {
      signal?.throwIfAborted();
      const piece = buffer.subarray(0, Math.min(buffer.length, range.end - at));
      for (let filled = 0; filled < piece.length; ) {
        const extent = extents[i];
        if (!extent) throw new RangeError(`data ends before ${range.end}`);
        const into = at + filled - extent.dataOffset;
        const part = piece.subarray(filled, filled + extent.bytes - into);
        await packs.read(extent.packId, extent.offset + into, part);
        filled += part.length;
        if (into + part.length === extent.bytes) i += 1;
      }
      yield piece;
      at += piece.length;
    }
  } finally {
    sharedBuffers.give(buffer);
    await packs[Symbol.asyncDispose]();
  }
}
