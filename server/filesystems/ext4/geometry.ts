import { BLOCK, BLOCKS_PER_GROUP, INODES_PER_BLOCK, roundUp } from './format.ts';
import { type FreeSpace, freeSpace } from './free-space.ts';
import type { Ext4Profile } from './plan.ts';
import { joinRuns, type Run, type Runs } from './runs.ts';

/** Groups whose bitmaps and inode tables lie together in front of the first of them (`flex_bg`). */
export const LOG_FLEX_GROUPS = 4;
const FLEX_GROUPS = 1 << LOG_FLEX_GROUPS;
/** A last group with less room than this behind its own metadata is left out, as mke2fs does. */
const MIN_LAST_GROUP = 50;
const MIB_BLOCKS = 1024 ** 2 / BLOCK;
/** One inode for each so many bytes, where the tree does not need more. */
const BYTES_PER_INODE = 16_384;
/** A bitmap of one block has no more bits. */
export const MAX_INODES_PER_GROUP = BLOCK * 8;

/** The places that depend on the partition's length, the profile and the number of inodes alone. */
export interface Geometry {
  /** Length of the filesystem in blocks; the partition's, or a little less. */
  readonly blocks: number;
  readonly groups: number;
  readonly inodesPerGroup: number;
  /** Blocks of one group's inode table. */
  readonly tableBlocks: number;
  /** 32, or 64 with the feature `64bit`. */
  readonly descriptorBytes: number;
  /** Blocks of one copy of the group descriptors. */
  readonly descriptorBlocks: number;
  /** First block of each, by group. */
  readonly blockBitmap: Float64Array;
  readonly inodeBitmap: Float64Array;
  readonly inodeTable: Float64Array;
  readonly journal: Run;
  /** All that is above, journal and superblocks included. */
  readonly fixed: Runs;
  readonly free: FreeSpace;
}

/** Inodes that each group has at least. A multiple of 16: whole blocks of the table. */
export function usualInodesPerGroup(bytes: number): number {
  const groups = Math.ceil(bytes / BLOCK / BLOCKS_PER_GROUP);
  return roundUp(Math.ceil(bytes / BYTES_PER_INODE / groups), INODES_PER_BLOCK);
}

/** Whether a group begins with a copy of superblock and descriptors (`sparse_super`): 0, 1 and powers of 3, 5, 7. */
export function hasSuperblock(group: number): boolean {
  if (group < 2) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

/** @returns null when even the fixed structures do not fit. */
export function layGeometry(bytes: number, profile: Ext4Profile, inodesPerGroup: number): Geometry | null {
  const descriptorBytes = profile === 'modern' ? 64 : 32;
  const tableBlocks = inodesPerGroup / INODES_PER_BLOCK;
  // Without `64bit` the superblock counts blocks in 32 bits.
  let blocks = Math.min(Math.floor(bytes / BLOCK), profile === 'modern' ? 2 ** 32 : 2 ** 32 - 1);
  let groups = Math.ceil(blocks / BLOCKS_PER_GROUP);
  const descriptorsOf = (count: number): number => Math.ceil((count * descriptorBytes) / BLOCK);
  const last = blocks - (groups - 1) * BLOCKS_PER_GROUP;
  const own = 2 + tableBlocks + (hasSuperblock(groups - 1) ? 1 + descriptorsOf(groups) : 0);
  if (last < own + MIN_LAST_GROUP) {
    if (groups === 1) return null;
    groups -= 1;
    blocks = groups * BLOCKS_PER_GROUP;
  }
  const descriptorBlocks = descriptorsOf(groups);

  const runs: Run[] = [];
  for (let group = 0; group < groups; group += 1)
    if (hasSuperblock(group)) runs.push({ block: group * BLOCKS_PER_GROUP, count: 1 + descriptorBlocks });
  const blockBitmap = new Float64Array(groups);
  const inodeBitmap = new Float64Array(groups);
  const inodeTable = new Float64Array(groups);
  for (let flex = 0; flex < groups; flex += FLEX_GROUPS) {
    let cursor = flex * BLOCKS_PER_GROUP;
    const take = (count: number): number => {
      cursor = behindSuperblocks(cursor, count, groups, descriptorBlocks);
      runs.push({ block: cursor, count });
      cursor += count;
      return cursor - count;
    };
    const end = Math.min(groups, flex + FLEX_GROUPS);
    for (let group = flex; group < end; group += 1) blockBitmap[group] = take(1);
    for (let group = flex; group < end; group += 1) inodeBitmap[group] = take(1);
    for (let group = flex; group < end; group += 1) inodeTable[group] = take(tableBlocks);
    if (cursor > blocks) return null;
  }
  const journal = placeJournal(joinRuns(runs), blocks, journalBlocks(bytes));
  if (!journal) return null;
  const fixed = joinRuns([...runs, journal]);
  return {
    blocks,
    groups,
    inodesPerGroup,
    tableBlocks,
    descriptorBytes,
    descriptorBlocks,
    blockBitmap,
    inodeBitmap,
    inodeTable,
    journal,
    fixed,
    free: freeSpace(fixed, blocks),
  };
}

/** The first place from `block` on where `count` blocks meet no superblock copy. */
function behindSuperblocks(block: number, count: number, groups: number, descriptorBlocks: number): number {
  let at = block;
  let group = Math.floor(at / BLOCKS_PER_GROUP);
  for (; group < groups && group * BLOCKS_PER_GROUP < at + count; group += 1) {
    const start = group * BLOCKS_PER_GROUP;
    if (hasSuperblock(group) && at < start + 1 + descriptorBlocks) at = start + 1 + descriptorBlocks;
  }
  return at;
}

function journalBlocks(bytes: number): number {
  return Math.min(128 * MIB_BLOCKS, Math.max(4 * MIB_BLOCKS, Math.floor(bytes / 64 / BLOCK)));
}

/** The journal lies in one piece: the first gap that holds it. */
function placeJournal(fixed: Runs, blocks: number, count: number): Run | null {
  for (const [i, end] of fixed.to.entries())
    if ((fixed.from[i + 1] ?? blocks) - end >= count) return { block: end, count };
  return null;
}
