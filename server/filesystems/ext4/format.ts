/** Numbers of the on-disk format that several files need. Source: Linux, Documentation/filesystems/ext4/. */

export const BLOCK = 4096;
export const BLOCKS_PER_GROUP = 32_768;
export const INODE_BYTES = 256;
export const INODES_PER_BLOCK = BLOCK / INODE_BYTES;
/** Bytes of an inode's fields behind the first 128: up to and with i_projid. */
export const EXTRA_ISIZE = 32;

export const ROOT_INODE = 2;
export const JOURNAL_INODE = 8;
export const LOST_FOUND_INODE = 11;

/** 1 January 2000: the time of everything that the tree does not date. Never in a host's future. */
export const MADE_AT = 946_684_800;

/** More names than this a file can't have; a directory with more subdirectories has the count 1. */
export const MAX_LINKS = 65_000;

export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Writes the low and the high half of a block number where the format keeps them apart. */
export function setSplit(view: DataView, low: number, high: number, value: number): void {
  view.setUint32(low, value % 2 ** 32, true);
  view.setUint32(high, Math.floor(value / 2 ** 32), true);
}
