import type { Inode } from '../node.ts';
import { treeBlocks } from './extents.ts';
import { BLOCK, BLOCKS_PER_GROUP } from './format.ts';
import { encodeDevice, ROOT_BYTES_OF_LINK } from './inode-bytes.ts';

const MAX_SYMLINK = 4095;
/** A block of a file is numbered in 32 bits. */
const MAX_FILE_BLOCKS = 2 ** 32 - 1;

/** Room for the content of an inode; directories have none here. */
export interface Measured {
  readonly blocks: number;
  /** Runs of blocks without a hole between them. */
  readonly runs: number;
}

/** @returns a clause that goes on behind "PATH has" when ext4 can't hold it */
export function measureContent({ meta, content }: Inode): Measured | string {
  switch (meta.type) {
    case 'file': {
      if (meta.size > MAX_FILE_BLOCKS * BLOCK) return `${meta.size} bytes, more than ext4 allows`;
      let blocks = 0;
      let runs = 0;
      let end = -1;
      for (const { at, bytes } of content) {
        if (at % BLOCK !== 0) return 'content behind a hole that does not end at a multiple of 4096 bytes';
        if (at !== end) runs += 1;
        blocks += Math.ceil(bytes / BLOCK);
        end = at + bytes;
      }
      return { blocks, runs };
    }
    case 'symlink': {
      const { length } = meta.link;
      if (length === 0 || length > MAX_SYMLINK)
        return `a link target of ${length} bytes, and ext4 allows 1 to ${MAX_SYMLINK}`;
      return { blocks: length < ROOT_BYTES_OF_LINK ? 0 : 1, runs: 0 };
    }
    case 'character':
    case 'block':
      if (!encodeDevice(meta.major, meta.minor))
        return `the device number ${meta.major}:${meta.minor}, which Linux does not know`;
      return NOTHING;
    case 'directory':
    case 'fifo':
      return NOTHING;
    default:
      return meta.type satisfies never;
  }
}

const NOTHING: Measured = { blocks: 0, runs: 0 };

/**
 * The most blocks that an extent tree can need, wherever its file comes to lie: it may meet the fixed structures of each group
 * that it reaches, and is cut there.
 */
export function mostTreeBlocks(runs: number, blocks: number): number {
  return treeBlocks(runs + 2 * Math.ceil(blocks / BLOCKS_PER_GROUP) + 1);
}
