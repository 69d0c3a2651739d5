import type { ByteSource } from '../core/ports.ts';
import { concatenate, made, part, type Segment, zeros } from '../core/segments.ts';
import { type DiskParts, etagOf, type PartSource } from './parts.ts';

/** The disk, byte by byte. */
export function rawImage(disk: DiskParts): ByteSource {
  const segments: Segment[] = [];
  let at = 0;
  for (const { offset, bytes, from } of disk.parts) {
    if (offset > at) segments.push(zeros(offset - at));
    segments.push(segmentOf(from, bytes));
    at = offset + bytes;
  }
  if (disk.bytes > at) segments.push(zeros(disk.bytes - at));
  return concatenate(segments, etagOf('img', disk));
}

function segmentOf(from: PartSource, bytes: number): Segment {
  switch (from.kind) {
    case 'made':
      return made(from.data);
    case 'file':
      return part(from.source, 0, bytes);
    case 'image':
      return part(from.raw, 0, bytes);
    default:
      return from satisfies never;
  }
}
