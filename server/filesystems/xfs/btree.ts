import { NULL32, put64, putNull64, seal, type Volume } from './encode.ts';
import { BLOCK, basicBlock } from './geometry.ts';

/** A tree whose records are known beforehand: how many blocks each level has, leaves first, the root last. */
export function levelsOf(records: number, leafRecords: number, nodeRecords: number): number[] {
  const levels = [Math.max(1, Math.ceil(records / leafRecords))];
  for (let top = levels[0] as number; top > 1; ) {
    top = Math.ceil(top / nodeRecords);
    levels.push(top);
  }
  return levels;
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** The records of block `i` of `blocks`, spread evenly, so that no block is less than half full. */
export function share(records: number, blocks: number, i: number): { from: number; to: number } {
  return { from: Math.floor((records * i) / blocks), to: Math.floor((records * (i + 1)) / blocks) };
}

export interface Block {
  /** Linear. */
  readonly at: number;
  readonly data: Buffer;
}

/** One of an allocation group's trees. Its pointers are blocks within the group. */
export interface GroupTree {
  readonly magic: string;
  readonly recordBytes: number;
  readonly keyBytes: number;
  /** The records, sorted, back to back. */
  readonly records: Buffer;
}

const HEADER = 56;
const POINTER = 4;

export function groupTreeLevels({ recordBytes, keyBytes, records }: GroupTree): number[] {
  return levelsOf(records.length / recordBytes, ...groupTreeCapacity(recordBytes, keyBytes));
}

export function groupTreeCapacity(recordBytes: number, keyBytes: number): [number, number] {
  return [Math.floor((BLOCK - HEADER) / recordBytes), Math.floor((BLOCK - HEADER) / (keyBytes + POINTER))];
}

/** `blocks`: the group's blocks for it, leaves first, the root last, as many as the levels ask for together. */
export function groupTree(volume: Volume, ag: number, tree: GroupTree, blocks: readonly number[]): Block[] {
  const levels = groupTreeLevels(tree);
  const nodeCapacity = groupTreeCapacity(tree.recordBytes, tree.keyBytes)[1];
  const made: Block[] = [];
  let first = 0;
  /** Index of the first record below each block of the level before. */
  let below: number[] = [];
  let firstBelow = 0;
  levels.forEach((count, level) => {
    const starts: number[] = [];
    const items = level === 0 ? tree.records.length / tree.recordBytes : below.length;
    for (let i = 0; i < count; i += 1) {
      const { from, to } = share(items, count, i);
      const data = Buffer.alloc(BLOCK);
      const at = ag * volume.geometry.agBlocks + (blocks[first + i] as number);
      data.write(tree.magic, 0, 'latin1');
      data.writeUInt16BE(level, 4);
      data.writeUInt16BE(to - from, 6);
      data.writeUInt32BE(i === 0 ? NULL32 : (blocks[first + i - 1] as number), 8);
      data.writeUInt32BE(i === count - 1 ? NULL32 : (blocks[first + i + 1] as number), 12);
      put64(data, 16, basicBlock(at));
      volume.uuid.copy(data, 32);
      data.writeUInt32BE(ag, 48);
      if (level === 0) tree.records.copy(data, HEADER, from * tree.recordBytes, to * tree.recordBytes);
      else
        for (let j = from; j < to; j += 1) {
          const record = (below[j] as number) * tree.recordBytes;
          const key = HEADER + (j - from) * tree.keyBytes;
          tree.records.copy(data, key, record, record + tree.keyBytes);
          const pointer = HEADER + nodeCapacity * tree.keyBytes + (j - from) * POINTER;
          data.writeUInt32BE(blocks[firstBelow + j] as number, pointer);
        }
      starts.push(level === 0 ? from : (below[from] as number));
      made.push({ at, data: seal(data, 52) });
    }
    below = starts;
    firstBelow = first;
    first += count;
  });
  return made;
}

/** Common head of a block in a tree of an inode's extents; pointers are 64 bits wide. */
export function extentTreeHeader(
  volume: Volume,
  block: Buffer,
  head: {
    level: number;
    records: number;
    at: number;
    left: number | null;
    right: number | null;
    ino: number;
  },
): void {
  block.write('BMA3', 0, 'latin1');
  block.writeUInt16BE(head.level, 4);
  block.writeUInt16BE(head.records, 6);
  for (const [at, sibling] of [
    [8, head.left],
    [16, head.right],
  ] as const)
    if (sibling === null) putNull64(block, at);
    else put64(block, at, sibling);
  put64(block, 24, basicBlock(head.at));
  volume.uuid.copy(block, 40);
  put64(block, 56, head.ino);
}
