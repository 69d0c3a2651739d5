import type { ByteRange } from '../core/byte-range.ts';
import { firstAt } from './data-extents.ts';
import type { Layout } from './image-layouts.ts';
import { openPacks } from './pack-files.ts';
import { readFrame } from './read-chunk.ts';

/**
 * The bytes of a range of an image's `data`, each frame of it decompressed and hashed: for whoever keeps them without a look
 * at their chunks. It costs what reading the partition costs.
 * @throws DamageError instead of handing on a frame with a wrong byte
 */
export async function* readCheckedData(
  dataDir: string,
  { frames: { frames }, places }: Pick<Layout, 'frames' | 'places'>,
  range: ByteRange,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const packs = openPacks(dataDir);
  try {
    let at = range.start;
    for (let i = firstAt(frames, ({ offset, bytes }) => offset + bytes > at); at < range.end; i += 1) {
      signal?.throwIfAborted();
      const next = frames[i];
      if (!next) throw new RangeError(`data ends before ${range.end}`);
      const place = places.get(next.chunk);
      if (!place) throw new Error(`chunk ${next.chunk} is not stored`);
      const { frame } = await readFrame(packs, next.chunk, place);
      const piece = frame.subarray(at - next.offset, Math.min(next.bytes, range.end - next.offset));
      yield piece;
      at += piece.length;
    }
  } finally {
    await packs[Symbol.asyncDispose]();
  }
}
