import { crc32c, crc32cOfNumber } from '../crc32c.ts';
import { crc16 } from './crc16.ts';
import { BLOCK, BLOCKS_PER_GROUP, LOST_FOUND_INODE, viewOf } from './format.ts';
import { type Geometry, hasSuperblock } from './geometry.ts';
import type { Layout } from './layout.ts';
import { within } from './runs.ts';

const INODE_UNINIT = 1;
const BLOCK_UNINIT = 2;
const INODE_ZEROED = 4;
const CHECKSUM_AT = 30;

/** What is taken of each group. */
export interface GroupUse {
  readonly usedBlocks: Uint32Array;
  readonly usedInodes: Uint32Array;
  readonly directories: Uint32Array;
  /** Inodes up to and with the last one in use. */
  readonly lastInode: Uint32Array;
}

export function countUse({ geometry, inventory, inodes, used }: Layout): GroupUse {
  const { groups, inodesPerGroup } = geometry;
  const use = {
    usedBlocks: new Uint32Array(groups),
    usedInodes: new Uint32Array(groups),
    directories: new Uint32Array(groups),
    lastInode: new Uint32Array(groups),
  };
  const add = (list: Uint32Array, group: number, count: number): void => {
    list[group] = (list[group] ?? 0) + count;
  };
  for (const [i, from] of used.from.entries()) {
    const to = used.to[i] as number;
    for (let at = from; at < to; ) {
      const group = Math.floor(at / BLOCKS_PER_GROUP);
      const end = Math.min(to, (group + 1) * BLOCKS_PER_GROUP);
      add(use.usedBlocks, group, end - at);
      at = end;
    }
  }
  // Inodes below the first free one count as used, whether they are or not.
  use.usedInodes[0] = LOST_FOUND_INODE - 2;
  for (const [i, inode] of inodes.entries()) {
    const group = Math.floor((inode - 1) / inodesPerGroup);
    add(use.usedInodes, group, 1);
    use.lastInode[group] = Math.max(use.lastInode[group] ?? 0, inode - group * inodesPerGroup);
    if (inventory.nodes[i]?.children) add(use.directories, group, 1);
  }
  return use;
}

/** Nothing is in use but the copy of the superblock: the kernel makes such a bitmap by itself. Never for the last group. */
export function isBlockUninit({ groups, descriptorBlocks }: Geometry, use: GroupUse, group: number): boolean {
  const own = hasSuperblock(group) ? 1 + descriptorBlocks : 0;
  return group > 0 && group < groups - 1 && use.usedBlocks[group] === own;
}

/** A set bit for each block in use, and for those that the last group lacks. */
export function encodeBlockBitmap({ used, geometry }: Layout, group: number): Uint8Array {
  const bitmap = new Uint8Array(BLOCK);
  const start = group * BLOCKS_PER_GROUP;
  for (const { block, count } of within(used, start, start + BLOCKS_PER_GROUP))
    setBits(bitmap, block - start, block - start + count);
  setBits(bitmap, Math.max(0, geometry.blocks - start), BLOCKS_PER_GROUP);
  return bitmap;
}

export function encodeInodeBitmap({ inodes, geometry }: Layout, group: number): Uint8Array {
  const { inodesPerGroup } = geometry;
  const bitmap = new Uint8Array(BLOCK);
  if (group === 0) setBits(bitmap, 0, LOST_FOUND_INODE);
  const first = group * inodesPerGroup + 1;
  for (let i = firstInodeFrom(inodes, first); i < inodes.length; i += 1) {
    const bit = (inodes[i] as number) - first;
    if (bit >= inodesPerGroup) break;
    setBits(bitmap, bit, bit + 1);
  }
  setBits(bitmap, inodesPerGroup, BLOCK * 8);
  return bitmap;
}

/** Index of the first inode with this number or a higher one. */
export function firstInodeFrom(inodes: Uint32Array, number: number): number {
  let low = 0;
  let high = inodes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((inodes[middle] as number) >= number) high = middle;
    else low = middle + 1;
  }
  return low;
}

function setBits(bitmap: Uint8Array, from: number, to: number): void {
  let bit = from;
  for (; bit < to && bit % 8 !== 0; bit += 1) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
  if (to - bit >= 8) {
    bitmap.fill(0xff, bit >> 3, to >> 3);
    bit = to & ~7;
  }
  for (; bit < to; bit += 1) bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
}

/**
 * All group descriptors, one behind the other, padded to whole blocks.
 * @param seed checksum seed of the filesystem; null without `metadata_csum`. Source: Documentation/filesystems/ext4/group_descr.rst
 */
export function encodeDescriptors(
  layout: Layout,
  use: GroupUse,
  uuid: Uint8Array,
  seed: number | null,
): Uint8Array {
  const { geometry } = layout;
  const { groups, inodesPerGroup, descriptorBytes } = geometry;
  const all = new Uint8Array(geometry.descriptorBlocks * BLOCK);
  const uuidCrc = crc16(0xffff, uuid);
  for (let group = 0; group < groups; group += 1) {
    const bytes = all.subarray(group * descriptorBytes, (group + 1) * descriptorBytes);
    const view = viewOf(bytes);
    const setBlock = (at: number, block: number): void => {
      view.setUint32(at, block % 2 ** 32, true);
      if (descriptorBytes > 32) view.setUint32(at + 32, Math.floor(block / 2 ** 32), true);
    };
    const isLast = group === groups - 1;
    const blocks = isLast ? geometry.blocks - group * BLOCKS_PER_GROUP : BLOCKS_PER_GROUP;
    const hasBlocks = !isBlockUninit(geometry, use, group);
    const hasInodes = use.usedInodes[group] !== 0;
    setBlock(0, geometry.blockBitmap[group] as number);
    setBlock(4, geometry.inodeBitmap[group] as number);
    setBlock(8, geometry.inodeTable[group] as number);
    view.setUint16(12, blocks - (use.usedBlocks[group] as number), true);
    view.setUint16(14, inodesPerGroup - (use.usedInodes[group] as number), true);
    view.setUint16(16, use.directories[group] as number, true);
    view.setUint16(18, INODE_ZEROED | (hasBlocks ? 0 : BLOCK_UNINIT) | (hasInodes ? 0 : INODE_UNINIT), true);
    view.setUint16(28, inodesPerGroup - (use.lastInode[group] as number), true);
    if (seed === null) {
      const number = new Uint8Array(4);
      viewOf(number).setUint32(0, group, true);
      view.setUint16(CHECKSUM_AT, crc16(crc16(uuidCrc, number), bytes.subarray(0, CHECKSUM_AT)), true);
      continue;
    }
    const setChecksum = (at: number, value: number): void => {
      view.setUint16(at, value & 0xffff, true);
      view.setUint16(at + 32, value >>> 16, true);
    };
    if (hasBlocks) setChecksum(24, crc32c(encodeBlockBitmap(layout, group), seed));
    if (hasInodes)
      setChecksum(26, crc32c(encodeInodeBitmap(layout, group).subarray(0, inodesPerGroup / 8), seed));
    view.setUint16(CHECKSUM_AT, crc32c(bytes, crc32cOfNumber(seed, group)) & 0xffff, true);
  }
  return all;
}
