import type { ByteRange } from '../core/byte-range.ts';
import { type DataExtent, firstAt } from './data-extents.ts';
import { openPacks } from './pack-files.ts';

const READ_BYTES = 1024 * 1024;

/**
 * The bytes of a range of an image's `data`, as they are stored, in pieces of up to 1 MiB. Nothing is verified: a host
 * checks every chunk against its sha256. Leaving the loop early, or aborting, closes the files.
 * @throws DamageError when a pack is missing or too short
 */
export async function* readData(
  dataDir: string,
  extents: readonly DataExtent[],
  range: ByteRange,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const packs = openPacks(dataDir);
  try {
    let at = range.start;
    for (let i = firstAt(extents, (extent) => extent.dataOffset + extent.bytes > at); at < range.end; ) {
      signal?.throwIfAborted();
      const extent = extents[i];
      if (!extent) throw new RangeError(`data ends before ${range.end}`);
      const into = at - extent.dataOffset;
      const piece = Buffer.allocUnsafe(Math.min(READ_BYTES, extent.bytes - into, range.end - at));
      await packs.read(extent.packId, extent.offset + into, piece);
      yield piece;
      at += piece.length;
      if (into + piece.length === extent.bytes) i += 1;
    }
  } finally {
    await packs[Symbol.asyncDispose]();
  }
}
