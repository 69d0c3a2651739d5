import { BLOCK, viewOf } from './format.ts';

/** A run of a file's blocks that lies in one piece. */
export interface Extent {
  /** First block within the file. */
  readonly logical: number;
  /** First block on the partition. */
  readonly block: number;
  readonly count: number;
}

const MAGIC = 0xf30a;
const ENTRY = 12;
/** Room of `i_block`, and how many entries fit behind the header. */
export const ROOT_BYTES = 60;
const IN_ROOT = 4;
/** Per block; the last four bytes are for the checksum. */
export const IN_BLOCK = 340;
export const MAX_EXTENT_BLOCKS = 32_768;

/** Blocks of the tree behind the root in the inode. */
export function treeBlocks(extents: number): number {
  let blocks = 0;
  for (let level = extents; level > IN_ROOT; ) {
    level = Math.ceil(level / IN_BLOCK);
    blocks += level;
  }
  return blocks;
}

/** Appends a run, joined with the one before where both continue it, cut where it is too long for one extent. */
export function addExtent(extents: Extent[], logical: number, block: number, count: number): void {
  const last = extents[extents.length - 1];
  let taken = 0;
  if (last && last.logical + last.count === logical && last.block + last.count === block) {
    taken = Math.min(count, MAX_EXTENT_BLOCKS - last.count);
    if (taken > 0) extents[extents.length - 1] = { ...last, count: last.count + taken };
  }
  for (; taken < count; taken += MAX_EXTENT_BLOCKS)
    extents.push({
      logical: logical + taken,
      block: block + taken,
      count: Math.min(MAX_EXTENT_BLOCKS, count - taken),
    });
}

export interface ExtentTree {
  /** The 60 bytes of `i_block`. */
  readonly root: Uint8Array;
  /** `treeBlocks` blocks, leaves first, checksums missing. */
  readonly blocks: readonly Uint8Array[];
}

/** @param blockAt where the n-th block of the tree lies. Source: Linux, Documentation/filesystems/ext4/ifork.rst */
export function encodeExtents(extents: readonly Extent[], blockAt: (index: number) => number): ExtentTree {
  const blocks: Uint8Array[] = [];
  let depth = 0;
  // A level's entries: of files' blocks in the leaves, of the level below above them.
  let level: readonly Extent[] = extents;
  while (level.length > IN_ROOT) {
    const above: Extent[] = [];
    for (let i = 0; i < level.length; i += IN_BLOCK) {
      const entries = level.slice(i, i + IN_BLOCK);
      above.push({ logical: entries[0]?.logical ?? 0, block: blockAt(blocks.length), count: 0 });
      blocks.push(encodeNode(new Uint8Array(BLOCK), entries, IN_BLOCK, depth));
    }
    level = above;
    depth += 1;
  }
  return { root: encodeNode(new Uint8Array(ROOT_BYTES), level, IN_ROOT, depth), blocks };
}

function encodeNode(bytes: Uint8Array, entries: readonly Extent[], room: number, depth: number): Uint8Array {
  const view = viewOf(bytes);
  view.setUint16(0, MAGIC, true);
  view.setUint16(2, entries.length, true);
  view.setUint16(4, room, true);
  view.setUint16(6, depth, true);
  for (const [i, { logical, block, count }] of entries.entries()) {
    const at = ENTRY * (i + 1);
    const high = Math.floor(block / 2 ** 32);
    view.setUint32(at, logical, true);
    if (depth === 0) {
      view.setUint16(at + 4, count, true);
      view.setUint16(at + 6, high, true);
      view.setUint32(at + 8, block % 2 ** 32, true);
    } else {
      view.setUint32(at + 4, block % 2 ** 32, true);
      view.setUint16(at + 8, high, true);
    }
  }
  return bytes;
}
