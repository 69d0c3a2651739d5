import { closeSync, openSync, readSync } from 'node:fs';
import {
  decodeHeader,
  decodePax,
  type Latin1,
  type Overrides,
  paddingAfter,
  resolveEntry,
  TAR_BLOCK,
  type TarEntry,
  TarError,
} from './tar-format.ts';

/** A part of a file: a tar on its own, or one that lies as a member in another (as layers do in `docker save`). */
export interface FileRegion {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

/** A member and where its content lies in the file (not in the region). */
export interface PlacedEntry extends TarEntry {
  readonly contentOffset: number;
}

const WINDOW_BYTES = 128 * 1024;
const MAX_EXTENSION_BYTES = 16 * 1024 * 1024;

/**
 * Lists a tar by its headers, without reading the contents. Synchronous on purpose: it runs in the build's own
 * process, where tens of thousands of awaits would cost more than the reads.
 * @throws TarError when the tar is damaged, cut off or holds what cannot be kept
 */
export function* scanTar(region: FileRegion): Generator<PlacedEntry> {
  const file = openSync(region.path, 'r');
  try {
    const end = region.offset + region.bytes;
    const read = windowedReader(file, end);
    let at = region.offset;
    let before: { path?: Latin1; link?: Latin1; pax?: Map<Latin1, Latin1> } = {};
    // Some writers leave out the two blocks of zeros at the end.
    while (at < end) {
      const header = decodeHeader(read(at, TAR_BLOCK));
      if (!header) return;
      at += TAR_BLOCK;
      const next = (size: number): number => at + size + paddingAfter(size);
      if (header.flag === 'L' || header.flag === 'K' || header.flag === 'x' || header.flag === 'g') {
        if (header.size > MAX_EXTENSION_BYTES) throw new TarError('an extension header is too long');
        const data = read(at, header.size);
        if (header.flag === 'L') before.path = untilNul(data);
        else if (header.flag === 'K') before.link = untilNul(data);
        else if (header.flag === 'x') before.pax = decodePax(data);
        at = next(header.size);
        continue;
      }
      const entry = resolveEntry(header, before satisfies Overrides);
      before = {};
      if (next(entry.size) > end) throw new TarError(`${entry.path}: the archive ends within its content`);
      yield { ...entry, contentOffset: at };
      at = next(entry.size);
    }
  } finally {
    closeSync(file);
  }
}

/** Serves small reads from one large one; headers of small files lie close together. */
function windowedReader(file: number, end: number): (at: number, length: number) => Buffer {
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  let start = 0;
  let filled = 0;
  return (at, length) => {
    if (at + length > end) throw new TarError('the archive is cut off');
    if (length > WINDOW_BYTES) {
      const own = Buffer.allocUnsafe(length);
      if (readSync(file, own, 0, length, at) !== length) throw new TarError('the archive is cut off');
      return own;
    }
    if (at < start || at + length > start + filled) {
      start = at;
      filled = readSync(file, window, 0, Math.min(WINDOW_BYTES, end - at), at);
      if (filled < length) throw new TarError('the archive is cut off');
    }
    return window.subarray(at - start, at - start + length);
  };
}

function untilNul(data: Buffer): Latin1 {
  const end = data.indexOf(0);
  return data.toString('latin1', 0, end === -1 ? data.length : end);
}
