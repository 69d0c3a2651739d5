import { readNumber, TAR_BLOCK, TarError } from './tar-format.ts';

/**
 * Sparse members, in the four ways in which GNU tar has written them. Layers that a registry keeps are somebody's own tar.
 * Source: GNU tar manual, "Storing Sparse Files".
 */

/** A stored part of a file; the parts follow each other in the archive, the rest is holes. */
export interface SparseRun {
  readonly at: number;
  readonly bytes: number;
}

/** Type `S` (old GNU format): four entries in the header, more in the blocks that follow when it is extended. */
export function sparseHeader(block: Buffer): {
  readonly runs: readonly SparseRun[];
  readonly isExtended: boolean;
} {
  return { runs: sparseEntries(block, 386, 4), isExtended: block[482] === 1 };
}

/** Up to `count` entries of 24 bytes: offset and length, 12 bytes each; an empty one ends them. */
export function sparseEntries(block: Buffer, offset: number, count: number): SparseRun[] {
  const runs: SparseRun[] = [];
  for (let i = 0; i < count; i += 1) {
    const at = offset + i * 24;
    if (block[at] === 0) break;
    const run = { at: readNumber(block, at, 12), bytes: readNumber(block, at + 12, 12) };
    if (run.at < 0 || run.bytes < 0) throw new TarError('a map of holes is malformed');
    runs.push(run);
  }
  return runs;
}

/** "offset,length,offset,length,…": pax formats 0.0 and 0.1. */
export function parseSparseMap(map: string): SparseRun[] {
  const numbers = map === '' ? [] : map.split(',').map(Number);
  if (numbers.length % 2 !== 0 || numbers.some((each) => !Number.isSafeInteger(each) || each < 0))
    throw new TarError('a map of holes is malformed');
  const runs: SparseRun[] = [];
  for (let i = 0; i < numbers.length; i += 2) runs.push({ at: numbers[i] ?? 0, bytes: numbers[i + 1] ?? 0 });
  return runs;
}

/** Pax format 1.0: the map stands before the content, as decimal numbers on lines, padded to whole tar blocks. */
export function readSparseStart(
  read: (offset: number, length: number) => Buffer,
  storedBytes: number,
): { readonly runs: readonly SparseRun[]; readonly bytes: number } {
  const numbers: number[] = [];
  let digits = '';
  let wanted = 1;
  let at = 0;
  while (numbers.length < wanted) {
    if (at + TAR_BLOCK > storedBytes) throw new TarError('a map of holes is cut off');
    for (const byte of read(at, TAR_BLOCK)) {
      if (numbers.length === wanted) break;
      if (byte === 0x0a) {
        const value = Number(digits);
        if (digits === '' || !Number.isSafeInteger(value)) throw new TarError('a map of holes is malformed');
        if (numbers.length === 0) wanted = 1 + value * 2;
        numbers.push(value);
        digits = '';
      } else if (byte >= 0x30 && byte <= 0x39 && digits.length < 20) digits += String.fromCharCode(byte);
      else throw new TarError('a map of holes is malformed');
    }
    at += TAR_BLOCK;
  }
  return { runs: parseSparseMap(numbers.slice(1).join(',')), bytes: at };
}
