import type { ByteRange } from '../core/byte-range.ts';
import type { ByteSource } from '../core/ports.ts';

/** A run of bytes that can be read from anywhere in it. */
export interface Segment {
  readonly bytes: number;
  read(range: ByteRange, signal: AbortSignal): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Shared by every reader: a consumer must not write into it. */
const ZEROS = Buffer.alloc(1024 * 1024);

export function zeros(bytes: number): Segment {
  return {
    bytes,
    *read({ start, end }, signal) {
      for (let at = start; at < end; at += ZEROS.length) {
        signal.throwIfAborted();
        yield ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
      }
    },
  };
}

export function made(data: Uint8Array): Segment {
  return { bytes: data.length, read: ({ start, end }) => [data.subarray(start, end)] };
}

/** `bytes` bytes of a source, from `offset` on. */
export function part(source: Pick<ByteSource, 'read'>, offset: number, bytes: number): Segment {
  return {
    bytes,
    read: ({ start, end }, signal) => source.read({ start: offset + start, end: offset + end }, signal),
  };
}

/** One after the other; any range of the whole is read without touching the others. */
export function concatenate(segments: readonly Segment[], etag: string): ByteSource {
  const starts: number[] = [];
  let sizeBytes = 0;
  for (const { bytes } of segments) {
    starts.push(sizeBytes);
    sizeBytes += bytes;
  }
  return {
    sizeBytes,
    etag,
    async *read(range, signal) {
      for (let i = lastNotAfter(starts, range.start); i < segments.length; i += 1) {
        const segment = segments[i];
        const from = starts[i];
        if (!segment || from === undefined || from >= range.end) return;
        signal.throwIfAborted();
        const start = Math.max(0, range.start - from);
        const end = Math.min(segment.bytes, range.end - from);
        if (start < end) yield* segment.read({ start, end }, signal);
      }
    },
  };
}

/** The index of the last start that is not after a position. */
function lastNotAfter(starts: readonly number[], position: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] ?? 0) <= position) low = middle;
    else high = middle;
  }
  return low;
}
