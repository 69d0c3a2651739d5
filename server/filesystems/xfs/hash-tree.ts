import { share, sum } from './btree.ts';
import { put64, seal, type Volume } from './encode.ts';
import { BLOCK, basicBlock } from './geometry.ts';

/** Magic numbers of blocks that directories and attributes index by hash. */
export const MAGIC = {
  node: 0x3ebe,
  directoryLeaf1: 0x3df1,
  directoryLeaf: 0x3dff,
  attributeLeaf: 0x3bee,
} as const;
const HEADER = 64;

export interface IndexHead {
  readonly magic: number;
  /** Linear. */
  readonly at: number;
  readonly ino: number;
  /** Neighbours of the same level, as blocks of the fork; 0 for none. */
  readonly forward: number;
  readonly back: number;
}

export function putIndexHeader(volume: Volume, block: Buffer, head: IndexHead): void {
  block.writeUInt32BE(head.forward, 0);
  block.writeUInt32BE(head.back, 4);
  block.writeUInt16BE(head.magic, 8);
  put64(block, 16, basicBlock(head.at));
  volume.uuid.copy(block, 32);
  put64(block, 48, head.ino);
}

export const INDEX_CRC_AT = 12;

/**
 * The nodes above the leaves of a tree of hashes. `levels` counts blocks, leaves first; in the fork they begin at `forkStart`,
 * root first, level by level, leaves last, and `blocks` holds all of them. `lastHashes`: the highest of each leaf.
 */
export function putHashNodes(
  volume: Volume,
  blocks: Buffer,
  tree: {
    readonly levels: readonly number[];
    readonly forkStart: number;
    readonly start: number;
    readonly ino: number;
    readonly lastHashes: readonly number[];
  },
): void {
  let hashes = tree.lastHashes;
  for (let level = 1; level < tree.levels.length; level += 1) {
    const count = tree.levels[level] as number;
    const first = firstOfLevel(tree.levels, level);
    const firstBelow = firstOfLevel(tree.levels, level - 1);
    const own: number[] = [];
    for (let i = 0; i < count; i += 1) {
      const { from, to } = share(hashes.length, count, i);
      const index = first + i;
      const block = blocks.subarray(index * BLOCK, (index + 1) * BLOCK);
      putIndexHeader(volume, block, {
        magic: MAGIC.node,
        at: tree.start + index,
        ino: tree.ino,
        ...neighbours(tree.forkStart + index, i, count),
      });
      block.writeUInt16BE(to - from, 56);
      block.writeUInt16BE(level, 58);
      for (let j = from; j < to; j += 1) {
        block.writeUInt32BE(hashes[j] as number, HEADER + (j - from) * 8);
        block.writeUInt32BE(tree.forkStart + firstBelow + j, HEADER + (j - from) * 8 + 4);
      }
      own.push(hashes[to - 1] as number);
      seal(block, INDEX_CRC_AT);
    }
    hashes = own;
  }
}

/** Index of a level's first block when the root comes first. */
export function firstOfLevel(levels: readonly number[], level: number): number {
  return sum(levels.slice(level + 1));
}

export function neighbours(forkBlock: number, i: number, count: number): { forward: number; back: number } {
  return { forward: i === count - 1 ? 0 : forkBlock + 1, back: i === 0 ? 0 : forkBlock - 1 };
}
