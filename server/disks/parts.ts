import { createHash } from 'node:crypto';
import type { Frame, IndexChunk } from '../core/image-index.ts';
import type { ByteSource } from '../core/ports.ts';

/** A run of the disk and where its bytes come from; what no part covers reads as zeros. */
export interface Part {
  readonly offset: number;
  readonly bytes: number;
  readonly from: PartSource;
}

/**
 * `made`: bytes of the disk's own, few enough for memory. `file`: a kernel, an initrd. `image`: an image's filesystem, as the
 * partition and, where the disk is sent as zstd frames, as those that are stored.
 */
export type PartSource =
  | { readonly kind: 'made'; readonly data: Uint8Array }
  | { readonly kind: 'file'; readonly source: ByteSource }
  | { readonly kind: 'image'; readonly raw: ByteSource; readonly stored: StoredFrames | null };

/** Where an image's chunks lie in its `data`. */
export interface StoredFrames {
  readonly data: ByteSource;
  readonly chunks: readonly IndexChunk[];
  /** By the chunk's sha256. */
  readonly frames: ReadonlyMap<string, Frame>;
}

/** A whole disk as parts in rising order that do not overlap. */
export interface DiskParts {
  readonly bytes: number;
  readonly parts: readonly Part[];
}

/** @throws RangeError when parts overlap or reach beyond the disk: a mistake of this program */
export function diskParts(bytes: number, parts: readonly Part[]): DiskParts {
  const sorted = parts.filter((part) => part.bytes > 0).sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const part of sorted) {
    if (part.offset < end) throw new RangeError(`a part at ${part.offset} overlaps the one before it`);
    end = part.offset + part.bytes;
  }
  if (end > bytes) throw new RangeError(`parts reach to ${end}, the disk has ${bytes} bytes`);
  return { bytes, parts: sorted };
}

/**
 * Names a representation by all that decides its bytes. What was made is hashed, so that a change in how it is made shows; images
 * have names already.
 */
export function etagOf(format: 'img' | 'zst', { bytes, parts }: DiskParts): string {
  const hash = createHash('sha256').update(`${format} ${bytes}\n`);
  for (const { offset, bytes: length, from } of parts) {
    hash.update(`${offset} ${length} `);
    switch (from.kind) {
      case 'made':
        hash.update(from.data);
        break;
      case 'file':
        hash.update(from.source.etag);
        break;
      case 'image':
        hash.update(from.raw.etag);
        if (format === 'zst') hash.update(from.stored?.data.etag ?? '');
        break;
      default:
        from satisfies never;
    }
  }
  return `"${hash.digest('hex')}"`;
}
