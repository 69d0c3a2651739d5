import type { ByteSource } from '../core/ports.ts';
import { type DiskParts, etagOf, type PartSource, type StoredFrames } from './parts.ts';
import { concatenate, part, type Segment } from './segments.ts';
import { rawFrame, rawFrameOf, zeroFrames } from './zstd-frames.ts';

/** What is made is looked through for zeros in such steps. */
const STEP_BYTES = 4096;

/**
 * The disk as zstd frames one after the other: an image's own frames as they are stored, and around them frames that cost nothing
 * to make. Nothing is compressed, so its length is known before the first byte.
 */
export function zstdImage(disk: DiskParts): ByteSource {
  const segments: Segment[] = [];
  let at = 0;
  for (const { offset, bytes, from } of disk.parts) {
    segments.push(...zeroFrames(offset - at), ...framesOf(from, bytes));
    at = offset + bytes;
  }
  segments.push(...zeroFrames(disk.bytes - at));
  return concatenate(segments, etagOf('zst', disk));
}

function framesOf(from: PartSource, bytes: number): Segment[] {
  switch (from.kind) {
    case 'made':
      return framesOfMade(from.data);
    case 'file':
      return rawFrameOf(from.source, bytes);
    case 'image':
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
function framesOfImage({ data, chunks, frames }: StoredFrames, bytes: number): Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  let run = { start: 0, end: 0 };
  const settle = (): void => {
    if (run.end > run.start) segments.push(part(data, run.start, run.end - run.start));
    run = { start: 0, end: 0 };
  };
  for (const chunk of chunks) {
    const frame = frames.get(chunk.sha256);
    if (!frame) throw new Error(`chunk ${chunk.sha256} has no frame`);
    if (chunk.offset > at) {
      settle();
      segments.push(...zeroFrames(chunk.offset - at));
    }
    if (run.end !== frame.offset || run.end === run.start) {
      settle();
      run = { start: frame.offset, end: frame.offset + frame.bytes };
    } else run.end += frame.bytes;
    at = chunk.offset + chunk.bytes;
  }
  settle();
  segments.push(...zeroFrames(bytes - at));
  return segments;
}
