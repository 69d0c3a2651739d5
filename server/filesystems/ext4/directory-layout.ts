import type { Latin1 } from '../node.ts';
import { BLOCK } from './format.ts';
import { hashName } from './name-hash.ts';

/**
 * How a directory's names lie in its blocks. One block of names needs no index; more are an htree: names in leaves by hash.
 *
 * A leaf holds all names whose hashes begin with the same bits, as few bits as make them fit. So the leaf of a name
 * depends on the names near it alone: a name that is added changes one leaf, or splits it, and every other leaf keeps
 * its bytes. Leaves filled one after the other would all change.
 */
export type DirectoryLayout =
  | { readonly kind: 'linear'; readonly blocks: number }
  | {
      readonly kind: 'indexed';
      readonly blocks: number;
      /** Entries in the order of their hashes. */
      readonly order: Uint32Array;
      /** Where in `order` each leaf begins. */
      readonly leafStarts: readonly number[];
      /** The lowest hash of each leaf; odd when names of the same hash stand in the leaf before. */
      readonly leafHashes: readonly number[];
      /** Blocks of the level between root and leaves; 0 when there is none. */
      readonly nodes: number;
    };

/** "." and "..". */
const DOTS = 24;
/** Checksums take the end of each block. */
export const DIRECTORY_TAIL = 12;
const INDEX_ENTRY = 8;
const ROOT_HEADER = 32;
const NODE_HEADER = 8;

export function entryBytes(name: Latin1): number {
  return (8 + name.length + 3) & ~3;
}

/** Entries in the root of an index, and in a node below it. */
export function indexLimits(hasChecksums: boolean): { readonly root: number; readonly node: number } {
  const tail = hasChecksums ? 8 : 0;
  return {
    root: (BLOCK - ROOT_HEADER - tail) / INDEX_ENTRY,
    node: (BLOCK - NODE_HEADER - tail) / INDEX_ENTRY,
  };
}

/** @returns null when a directory has more names than an index of two levels can hold. */
export function layDirectory(
  names: readonly Latin1[],
  hasChecksums: boolean,
  hash = hashName,
): DirectoryLayout | null {
  const room = BLOCK - (hasChecksums ? DIRECTORY_TAIL : 0);
  let bytes = DOTS;
  for (const name of names) bytes += entryBytes(name);
  if (bytes <= room) return { kind: 'linear', blocks: 1 };

  const major = new Float64Array(names.length);
  const minor = new Float64Array(names.length);
  for (const [i, name] of names.entries()) {
    const hashed = hash(name);
    major[i] = hashed.major;
    minor[i] = hashed.minor;
  }
  const at = (list: Float64Array, i: number): number => list[i] as number;
  const order = Uint32Array.from(names.keys()).sort(
    (a, b) => at(major, a) - at(major, b) || at(minor, a) - at(minor, b) || a - b,
  );
  // Bytes of the names before each, in that order.
  const before = new Float64Array(names.length + 1);
  for (const [i, index] of order.entries())
    before[i + 1] = at(before, i) + entryBytes(names[index] as Latin1);

  const leafStarts: number[] = [];
  const leafHashes: number[] = [];
  const split = (from: number, to: number, lowest: number, bit: number): void => {
    if (at(before, to) - at(before, from) <= room) {
      leafStarts.push(from);
      leafHashes.push(lowest);
    } else if (bit === 0) {
      // Names with one and the same hash, more than a block of them.
      for (let start = from, next = from; start < to; start = next) {
        while (next < to && at(before, next + 1) - at(before, start) <= room) next += 1;
        leafStarts.push(start);
        leafHashes.push(start === from ? lowest : lowest + 1);
      }
    } else {
      const border = lowest + 2 ** bit;
      let middle = from;
      while (middle < to && at(major, order[middle] as number) < border) middle += 1;
      if (middle > from) split(from, middle, lowest, bit - 1);
      if (to > middle) split(middle, to, border, bit - 1);
    }
  };
  split(0, names.length, 0, 31);

  const limits = indexLimits(hasChecksums);
  const nodes = leafStarts.length <= limits.root ? 0 : Math.ceil(leafStarts.length / limits.node);
  if (nodes > limits.root) return null;
  return { kind: 'indexed', blocks: 1 + nodes + leafStarts.length, order, leafStarts, leafHashes, nodes };
}
