import type { ByteRange } from './byte-range.ts';
import { heldSource } from './held-bytes.ts';
import type { ByteSource, HeldBytes } from './ports.ts';

/** A run of bytes that can be read from anywhere in it: made on the way, or a part of a source from `offset` on. */
export type Segment =
  | { readonly bytes: number; make(range: ByteRange): Iterable<Uint8Array> }
  | { readonly bytes: number; readonly source: Source; readonly offset: number };

type Source = Pick<ByteSource, 'read' | 'hold'>;

/** Shared by every reader: a consumer must not write into it. */
const ZEROS = new Uint8Array(1024 * 1024);

export function zeros(bytes: number): Segment {
  return {
    bytes,
    *make({ start, end }) {
      for (let at = start; at < end; at += ZEROS.length)
        yield ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
    },
  };
}

export function made(data: Uint8Array): Segment {
  return { bytes: data.length, make: ({ start, end }) => [data.subarray(start, end)] };
}

/** The same bytes a number of times. */
export function repeated(data: Uint8Array, times: number): Segment {
  return {
    bytes: data.length * times,
    *make({ start, end }) {
      for (let at = start; at < end; ) {
        const inside = at % data.length;
        const piece = data.subarray(inside, Math.min(data.length, inside + end - at));
        yield piece;
        at += piece.length;
      }
    },
  };
}

/** `bytes` bytes of a source, from `offset` on. */
export function part(source: Source, offset: number, bytes: number): Segment {
  return { bytes, source, offset };
}

/**
 * One after the other; any range of the whole is read without touching the others. Held, it holds every source: what was
 * promised can be sent to its end.
 */
export function concatenate(segments: readonly Segment[], etag: string): ByteSource {
  const starts: number[] = [];
  const sources = new Set<Source>();
  let sizeBytes = 0;
  for (const segment of segments) {
    starts.push(sizeBytes);
    sizeBytes += segment.bytes;
    if ('source' in segment) sources.add(segment.source);
  }

  async function* read(
    range: ByteRange,
    signal: AbortSignal,
    held: ReadonlyMap<Source, HeldBytes>,
  ): AsyncGenerator<Uint8Array> {
    for (let i = lastNotAfter(starts, range.start); i < segments.length; i += 1) {
      const segment = segments[i];
      const from = starts[i];
      if (!segment || from === undefined || from >= range.end) return;
      signal.throwIfAborted();
      const start = Math.max(0, range.start - from);
      const end = Math.min(segment.bytes, range.end - from);
      if (start >= end) continue;
      if ('source' in segment) {
        const { source, offset } = segment;
        yield* (held.get(source) ?? source).read({ start: offset + start, end: offset + end }, signal);
      } else
        for (const piece of segment.make({ start, end })) {
          signal.throwIfAborted();
          yield piece;
        }
    }
  }

  return heldSource({ sizeBytes, etag }, async () => {
    const { held, release } = await holdAll(sources);
    return { read: (range, signal) => read(range, signal, held), release };
  });
}

/** All or none. */
async function holdAll(sources: Iterable<Source>) {
  const held = new Map<Source, HeldBytes>();
  const release = async () => {
    await Promise.all([...held.values()].map((each) => each.release()));
  };
  try {
    for (const source of sources) if (source.hold) held.set(source, await source.hold());
  } catch (error) {
    await release();
    throw error;
  }
  return { held, release };
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
