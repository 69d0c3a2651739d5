import type { Latin1 } from '../node.ts';
import { levelsOf, sum } from './btree.ts';
import { roundUp } from './encode.ts';
import { BLOCK } from './geometry.ts';

/** Where the parts of a directory lie in its own address space, in blocks: entries at 0, hashes at 32 GiB, free room at 64 GiB. */
export const HASHES_AT = 2 ** 35 / BLOCK;
export const FREE_AT = 2 ** 36 / BLOCK;

/** Bytes before the entries of a data block, and before the records of a leaf, a node and a block of the free index. */
export const DATA_HEADER = 64;
export const INDEX_HEADER = 64;
export const HASHES_PER_LEAF = (BLOCK - INDEX_HEADER) / 8;
export const POINTERS_PER_NODE = (BLOCK - INDEX_HEADER) / 8;
export const BESTS_PER_BLOCK = (BLOCK - INDEX_HEADER) / 2;

/** The directory itself and its parent are its first two entries. */
export const DOT_BYTES = entryBytes('.') + entryBytes('..');

/** An entry in a data block: inode number, length, name, type, its own offset, padded. */
export function entryBytes(name: Latin1): number {
  return roundUp(8 + 1 + name.length + 1 + 2, 8);
}

/** Bytes of a directory that lies within its inode. `wide`: some inode number needs 64 bits. */
export function shortFormBytes(names: Iterable<Latin1>, wide: boolean): number {
  const number = wide ? 8 : 4;
  let bytes = 2 + number;
  for (const name of names) bytes += 1 + 2 + name.length + 1 + number;
  return bytes;
}

/**
 * How a directory's blocks are divided. `block`: entries and hashes share one block. `leaf`: hashes in one block of their own.
 * `node`: hashes in a tree, free room in an index.
 */
export interface DirectoryShape {
  readonly form: 'block' | 'leaf' | 'node';
  readonly dataBlocks: number;
  /** Levels of the tree of hashes, leaves first; one leaf where there is no tree, none for `block`. */
  readonly hashLevels: readonly number[];
  readonly freeBlocks: number;
}

export function directoryShape(names: readonly Latin1[]): DirectoryShape {
  const entries = names.length + 2;
  let total = DATA_HEADER + DOT_BYTES;
  let dataBlocks = 1;
  let at = total;
  for (const name of names) {
    const bytes = entryBytes(name);
    total += bytes;
    if (at + bytes > BLOCK) {
      dataBlocks += 1;
      at = DATA_HEADER;
    }
    at += bytes;
  }
  if (total + entries * 8 + 8 <= BLOCK)
    return { form: 'block', dataBlocks: 1, hashLevels: [], freeBlocks: 0 };
  // The leaf ends with two bytes for each data block and their number.
  if (INDEX_HEADER + entries * 8 + dataBlocks * 2 + 4 <= BLOCK)
    return { form: 'leaf', dataBlocks, hashLevels: [1], freeBlocks: 0 };
  return {
    form: 'node',
    dataBlocks,
    hashLevels: levelsOf(entries, HASHES_PER_LEAF, POINTERS_PER_NODE),
    freeBlocks: Math.ceil(dataBlocks / BESTS_PER_BLOCK),
  };
}

/** All blocks; on the partition they follow each other: entries, hashes (root first), free index. */
export function directoryBlocks(shape: DirectoryShape): number {
  return shape.dataBlocks + sum(shape.hashLevels) + shape.freeBlocks;
}
