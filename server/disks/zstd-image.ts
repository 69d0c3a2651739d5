import type { ByteSource } from '../core/ports.ts';
import { concatenate, part, type Segment } from '../core/segments.ts';
import { type DiskParts, etagOf, type PartSource, type StoredFrames } from './parts.ts';
import { rawFrame, rawFrameOf, zeroFrames } from './zstd-frames.ts';

/** What is made is looked through for zeros in such steps. */
const STEP_BYTES = 4096;

/**
 * The disk as zstd frames one after the other: an image's own frames as they are stored, and around them frames that cost nothing
 * to make. Nothing is compressed, so its length is known before the first byte.
 */
export function zstdImage(disk: DiskParts): ByteSource {
  return concatenate([...framesOfDisk(disk)], etagOf('zst', disk));
}

function* framesOfDisk(disk: DiskParts): Generator<Segment> {
  let at = 0;
  for (const { offset, bytes, from } of disk.parts) {
    yield* zeroFrames(offset - at);
    yield* framesOf(from, bytes);
    at = offset + bytes;
  }
  yield* zeroFrames(disk.bytes - at);
}

function framesOf(from: PartSource, bytes: number): Iterable<Segment> {
  switch (from.kind) {
    case 'made':
      return framesOfMade(from.data);
    case 'file':
      return rawFrameOf(from.source, bytes);
    case 'image':
      if (!from.stored) throw new RangeError('this disk was composed to be sent as it is');
      return framesOfImage(from.stored, bytes);
    default:
      return from satisfies never;
  }
}

function framesOfMade(data: Uint8Array): Segment[] {
  const segments: Segment[] = [];
  const settle = (start: number, end: number, isZero: boolean): void => {
    if (isZero) segments.push(...zeroFrames(end - start));
    else segments.push(rawFrame(data.subarray(start, end)));
  };
  let start = 0;
  let wasZero: boolean | null = null;
  for (let at = 0; at < data.length; at += STEP_BYTES) {
    const isZero = data.subarray(at, at + STEP_BYTES).every((byte) => byte === 0);
    if (wasZero !== null && isZero !== wasZero) {
      settle(start, at, wasZero);
      start = at;
    }
    wasZero = isZero;
  }
  if (wasZero !== null) settle(start, data.length, wasZero);
  return segments;
}

/** Frames that follow each other in `data` as well are sent as one run. */
function* framesOfImage({ data, chunks, frames }: StoredFrames, bytes: number): Generator<Segment> {
  let at = 0;
  let run = { start: 0, end: 0 };
  const settled = (): Segment[] => (run.end > run.start ? [part(data, run.start, run.end - run.start)] : []);
  for (const chunk of chunks) {
    const frame = frames.get(chunk.sha256);
    if (!frame) throw new Error(`chunk ${chunk.sha256} has no frame`);
    const hasGap = chunk.offset > at;
    if (hasGap || run.end !== frame.offset || run.end === run.start) {
      yield* settled();
      if (hasGap) yield* zeroFrames(chunk.offset - at);
      run = { start: frame.offset, end: frame.offset + frame.bytes };
    } else run.end += frame.bytes;
    at = chunk.offset + chunk.bytes;
  }
  yield* settled();
  yield* zeroFrames(bytes - at);
}
