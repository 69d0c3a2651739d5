import { share } from './btree.ts';
import { type Addresses, type DirectoryEntry, putDataHeader, putEntries } from './directory-entries.ts';
import {
  BESTS_PER_BLOCK,
  type DirectoryShape,
  directoryBlocks,
  FREE_AT,
  HASHES_AT,
  INDEX_HEADER,
} from './directory-shape.ts';
import { seal, type Volume } from './encode.ts';
import { BLOCK } from './geometry.ts';
import { firstOfLevel, INDEX_CRC_AT, MAGIC, neighbours, putHashNodes, putIndexHeader } from './hash-tree.ts';

const DIRECTORY_TYPE = 2;
const DATA_CRC_AT = 4;

export interface DirectoryAt {
  readonly ino: number;
  readonly parent: number;
  /** Linear; all blocks follow each other. */
  readonly start: number;
}

/** All blocks of a directory that does not lie within its inode. */
export function makeDirectory(
  volume: Volume,
  shape: DirectoryShape,
  { ino, parent, start }: DirectoryAt,
  children: readonly DirectoryEntry[],
): Buffer {
  const entries: DirectoryEntry[] = [
    { name: '.', ino, type: DIRECTORY_TYPE },
    { name: '..', ino: parent, type: DIRECTORY_TYPE },
    ...children,
  ];
  const all = Buffer.alloc(directoryBlocks(shape) * BLOCK);
  const tailBytes = shape.form === 'block' ? entries.length * 8 + 8 : 0;
  const placed = putEntries(all, entries, BLOCK - tailBytes);
  for (let i = 0; i < shape.dataBlocks; i += 1) {
    const block = blockOf(all, i);
    putDataHeader(volume, block, shape.form === 'block' ? 'XDB3' : 'XDD3', start + i, ino);
    if (shape.form === 'block') {
      putAddresses(block, BLOCK - tailBytes, placed, 0, entries.length);
      block.writeUInt32BE(entries.length, BLOCK - 8);
    }
    seal(block, DATA_CRC_AT);
  }
  const hashesAt = { ino, start: start + shape.dataBlocks };
  const hashes = all.subarray(shape.dataBlocks * BLOCK);
  if (shape.form === 'leaf') putSingleLeaf(volume, hashes, hashesAt, placed);
  if (shape.form === 'node') {
    putLeaves(volume, hashes, hashesAt, shape.hashLevels, placed);
    putFreeIndex(volume, all, ino, start, shape, placed.bests);
  }
  return all;
}

function blockOf(blocks: Buffer, i: number): Buffer {
  return blocks.subarray(i * BLOCK, (i + 1) * BLOCK);
}

/** Hashes `from` to `to` in rising order, each with its entry's address. */
function putAddresses(block: Buffer, at: number, placed: Addresses, from: number, to: number): void {
  for (let i = from; i < to; i += 1) {
    const entry = placed.order[i] as number;
    block.writeUInt32BE(placed.hashes[entry] as number, at + (i - from) * 8);
    block.writeUInt32BE(placed.addresses[entry] as number, at + (i - from) * 8 + 4);
  }
}

function putSingleLeaf(
  volume: Volume,
  block: Buffer,
  { ino, start }: { ino: number; start: number },
  placed: Addresses & { bests: number[] },
): void {
  putIndexHeader(volume, block, { magic: MAGIC.directoryLeaf1, at: start, ino, forward: 0, back: 0 });
  block.writeUInt16BE(placed.order.length, 56);
  putAddresses(block, INDEX_HEADER, placed, 0, placed.order.length);
  const tail = BLOCK - 4 - placed.bests.length * 2;
  for (const [i, best] of placed.bests.entries()) block.writeUInt16BE(best, tail + i * 2);
  block.writeUInt32BE(placed.bests.length, BLOCK - 4);
  seal(block, INDEX_CRC_AT);
}

function putLeaves(
  volume: Volume,
  hashes: Buffer,
  { ino, start }: { ino: number; start: number },
  levels: readonly number[],
  placed: Addresses,
): void {
  const count = levels[0] as number;
  const first = firstOfLevel(levels, 0);
  const lastHashes: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const block = blockOf(hashes, first + i);
    const { from, to } = share(placed.order.length, count, i);
    putIndexHeader(volume, block, {
      magic: MAGIC.directoryLeaf,
      at: start + first + i,
      ino,
      ...neighbours(HASHES_AT + first + i, i, count),
    });
    block.writeUInt16BE(to - from, 56);
    putAddresses(block, INDEX_HEADER, placed, from, to);
    lastHashes.push(placed.hashes[placed.order[to - 1] as number] as number);
    seal(block, INDEX_CRC_AT);
  }
  putHashNodes(volume, hashes, { levels, forkStart: HASHES_AT, start, ino, lastHashes });
}

/** The free index: for each data block, how much room its largest gap has. */
function putFreeIndex(
  volume: Volume,
  all: Buffer,
  ino: number,
  start: number,
  shape: DirectoryShape,
  bests: readonly number[],
): void {
  const firstFree = directoryBlocks(shape) - shape.freeBlocks;
  for (let i = 0; i < shape.freeBlocks; i += 1) {
    const block = blockOf(all, firstFree + i);
    const own = bests.slice(i * BESTS_PER_BLOCK, (i + 1) * BESTS_PER_BLOCK);
    putDataHeader(volume, block, 'XDF3', start + firstFree + i, ino);
    block.writeUInt32BE(i * BESTS_PER_BLOCK, 48);
    block.writeUInt32BE(own.length, 52);
    block.writeUInt32BE(own.length, 56);
    for (const [j, best] of own.entries()) block.writeUInt16BE(best, INDEX_HEADER + j * 2);
    seal(block, DATA_CRC_AT);
  }
}

/** Where the blocks stand in the directory's own address space. */
export function directoryRuns(shape: DirectoryShape): { fileBlock: number; blocks: number }[] {
  const hashBlocks = directoryBlocks(shape) - shape.dataBlocks - shape.freeBlocks;
  return [
    { fileBlock: 0, blocks: shape.dataBlocks },
    { fileBlock: HASHES_AT, blocks: hashBlocks },
    { fileBlock: FREE_AT, blocks: shape.freeBlocks },
  ].filter(({ blocks }) => blocks > 0);
}
