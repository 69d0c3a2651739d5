/**
 * Where a partition is cut into chunks: by content, at block boundaries only. Files move on a filesystem by whole
 * blocks, so what moved is found again without a rolling hash.
 */

/** The rule as it stands in an index. Another rule is another algorithm name: hosts reuse chunks only under one rule. */
export const CHUNKING = {
  algorithm: 'block-crc32',
  blockBytes: 4096,
  modulus: 16,
  minBlocks: 4,
  maxBlocks: 64,
} as const;

/** How to cut: other numbers than the index's are for measuring alone. */
export type ChunkingRule = {
  readonly [Key in keyof typeof CHUNKING]: (typeof CHUNKING)[Key] extends number ? number : string;
};

/** No chunk is longer, so a reader knows the size of its buffers. */
export const MAX_CHUNK_BYTES = CHUNKING.blockBytes * CHUNKING.maxBlocks;

/** A run of bytes of the partition. Both are multiples of the block size. */
export interface ByteExtent {
  readonly offset: number;
  readonly bytes: number;
}

/** CRC-32/ISO-HDLC (as in zip and zlib) as an unsigned number: handed in, because core has no packages. */
export type Crc32 = (bytes: Uint8Array) => number;

/** Cuts a stream of blocks. Each call returns the chunks that it closed, in order. */
export interface Cutter {
  /** @throws RangeError unless the length is a multiple of the block size: the caller's mistake, not the data's. */
  feed(blocks: Uint8Array): ByteExtent[];
  /** The same as feeding that many zero bytes, without looking at them. */
  skipZeros(bytes: number): ByteExtent[];
  /** Closes the last chunk. */
  finish(): ByteExtent[];
  /** Where the open chunk begins, or where the next byte will lie when none is open. */
  keepFrom(): number;
}

/**
 * A chunk ends after a block with `crc32 % modulus == 0` once it has `minBlocks`, at `maxBlocks`, and before a block of
 * zeros, however short it is then. Zero blocks are in no chunk. The count begins anew with each chunk.
 */
export function createCutter(crc32: Crc32, rule: ChunkingRule = CHUNKING): Cutter {
  const { blockBytes, modulus, minBlocks, maxBlocks } = rule;
  let position = 0;
  let start = 0;
  let blocks = 0;

  const close = (): ByteExtent[] => {
    if (blocks === 0) return [];
    const chunk = { offset: start, bytes: blocks * blockBytes };
    blocks = 0;
    return [chunk];
  };

  return {
    feed(data) {
      if (data.byteLength % blockBytes !== 0) throw new RangeError('the cutter is fed whole blocks');
      const closed: ByteExtent[] = [];
      for (let at = 0; at < data.byteLength; at += blockBytes) {
        const block = data.subarray(at, at + blockBytes);
        if (isZero(block)) closed.push(...close());
        else {
          if (blocks === 0) start = position;
          blocks += 1;
          if (blocks >= maxBlocks || (blocks >= minBlocks && crc32(block) % modulus === 0))
            closed.push(...close());
        }
        position += blockBytes;
      }
      return closed;
    },
    skipZeros(bytes) {
      if (bytes % blockBytes !== 0) throw new RangeError('the cutter is fed whole blocks');
      position += bytes;
      return close();
    },
    finish: close,
    keepFrom: () => (blocks > 0 ? start : position),
  };
}

/** True when every byte is 0. Looks at eight bytes at a time where the alignment allows. */
export function isZero(bytes: Uint8Array): boolean {
  if (bytes.byteOffset % 8 !== 0 || bytes.byteLength % 8 !== 0) return bytes.every((byte) => byte === 0);
  const words = new Float64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  for (let i = 0; i < words.length; i += 1) {
    // -0 equals 0 as a number but is 0x80… as bytes; Object.is tells them apart, and NaN is not 0 either.
    if (!Object.is(words[i], 0)) return false;
  }
  return true;
}
