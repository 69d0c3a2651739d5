import type { Latin1 } from '../node.ts';
import { put64, seal, type Volume } from './encode.ts';
import { BLOCK, basicBlock } from './geometry.ts';

/** `XFS_SYMLINK_MAXLEN`, the zero behind the target included, is 1024. */
export const MAX_LINK = 1023;

/** The block of a target that does not fit into the inode; the longest fits into one. */
export function symlinkBlock(volume: Volume, ino: number, at: number, target: Latin1): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write('XSLM', 0, 'latin1');
  block.writeUInt32BE(target.length, 8);
  volume.uuid.copy(block, 16);
  put64(block, 32, ino);
  put64(block, 40, basicBlock(at));
  block.write(target, 56, 'latin1');
  return seal(block, 12);
}
