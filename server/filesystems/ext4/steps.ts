import { INODES_PER_BLOCK } from './format.ts';
import type { Steps } from './placing.ts';

/** Everything dense: the last resort. */
export const NO_STEPS: Steps = {
  smallest: 1,
  largest: 1,
  segmentShare: Number.POSITIVE_INFINITY,
  stretchShare: Number.POSITIVE_INFINITY,
  gap: 0,
};

/** Steps of blocks, generous first; the next are taken when the partition is too full. A longer step gains nothing. */
export const BLOCK_STEPS: readonly Steps[] = [
  { smallest: 16, largest: 4096, segmentShare: 4, stretchShare: 4, gap: 1 },
  { smallest: 16, largest: 4096, segmentShare: 8, stretchShare: 16, gap: 1 },
  NO_STEPS,
];

/**
 * Steps of inode numbers. A partition has several times the inodes that its files need, and a number that changes is
 * dearer than an address: it changes the table, its checksum and every directory that names it. Segments begin with
 * a block of the table; one block stays empty behind each stretch.
 */
export const INODE_STEPS: readonly Steps[] = [
  { smallest: INODES_PER_BLOCK, largest: 4096, segmentShare: 2, stretchShare: 2, gap: INODES_PER_BLOCK },
  { smallest: INODES_PER_BLOCK, largest: 4096, segmentShare: 4, stretchShare: 8, gap: INODES_PER_BLOCK },
  { smallest: INODES_PER_BLOCK, largest: 4096, segmentShare: 8, stretchShare: 16, gap: INODES_PER_BLOCK },
  NO_STEPS,
];

/** The region of metadata is small and all contents lie behind it: it may double before they move. */
export const REGION_STEPS: Steps = {
  smallest: 256,
  largest: 65_536,
  segmentShare: 1,
  stretchShare: 1,
  gap: 1,
};
