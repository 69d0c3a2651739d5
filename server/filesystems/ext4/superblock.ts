import { crc32c } from '../crc32c.ts';
import {
  BLOCK,
  BLOCKS_PER_GROUP,
  EXTRA_ISIZE,
  INODE_BYTES,
  JOURNAL_INODE,
  LOST_FOUND_INODE,
  MADE_AT,
  setSplit,
  viewOf,
} from './format.ts';
import { type Geometry, LOG_FLEX_GROUPS } from './geometry.ts';
import type { GroupUse } from './groups.ts';
import { HASH_SEED } from './name-hash.ts';
import type { Ext4Profile } from './plan.ts';

/** Bytes of a superblock; the first one lies so far from the start of the partition. */
export const SUPERBLOCK_BYTES = 1024;

/** has_journal ext_attr dir_index */
const COMPATIBLE = 0x4 | 0x8 | 0x20;
/** filetype extent flex_bg */
const INCOMPATIBLE = 0x2 | 0x40 | 0x200;
const BITS_64 = 0x80;
/** sparse_super large_file huge_file dir_nlink extra_isize */
const READ_ONLY_COMPATIBLE = 0x1 | 0x2 | 0x8 | 0x20 | 0x40;
const GROUP_CHECKSUMS = 0x10;
const METADATA_CHECKSUMS = 0x400;
const UNSIGNED_HASH = 2;
const HALF_MD4 = 1;
/** Default mount options user_xattr and acl. */
const MOUNT_OPTIONS = 0xc;
/** One block of a hundred is kept for root. */
const RESERVED_SHARE = 100;

export interface SuperblockFacts {
  readonly geometry: Geometry;
  readonly use: GroupUse;
  readonly uuid: Uint8Array;
  readonly profile: Ext4Profile;
  /** `i_block` of the journal's inode, kept here a second time. */
  readonly journalRoot: Uint8Array;
}

/**
 * The superblock, or the copy of it in a group.
 * @returns 1024 bytes. Source: Linux, Documentation/filesystems/ext4/super.rst
 */
export function encodeSuperblock(
  { geometry, use, uuid, profile, journalRoot }: SuperblockFacts,
  group: number,
): Uint8Array {
  const bytes = new Uint8Array(SUPERBLOCK_BYTES);
  const view = viewOf(bytes);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const { blocks, groups, inodesPerGroup, journal } = geometry;
  const isModern = profile === 'modern';
  u32(0x00, groups * inodesPerGroup);
  setSplit(view, 0x04, 0x150, blocks);
  setSplit(view, 0x08, 0x154, Math.floor(blocks / RESERVED_SHARE));
  setSplit(view, 0x0c, 0x158, blocks - total(use.usedBlocks));
  u32(0x10, groups * inodesPerGroup - total(use.usedInodes));
  const logBlock = Math.log2(BLOCK) - 10;
  u32(0x18, logBlock);
  u32(0x1c, logBlock);
  u32(0x20, BLOCKS_PER_GROUP);
  u32(0x24, BLOCKS_PER_GROUP);
  u32(0x28, inodesPerGroup);
  u32(0x30, MADE_AT);
  // No check by number of mounts, none by time.
  u16(0x36, 0xffff);
  u16(0x38, 0xef53);
  // Clean; errors are logged and work goes on.
  u16(0x3a, 1);
  u16(0x3c, 1);
  u32(0x40, MADE_AT);
  u32(0x4c, 1);
  u32(0x54, LOST_FOUND_INODE);
  u16(0x58, INODE_BYTES);
  u16(0x5a, group);
  u32(0x5c, COMPATIBLE);
  u32(0x60, INCOMPATIBLE | (isModern ? BITS_64 : 0));
  u32(0x64, READ_ONLY_COMPATIBLE | (isModern ? METADATA_CHECKSUMS : GROUP_CHECKSUMS));
  bytes.set(uuid, 0x68);
  u32(0xe0, JOURNAL_INODE);
  for (const [i, word] of HASH_SEED.entries()) u32(0xec + i * 4, word);
  bytes[0xfc] = HALF_MD4;
  bytes[0xfd] = 1;
  if (isModern) u16(0xfe, geometry.descriptorBytes);
  u32(0x100, MOUNT_OPTIONS);
  u32(0x108, MADE_AT);
  bytes.set(journalRoot, 0x10c);
  u32(0x10c + 16 * 4, journal.count * BLOCK);
  u16(0x15c, EXTRA_ISIZE);
  u16(0x15e, EXTRA_ISIZE);
  u32(0x160, UNSIGNED_HASH);
  bytes[0x174] = LOG_FLEX_GROUPS;
  if (isModern) {
    bytes[0x175] = 1;
    u32(0x3fc, crc32c(bytes.subarray(0, 0x3fc)));
  }
  return bytes;
}

function total(list: Uint32Array): number {
  return list.reduce((sum, each) => sum + each, 0);
}
