import { extentTreeHeader, levelsOf, share, sum } from './btree.ts';
import { put64, seal, type Volume } from './encode.ts';
import { BLOCK, fsBlock, type Geometry } from './geometry.ts';

/** Runs of an inode's blocks, flat: block within the file, linear block on the partition, count; and so on. */
export type Extents = readonly number[];

export const EXTENT_BYTES = 16;
/** Blocks that one extent can count: 21 bits. */
const MAX_COUNT = 2 ** 21 - 1;
const TREE_HEADER = 72;
/** Records of 16 bytes in a leaf, keys and pointers of 8 bytes each in a node: the same number. */
const PER_BLOCK = Math.floor((BLOCK - TREE_HEADER) / 16);
const ROOT_HEADER = 4;

/** Appends a run, joined with the one before where it follows on, cut where it is longer than an extent. */
export function addExtent(extents: number[], fileBlock: number, linear: number, count: number): void {
  const last = extents.length - 3;
  let done = 0;
  if (last >= 0) {
    const before = extents[last + 2] as number;
    if (
      (extents[last] as number) + before === fileBlock &&
      (extents[last + 1] as number) + before === linear
    ) {
      done = Math.min(count, MAX_COUNT - before);
      extents[last + 2] = before + done;
    }
  }
  for (; done < count; done += Math.min(count - done, MAX_COUNT))
    extents.push(fileBlock + done, linear + done, Math.min(count - done, MAX_COUNT));
}

export function extentCount(extents: Extents): number {
  return extents.length / 3;
}

/** 54 bits for the file's block, 52 for the partition's, 21 for the count; the highest bit, "unwritten", stays zero. */
export function putExtent(into: Buffer, at: number, geometry: Geometry, extents: Extents, i: number): void {
  const start = fsBlock(geometry, extents[i * 3 + 1] as number);
  put64(into, at, (extents[i * 3] as number) * 512 + Math.floor(start / 2 ** 43));
  put64(into, at + 8, (start % 2 ** 43) * 2 ** 21 + (extents[i * 3 + 2] as number));
}

/** The extents as they stand in an inode that has room for them. */
export function inlineExtents(geometry: Geometry, extents: Extents): Buffer {
  const fork = Buffer.alloc(extentCount(extents) * EXTENT_BYTES);
  for (let i = 0; i < extentCount(extents); i += 1) putExtent(fork, i * EXTENT_BYTES, geometry, extents, i);
  return fork;
}

/** Blocks per level below the root that is in the inode, leaves first. `forkBytes`: the room for that root. */
function treeLevels(count: number, forkBytes: number): number[] {
  const levels = levelsOf(count, PER_BLOCK, PER_BLOCK);
  const rootCapacity = Math.floor((forkBytes - ROOT_HEADER) / 16);
  // The inode's root takes the place of the topmost block, and of the level below when that fits as well.
  const kept = levels.findIndex((blocks) => blocks <= rootCapacity);
  return levels.slice(0, kept + 1);
}

/** How many blocks a tree of `count` extents needs besides the inode; 0 when they fit into it. */
export function extentTreeBlocks(count: number, forkBytes: number): number {
  return count * EXTENT_BYTES <= forkBytes ? 0 : sum(treeLevels(count, forkBytes));
}

/** The root for the inode, and the blocks below it, which begin at `start` (linear) and follow each other. */
export function extentTree(
  volume: Volume,
  ino: number,
  extents: Extents,
  start: number,
  forkBytes: number,
): { root: Buffer; blocks: Buffer } {
  const levels = treeLevels(extentCount(extents), forkBytes);
  const blocks = Buffer.alloc(sum(levels) * BLOCK);
  const pointer = (index: number) => fsBlock(volume.geometry, start + index);
  let first = 0;
  let keys: number[] = [];
  let firstBelow = 0;
  levels.forEach((count, level) => {
    const items = level === 0 ? extentCount(extents) : keys.length;
    const own: number[] = [];
    for (let i = 0; i < count; i += 1) {
      const { from, to } = share(items, count, i);
      const block = blocks.subarray((first + i) * BLOCK, (first + i + 1) * BLOCK);
      extentTreeHeader(volume, block, {
        level,
        records: to - from,
        at: start + first + i,
        left: i === 0 ? null : pointer(first + i - 1),
        right: i === count - 1 ? null : pointer(first + i + 1),
        ino,
      });
      for (let j = from; j < to; j += 1)
        if (level === 0) putExtent(block, TREE_HEADER + (j - from) * 16, volume.geometry, extents, j);
        else {
          put64(block, TREE_HEADER + (j - from) * 8, keys[j] as number);
          put64(block, TREE_HEADER + (PER_BLOCK + j - from) * 8, pointer(firstBelow + j));
        }
      own.push(level === 0 ? (extents[from * 3] as number) : (keys[from] as number));
      seal(block, 64);
    }
    keys = own;
    firstBelow = first;
    first += count;
  });
  return { root: inodeRoot(levels.length, keys, (i) => pointer(firstBelow + i), forkBytes), blocks };
}

function inodeRoot(level: number, keys: number[], pointer: (i: number) => number, forkBytes: number): Buffer {
  const root = Buffer.alloc(forkBytes);
  const capacity = Math.floor((forkBytes - ROOT_HEADER) / 16);
  root.writeUInt16BE(level, 0);
  root.writeUInt16BE(keys.length, 2);
  keys.forEach((key, i) => {
    put64(root, ROOT_HEADER + i * 8, key);
    put64(root, ROOT_HEADER + (capacity + i) * 8, pointer(i));
  });
  return root;
}
