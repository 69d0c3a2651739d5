import type { Digest } from '../core/digest.ts';
import type { ImageIndex } from '../core/image-index.ts';
import {
  bytesByLayer,
  type ImageLayer,
  layerOfChunks,
  SharedParts,
  type SharedWith,
} from '../core/image-layers.ts';
import type { ImageLibrary, Store } from '../core/ports.ts';
import type { ImageDetailUseCases } from '../core/use-cases.ts';

/** What an image shares changes only when another one comes or goes: what was looked up last is kept. */
const KEPT = 16;

/** Images as people look at them: layers, what they share with which other image, how many hosts they are for. */
export function imageDetailCases({
  store,
  library,
}: {
  readonly store: Pick<Store, 'imageDetails' | 'chunks'>;
  readonly library: Pick<ImageLibrary, 'index'>;
}): ImageDetailUseCases {
  const kept = new Map<Digest, { readonly among: string; readonly shared: Promise<readonly SharedWith[]> }>();
  const { imageDetails } = store;

  return {
    hostCounts: imageDetails.hostCounts,

    async layers(digest) {
      const recorded = await imageDetails.layers(digest);
      const chunks = (await library.index(digest))?.chunks ?? [];
      if (recorded === null) return null;
      const { before, layers } = bytesByLayer(chunks, recorded);
      return {
        bytesBefore: before,
        layers: recorded.map((layer, at) => ({ ...layer, bytes: layers[at] ?? 0 })),
      };
    },

    async shared(digest) {
      const index = await library.index(digest);
      if (index === null || index.chunks.length === 0) return { contentBytes: 0, images: [] };
      const numbers = await imageDetails.numbers();
      const layers = await imageDetails.layers(digest);
      // Built once more of another Dockerfile it may have other layers.
      const among = `${[...numbers.keys()].join()} ${layers?.map(({ offset }) => offset).join()}`;
      let found = kept.get(digest);
      if (found?.among !== among) {
        found = { among, shared: look(digest, { index, layers }, numbers) };
        // The one that was asked for longest ago goes.
        kept.delete(digest);
        kept.set(digest, found);
        found.shared.catch(() => kept.delete(digest));
        const [oldest] = kept.keys();
        if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
      }
      return { contentBytes: contentOf(index), images: await found.shared };
    },
  };

  async function look(
    digest: Digest,
    { index, layers }: { readonly index: ImageIndex; readonly layers: readonly ImageLayer[] | null },
    numbers: ReadonlyMap<number, Digest>,
  ): Promise<readonly SharedWith[]> {
    const different = [...new Set(index.chunks.map(({ sha256 }) => sha256))];
    const [lists, places] = await Promise.all([imageDetails.users(different), store.chunks(different)]);
    const users = new Map(different.map((sha256, at) => [sha256, lists[at] ?? []]));
    const content = contentOf(index);
    const layerOf = layers && layerOfChunks(index.chunks, layers);
    const others = new Map<number, Other>();
    const seen = new Set<string>();
    let at = 0;
    for (const [chunk, { sha256, bytes }] of index.chunks.entries()) {
      const layer = layerOf?.[chunk] ?? -1;
      const isFirst = !seen.has(sha256);
      seen.add(sha256);
      for (const number of users.get(sha256) ?? []) {
        let other = others.get(number);
        if (!other) {
          const layerBytes = layers?.map(() => 0) ?? null;
          other = { chunks: 0, dataBytes: 0, bytes: 0, layerBytes, parts: new SharedParts(content) };
          others.set(number, other);
        }
        other.bytes += bytes;
        if (layer !== -1 && other.layerBytes)
          other.layerBytes[layer] = (other.layerBytes[layer] ?? 0) + bytes;
        other.parts.add(at, bytes);
        if (!isFirst) continue;
        other.chunks += 1;
        other.dataBytes += places.get(sha256)?.bytes ?? 0;
      }
      at += bytes;
    }
    return [...others]
      .flatMap(([number, { parts, ...sums }]) => {
        const other = numbers.get(number);
        return other === undefined || other === digest
          ? []
          : [{ digest: other, ...sums, parts: parts.percents() }];
      })
      .sort((a, b) => b.bytes - a.bytes || (a.digest < b.digest ? -1 : 1));
  }
}

type Other = {
  chunks: number;
  dataBytes: number;
  bytes: number;
  readonly layerBytes: number[] | null;
  readonly parts: SharedParts;
};

function contentOf({ chunks }: ImageIndex): number {
  return chunks.reduce((sum, { bytes }) => sum + bytes, 0);
}
