import type { Digest } from './digest.ts';
import type { IndexChunk } from './image-index.ts';

/** A layer of a Dockerfile as it lies on the partition: what a build records of it, outside the digest. */
export type ImageLayer = {
  /** The instruction that made it, as far as Docker knows; null: it does not say. */
  readonly madeBy: string | null;
  /** Files of the image whose content it brought. */
  readonly files: number;
  /** Their content on the partition, in whole blocks. */
  readonly contentBytes: number;
  /** Where the first of it lies on the partition; null: it has none, as a layer that only removes or links. */
  readonly offset: number | null;
};

/** How much of one image another one has. */
export type SharedWith = {
  readonly digest: Digest;
  /** Different chunks that both have, and their length as hosts fetch them. */
  readonly chunks: number;
  readonly dataBytes: number;
  /** Uncompressed, at each place where one lies. */
  readonly bytes: number;
  /** Of those, in each layer; null where layers are not recorded. */
  readonly layerBytes: readonly number[] | null;
  /** Of each equal part of the image's content, from the start of the partition on, how much is shared: 0 to 100. */
  readonly parts: readonly number[];
};

/** As fine as somebody can see. */
export const PARTS = 200;

/** Where each layer lies: a chunk belongs to the layer that began last before its end. @returns by chunk; -1: before the first layer */
export function layerOfChunks(
  chunks: readonly Pick<IndexChunk, 'offset' | 'bytes'>[],
  layers: readonly Pick<ImageLayer, 'offset'>[],
): number[] {
  /** Layers that have content, in the order in which it lies. */
  const starts = layers
    .flatMap(({ offset }, layer) => (offset === null ? [] : [{ offset, layer }]))
    .sort((a, b) => a.offset - b.offset || a.layer - b.layer);
  let next = 0;
  return chunks.map(({ offset, bytes }) => {
    while ((starts[next]?.offset ?? Number.POSITIVE_INFINITY) < offset + bytes) next += 1;
    return starts[next - 1]?.layer ?? -1;
  });
}

/**
 * Bytes of chunks that lie from each layer's start up to the next one's: its files, and what the filesystem keeps beside them.
 * @returns in the order of `layers`, with what lies before the first as `before`
 */
export function bytesByLayer(
  chunks: readonly Pick<IndexChunk, 'offset' | 'bytes'>[],
  layers: readonly Pick<ImageLayer, 'offset'>[],
): { readonly before: number; readonly layers: readonly number[] } {
  const bytes = layers.map(() => 0);
  let before = 0;
  const layerOf = layerOfChunks(chunks, layers);
  for (const [at, chunk] of chunks.entries()) {
    const layer = layerOf[at] ?? -1;
    if (layer === -1) before += chunk.bytes;
    else bytes[layer] = (bytes[layer] ?? 0) + chunk.bytes;
  }
  return { before, layers: bytes };
}

/**
 * Which equal parts of the content are shared, told chunk by chunk in the order of the index. Counts in fractions of a byte, so
 * that parts which are no whole number of bytes long add up exactly.
 */
export class SharedParts {
  readonly #parts: number;
  /** Of one part, in units of 1/parts byte. */
  readonly #size: number;
  readonly #shared: number[];

  /** @param contentBytes of all chunks of the index together */
  constructor(contentBytes: number, parts: number = PARTS) {
    this.#parts = parts;
    this.#size = contentBytes;
    this.#shared = Array.from({ length: parts }, () => 0);
  }

  /** @param at bytes of chunks before it */
  add(at: number, bytes: number): void {
    const end = (at + bytes) * this.#parts;
    for (let from = at * this.#parts; from < end; ) {
      const part = Math.floor(from / this.#size);
      const to = Math.min(end, (part + 1) * this.#size);
      this.#shared[part] = (this.#shared[part] ?? 0) + to - from;
      from = to;
    }
  }

  percents(): number[] {
    return this.#shared.map((shared) => Math.round((100 * shared) / this.#size));
  }
}
