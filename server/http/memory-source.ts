import type { ByteSource } from '../core/ports.ts';

/** Something small that is at hand, to be sent with length, ranges and its ETag. @param name without quotation marks */
export function memorySource(bytes: Uint8Array, name: string): ByteSource {
  return {
    sizeBytes: bytes.length,
    etag: `"${name}"`,
    async *read({ start, end }) {
      yield bytes.subarray(start, end);
    },
  };
}
