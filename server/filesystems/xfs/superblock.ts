import { put64, seal, type Volume } from './encode.ts';
import { FEATURES_INCOMPAT, FEATURES_RO_COMPAT, FEATURES2, VERSION, VERSION_ATTR } from './features.ts';
import { BLOCK, CHUNK_ALIGNMENT, fsBlock, INODE_BYTES, INODES_PER_BLOCK, ROOT_INO } from './geometry.ts';

export interface Totals {
  readonly inodes: number;
  readonly freeInodes: number;
  readonly freeBlocks: number;
  readonly hasAttributes: boolean;
}

/** One block: the superblock of group 0, which counts, or its copy in another group, which knows the geometry alone and is marked "in progress". */
export function superblock({ geometry, uuid }: Volume, totals: Totals, ag: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const logStart = geometry.log.ag * geometry.agBlocks + geometry.log.agBlock;
  block.write('XFSB', 0, 'latin1');
  block.writeUInt32BE(BLOCK, 4);
  put64(block, 8, geometry.blocks);
  uuid.copy(block, 32);
  put64(block, 48, fsBlock(geometry, logStart));
  // Root, and the two inodes of a realtime device that is not there.
  for (let i = 0; i < 3; i += 1) put64(block, 56 + i * 8, ROOT_INO + i);
  block.writeUInt32BE(1, 80);
  block.writeUInt32BE(geometry.agBlocks, 84);
  block.writeUInt32BE(geometry.agCount, 88);
  block.writeUInt32BE(geometry.log.blocks, 96);
  block.writeUInt16BE(VERSION | (totals.hasAttributes ? VERSION_ATTR : 0), 100);
  block.writeUInt16BE(BLOCK, 102);
  block.writeUInt16BE(INODE_BYTES, 104);
  block.writeUInt16BE(INODES_PER_BLOCK, 106);
  // Logarithms: block, sector, inode, inodes per block, group.
  block.set([12, 12, 9, 3, geometry.agBlockLog, 0, 0, geometry.maxInodePercent], 120);
  if (ag === 0) {
    put64(block, 128, totals.inodes);
    put64(block, 136, totals.freeInodes);
    put64(block, 144, totals.freeBlocks);
  } else block[126] = 1;
  block.writeUInt32BE(CHUNK_ALIGNMENT, 180);
  block.set([0, 12], 192);
  block.writeUInt16BE(BLOCK, 194);
  block.writeUInt32BE(BLOCK, 196);
  // Twice: some old kernels looked four bytes too far.
  block.writeUInt32BE(FEATURES2, 200);
  block.writeUInt32BE(FEATURES2, 204);
  block.writeUInt32BE(FEATURES_RO_COMPAT, 212);
  block.writeUInt32BE(FEATURES_INCOMPAT, 216);
  return seal(block, 224);
}
