import { crc32c, crc32cOfNumber } from '../crc32c.ts';
import type { NodeMetadata, NodeType } from '../node.ts';
import { EXTRA_ISIZE, INODE_BYTES, MADE_AT, setSplit, viewOf } from './format.ts';

export const EXTENTS_FLAG = 0x80000;
export const INDEX_FLAG = 0x1000;
/** A shorter link target stands in `i_block` itself. */
export const ROOT_BYTES_OF_LINK = 60;

const TYPE_BITS: Readonly<Record<NodeType, number>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  character: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
};

/** What stands in an inode besides what the tree says about it. */
export interface InodePlace {
  readonly number: number;
  readonly links: number;
  /** Bytes of the content, the link or the directory. */
  readonly size: number;
  /** Blocks of content and metadata together. */
  readonly blocks: number;
  readonly flags: number;
  /** The 60 bytes of `i_block`. */
  readonly root: Uint8Array;
  /** Block of xattrs; 0 for none. */
  readonly xattrBlock: number;
  /** As `encodeXattrs` gives it. */
  readonly xattrs: Uint8Array | null;
}

/**
 * Writes an inode of 256 bytes.
 * @param into zeros
 * @param seed checksum seed of the filesystem; null without `metadata_csum`. Source: Documentation/filesystems/ext4/inodes.rst
 */
export function encodeInode(
  into: Uint8Array,
  meta: NodeMetadata,
  place: InodePlace,
  seed: number | null,
): void {
  const view = viewOf(into);
  view.setUint16(0, TYPE_BITS[meta.type] | (meta.mode & 0o7777), true);
  view.setUint16(2, meta.uid & 0xffff, true);
  setSplit(view, 4, 108, place.size);
  view.setUint16(24, meta.gid & 0xffff, true);
  view.setUint16(26, place.links, true);
  const sectors = place.blocks * 8;
  view.setUint32(28, sectors % 2 ** 32, true);
  view.setUint16(116, Math.floor(sectors / 2 ** 32), true);
  view.setUint32(32, place.flags, true);
  into.set(place.root, 40);
  view.setUint32(104, place.xattrBlock % 2 ** 32, true);
  view.setUint16(118, Math.floor(place.xattrBlock / 2 ** 32), true);
  view.setUint16(120, meta.uid >>> 16, true);
  view.setUint16(122, meta.gid >>> 16, true);
  view.setUint16(128, EXTRA_ISIZE, true);
  const { seconds, extra } = encodeTime(meta.mtime, meta.mtimeNanos);
  for (const at of [8, 12, 16]) view.setUint32(at, seconds, true);
  for (const at of [132, 136, 140]) view.setUint32(at, extra, true);
  view.setUint32(144, MADE_AT, true);
  if (place.xattrs) into.set(place.xattrs, 128 + EXTRA_ISIZE);
  if (seed === null) return;
  const checksum = crc32c(into.subarray(0, INODE_BYTES), inodeSeed(seed, place.number));
  view.setUint16(124, checksum & 0xffff, true);
  view.setUint16(130, checksum >>> 16, true);
}

/** Checksums of an inode and of what belongs to it begin with its number and its generation, which is 0 here. */
export function inodeSeed(seed: number, inode: number): number {
  return crc32cOfNumber(crc32cOfNumber(seed, inode), 0);
}

const EARLIEST = -(2 ** 31);
const LATEST = 2 ** 34 - 2 ** 31 - 1;

/** 34 bits of signed seconds (1901 to 2446) and 30 of nanoseconds; what is outside is moved to the nearest end. */
export function encodeTime(
  seconds: number,
  nanos: number,
): { readonly seconds: number; readonly extra: number } {
  const kept = Math.min(LATEST, Math.max(EARLIEST, Math.floor(seconds)));
  const epoch = Math.floor((kept - EARLIEST) / 2 ** 32);
  return { seconds: kept >>> 0, extra: ((nanos << 2) | epoch) >>> 0 };
}

/** Device numbers as `i_block` has them: small ones in the first word, others in the second. Null: too large. */
export function encodeDevice(major: number, minor: number): Uint8Array | null {
  if (major > 0xfff || minor > 0xfffff) return null;
  const root = new Uint8Array(60);
  const view = viewOf(root);
  if (major < 256 && minor < 256) view.setUint32(0, (major << 8) | minor, true);
  else view.setUint32(4, ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, true);
  return root;
}
