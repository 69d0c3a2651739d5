import type { ImageFrames } from '../core/image-index.ts';
import type { ChunkPlace } from '../core/ports.ts';

/** A run of an image's `data` that lies in one piece in one pack. */
export interface DataExtent {
  /** Where it begins in `data`. */
  readonly dataOffset: number;
  readonly packId: string;
  /** Where it begins in the pack. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Where the bytes of `data` lie: frames that follow each other in a pack as well are one extent, so an image built
 * from nothing has a single one. Small enough to be kept.
 * @throws Error when a frame has no place or another length than frames.json says: rows and files disagree
 */
export function dataExtents(
  frames: ImageFrames,
  places: ReadonlyMap<string, Pick<ChunkPlace, 'packId' | 'offset' | 'bytes'>>,
): DataExtent[] {
  const extents: DataExtent[] = [];
  for (const { offset: dataOffset, bytes, chunk } of frames.frames) {
    const place = places.get(chunk);
    if (!place || place.bytes !== bytes)
      throw new Error(
        `chunk ${chunk} of ${frames.index} is ${place ? 'stored in another length' : 'not stored'}`,
      );
    const last = extents[extents.length - 1];
    if (last && last.packId === place.packId && last.offset + last.bytes === place.offset)
      extents[extents.length - 1] = { ...last, bytes: last.bytes + bytes };
    else extents.push({ dataOffset, packId: place.packId, offset: place.offset, bytes });
  }
  return extents;
}

/** The first extent, in rising order, that ends after a position. */
export function firstAt<Extent>(extents: readonly Extent[], endsAfter: (extent: Extent) => boolean): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = extents[middle];
    if (extent !== undefined && endsAfter(extent)) high = middle;
    else low = middle + 1;
  }
  return low;
}
