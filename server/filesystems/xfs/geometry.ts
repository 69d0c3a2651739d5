import { FILESYSTEM_BYTES } from '../../core/image-index.ts';
/** Block, sector and directory block are one size, so that a disk with sectors of 512 or of 4096 bytes mounts it. */
export const BLOCK = 4096;
export const INODE_BYTES = 512;
export const INODES_PER_BLOCK = BLOCK / INODE_BYTES;
/** Inodes are made 64 at a time. */
export const CHUNK_INODES = 64;
export const CHUNK_BLOCKS = CHUNK_INODES / INODES_PER_BLOCK;
/** Blocks at whose multiples a chunk may begin: `sb_inoalignmt` of mkfs.xfs for inodes of 512 bytes. */
export const CHUNK_ALIGNMENT = 4;
/** Blocks of an allocation group that hold superblock, AGF, AGI, AGFL and the roots of its three trees. */
export const HEADER_BLOCKS = 7;
export const ROOT_OF_FREE_BY_BLOCK = 4;
export const ROOT_OF_FREE_BY_SIZE = 5;
export const ROOT_OF_INODES = 6;
/** Blocks that lie ready for the free-space trees to grow, while these have one level. */
export const SPARE_BLOCKS = 4;
/** Where mkfs.xfs puts the first chunk, which xfs_repair computes too: behind the headers and the spare blocks. */
export const ROOT_CHUNK_BLOCK = 12;
export const ROOT_INO = ROOT_CHUNK_BLOCK * INODES_PER_BLOCK;

const MIB_BLOCKS = 1024 ** 2 / BLOCK;
const TIB_BLOCKS = 1024 ** 4 / BLOCK;
const MAX_AG_BLOCKS = TIB_BLOCKS - 1;
const MIN_LAST_AG_BLOCKS = 16 * MIB_BLOCKS;
export const { min: MIN_BYTES, max: MAX_BYTES } = FILESYSTEM_BYTES.xfs;

/** How a partition is divided. Blocks are counted from its begin, gap-free ("linear"), but where named otherwise. */
export interface Geometry {
  readonly blocks: number;
  readonly agCount: number;
  /** Length of all groups but the last, which may be shorter. */
  readonly agBlocks: number;
  readonly agBlockLog: number;
  /** The journal: a run in the middle group, behind its headers. */
  readonly log: { readonly ag: number; readonly agBlock: number; readonly blocks: number };
  /** Percent of the space that inodes may take. */
  readonly maxInodePercent: number;
}

/** As mkfs.xfs 6.13 divides a single disk of `bytes` (`calc_default_ag_geometry`, `calculate_log_size`). */
export function geometryOf(bytes: number): Geometry {
  let blocks = Math.floor(bytes / BLOCK);
  const agBlocks = blocks >= 4 * TIB_BLOCKS ? MAX_AG_BLOCKS : Math.ceil(blocks / 4);
  const rest = blocks % agBlocks;
  if (rest > 0 && rest < MIN_LAST_AG_BLOCKS && blocks > 4 * agBlocks) blocks -= rest;
  const agCount = Math.ceil(blocks / agBlocks);
  return {
    blocks,
    agCount,
    agBlocks,
    agBlockLog: Math.ceil(Math.log2(agBlocks)),
    log: { ag: Math.floor(agCount / 2), agBlock: HEADER_BLOCKS, blocks: logBlocks(blocks) },
    maxInodePercent: blocks < TIB_BLOCKS ? 25 : blocks < 50 * TIB_BLOCKS ? 5 : 1,
  };
}

/** 1/2048 of the space, from 64 MiB to a little below 2 GiB. Below 300 MiB, 8 MiB: the kernel asks for 1605 blocks. */
function logBlocks(blocks: number): number {
  if (blocks < 300 * MIB_BLOCKS) return 8 * MIB_BLOCKS;
  return Math.min(Math.max(64 * MIB_BLOCKS, Math.floor(blocks / 2048)), 2038 * MIB_BLOCKS);
}

export function agLength({ blocks, agBlocks }: Geometry, ag: number): number {
  return Math.min(agBlocks, blocks - ag * agBlocks);
}

/** A linear block as XFS writes it: the group's number above the block within the group. */
export function fsBlock({ agBlocks, agBlockLog }: Geometry, linear: number): number {
  return Math.floor(linear / agBlocks) * 2 ** agBlockLog + (linear % agBlocks);
}

/** The number of the first inode in a linear block. */
export function firstInode(geometry: Geometry, linear: number): number {
  return fsBlock(geometry, linear) * INODES_PER_BLOCK;
}

/** A linear block in units of 512 bytes: the address that metadata carries of itself. */
export function basicBlock(linear: number): number {
  return linear * (BLOCK / 512);
}
