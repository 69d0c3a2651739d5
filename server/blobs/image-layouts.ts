import { hash } from 'node:crypto';
import type { Digest } from '../core/digest.ts';
import { type ImageFrames, type IndexChunk, layOutFrames, serializeFrames } from '../core/image-index.ts';
import { keep } from '../core/keep.ts';
import type { ChunkPlace, Store } from '../core/ports.ts';
import { type DataExtent, dataExtents } from './data-extents.ts';
import { damagedImage, removedImage } from './image-refusals.ts';
import type { PackReaders } from './pack-readers.ts';

/** Where an image's chunks lie now, and the frames.json that follows from it. */
export type Layout = {
  readonly generation: number;
  readonly places: ReadonlyMap<string, ChunkPlace>;
  readonly packIds: ReadonlySet<string>;
  readonly extents: readonly DataExtent[];
  readonly frames: ImageFrames;
  readonly framesText: Buffer;
  /** sha256 of that text, 64 hex digits. */
  readonly framesHash: string;
};

/** What the layouts at hand may have together, in chunks of about 300 bytes each: three images of 10 GiB. */
const KEPT_CHUNKS = 500_000;

export type ImageLayouts = {
  /** @throws WarmbootError when the image was removed, or lacks a chunk */
  of(digest: Digest, chunks: readonly IndexChunk[]): Promise<Layout>;
  /** The same with its packs held: until `release` nothing of it goes or moves away. */
  hold(digest: Digest, chunks: readonly IndexChunk[]): Promise<{ readonly layout: Layout; release(): void }>;
  forget(digest: Digest): void;
};

/** frames.json is no file: it follows from the rows, so it can never disagree with them. */
export function imageLayouts(store: Pick<Store, 'image' | 'chunks'>, readers: PackReaders): ImageLayouts {
  const layouts = keep<Layout>(KEPT_CHUNKS, ({ frames }) => frames.frames.length);

  async function of(digest: Digest, chunks: readonly IndexChunk[]): Promise<Layout> {
    const { generation } = readers;
    const made = await layouts.get(digest, () => layOut(digest, chunks, generation));
    if (made.generation === readers.generation) return made;
    layouts.forget(digest);
    return of(digest, chunks);
  }

  async function layOut(digest: Digest, chunks: readonly IndexChunk[], generation: number): Promise<Layout> {
    const places = await store.chunks([...new Set(chunks.map(({ sha256 }) => sha256))]);
    const laid = layOutFrames(digest, chunks, (sha256) => places.get(sha256)?.bytes);
    if (!laid.ok && !(await store.image({ kind: 'digest', digest }))) throw removedImage(digest);
    if (!laid.ok) throw damagedImage(digest, laid.reason);
    const framesText = Buffer.from(serializeFrames(laid.value));
    return {
      generation,
      places,
      packIds: new Set([...places.values()].map(({ packId }) => packId)),
      extents: dataExtents(laid.value, places),
      frames: laid.value,
      framesText,
      framesHash: hash('sha256', framesText),
    };
  }

  return {
    of,
    async hold(digest, chunks) {
      for (;;) {
        const layout = await of(digest, chunks);
        const release = readers.hold(layout.packIds);
        // Moved in between, the packs that it names may be gone already.
        if (layout.generation === readers.generation) return { layout, release };
        release();
      }
    },
    forget: layouts.forget,
  };
}
