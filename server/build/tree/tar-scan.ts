import { closeSync, openSync, readSync } from 'node:fs';
import type { LayerEntry } from '../../filesystems/file-tree.ts';
import type { ContentRun, Latin1 } from '../../filesystems/node.ts';
import {
  decodeHeader,
  decodePax,
  type Overrides,
  paddingAfter,
  resolveEntry,
  TAR_BLOCK,
  TarError,
} from './tar-format.ts';
import {
  parseSparseMap,
  readSparseStart,
  type SparseRun,
  sparseEntries,
  sparseHeader,
} from './tar-sparse.ts';

/** A part of a file: a tar on its own, or one that lies as a member in another (as layers do in `docker save`). */
export interface FileRegion {
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
}

const WINDOW_BYTES = 128 * 1024;
const MAX_EXTENSION_BYTES = 16 * 1024 * 1024;

/**
 * Lists a tar by its headers, without reading the contents. Synchronous on purpose: it runs in the build's own
 * process, where tens of thousands of awaits would cost more than the reads.
 * @throws TarError when the tar is damaged, cut off or holds what cannot be kept
 */
export function* scanTar(region: FileRegion): Generator<LayerEntry> {
  const file = openSync(region.path, 'r');
  try {
    const end = region.offset + region.bytes;
    const read = windowedReader(file, end);
    let at = region.offset;
    let before: { path?: Latin1; link?: Latin1; pax?: Map<Latin1, Latin1> } = {};
    // Some writers leave out the two blocks of zeros at the end.
    while (at < end) {
      const block = read(at, TAR_BLOCK);
      const header = decodeHeader(block);
      if (!header) return;
      const oldSparse = header.flag === 'S' ? sparseHeader(block) : null;
      at += TAR_BLOCK;
      if (header.size < 0) throw new TarError(`${header.path}: its size is ${header.size}`);
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
      const { path, isHardLink, meta, link, storedBytes, sparse } = resolveEntry(
        header,
        before satisfies Overrides,
      );
      before = {};
      // Where the stored bytes begin and which parts of the content they are: the whole, unless the member is sparse.
      let runs: readonly SparseRun[] = [{ at: 0, bytes: storedBytes }];
      let contentAt = at;
      let stored = storedBytes;
      if (oldSparse) {
        runs = [...oldSparse.runs];
        for (let more = oldSparse.isExtended; more; contentAt += TAR_BLOCK) {
          const extension = read(contentAt, TAR_BLOCK);
          runs = [...runs, ...sparseEntries(extension, 0, 21)];
          more = extension[504] === 1;
        }
        at = contentAt;
      } else if (sparse?.kind === 'listed') runs = parseSparseMap(sparse.map);
      else if (sparse) {
        const start = readSparseStart((offset, length) => read(at + offset, length), storedBytes);
        runs = start.runs;
        contentAt = at + start.bytes;
        stored = storedBytes - start.bytes;
      }
      if (next(storedBytes) > end) throw new TarError(`${path}: the archive ends within its content`);
      if (isHardLink) yield { path, target: link, states: meta };
      else {
        const content =
          meta.type === 'file' ? placeRuns(path, runs, meta.size, stored, region.path, contentAt) : [];
        yield { path, inode: { meta, content } };
      }
      at = next(storedBytes);
    }
  } finally {
    closeSync(file);
  }
}

/** Runs follow each other in the file; together they are all that is stored. */
function placeRuns(
  path: Latin1,
  runs: readonly SparseRun[],
  size: number,
  stored: number,
  file: string,
  offset: number,
): ContentRun[] {
  const placed: ContentRun[] = [];
  let taken = 0;
  let end = 0;
  for (const { at, bytes } of runs) {
    if (at < end || at + bytes > size || taken + bytes > stored)
      throw new TarError(`${path}: its map of holes does not fit its content`);
    if (bytes > 0) placed.push({ at, bytes, file, offset: offset + taken });
    taken += bytes;
    end = at + bytes;
  }
  // One run is what most files have, and a list that grew keeps room for many more.
  return placed.slice();
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
