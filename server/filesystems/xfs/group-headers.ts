import { sum } from './btree.ts';
import { NULL32, seal, type Volume } from './encode.ts';
import { agLength, BLOCK, CHUNK_INODES, type Geometry } from './geometry.ts';
import { freeInodes, freeTreeBlocks, type Group } from './group.ts';

function rootOf({ trees }: Group, i: number): { block: number; levels: number } {
  return { block: trees[i]?.blocks.at(-1) ?? 0, levels: trees[i]?.levels.length ?? 0 };
}

/** Free space: `struct xfs_agf`. */
export function freeSpaceHeader({ geometry, uuid }: Volume, group: Group): Buffer {
  const block = header('XAGF', 1, geometry, group.ag);
  for (const i of [0, 1]) {
    const { block: root, levels } = rootOf(group, i);
    block.writeUInt32BE(root, 16 + i * 4);
    block.writeUInt32BE(levels, 28 + i * 4);
  }
  // The list begins at its second place, as mkfs.xfs leaves it.
  block.writeUInt32BE(1, 40);
  block.writeUInt32BE(group.spare.length, 44);
  block.writeUInt32BE(group.spare.length, 48);
  block.writeUInt32BE(sum(group.free.map(({ blocks }) => blocks)), 52);
  block.writeUInt32BE(
    group.free.reduce((longest, { blocks }) => Math.max(longest, blocks), 0),
    56,
  );
  block.writeUInt32BE(freeTreeBlocks(group), 60);
  uuid.copy(block, 64);
  return seal(block, 216);
}

/** Inodes: `struct xfs_agi`. */
export function inodeHeader({ geometry, uuid }: Volume, group: Group): Buffer {
  const block = header('XAGI', 1, geometry, group.ag);
  const { block: root, levels } = rootOf(group, 2);
  block.writeUInt32BE(group.chunks.length * CHUNK_INODES, 16);
  block.writeUInt32BE(root, 20);
  block.writeUInt32BE(levels, 24);
  block.writeUInt32BE(freeInodes(group), 28);
  block.writeUInt32BE(group.chunks.at(-1)?.agIno ?? NULL32, 32);
  // No inode is open and without a name: 64 empty lists.
  block.fill(0xff, 36, 296);
  uuid.copy(block, 296);
  return seal(block, 312);
}

/** The spare blocks: `struct xfs_agfl`. */
export function spareList({ uuid }: Volume, { ag, spare }: Group): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write('XAFL', 0, 'latin1');
  block.writeUInt32BE(ag, 4);
  uuid.copy(block, 8);
  block.fill(0xff, 36);
  spare.forEach((each, i) => {
    block.writeUInt32BE(each, 40 + i * 4);
  });
  return seal(block, 32);
}

function header(magic: string, version: number, geometry: Geometry, ag: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(magic, 0, 'latin1');
  block.writeUInt32BE(version, 4);
  block.writeUInt32BE(ag, 8);
  block.writeUInt32BE(agLength(geometry, ag), 12);
  return block;
}
