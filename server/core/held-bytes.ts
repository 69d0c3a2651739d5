import type { ByteSource, HeldBytes } from './ports.ts';

/** A source that is held for the time of each reading. */
export function heldSource(
  facts: Pick<ByteSource, 'sizeBytes' | 'etag'>,
  hold: () => Promise<HeldBytes>,
): ByteSource {
  return {
    ...facts,
    hold,
    async *read(range, signal) {
      const held = await hold();
      try {
        yield* held.read(range, signal);
      } finally {
        await held.release();
      }
    },
  };
}

/** Bytes at hand: nothing can take them away. */
export function bytesSource(bytes: Uint8Array, etag: string): ByteSource {
  return {
    sizeBytes: bytes.length,
    etag,
    async *read({ start, end }) {
      yield bytes.subarray(start, end);
    },
  };
}
