import type { NodeMetadata } from '../node.ts';
import { type Attribute, attributesOf, shortAttributes } from './attributes.ts';
import type { PlannedInode } from './collect.ts';
import { type DirectoryEntry, shortForm } from './directory-entries.ts';
import type { Volume } from './encode.ts';
import {
  EXTENT_BYTES,
  type Extents,
  extentCount,
  extentTree,
  extentTreeBlocks,
  inlineExtents,
} from './extents.ts';
import { BLOCK, CHUNK_BLOCKS, CHUNK_INODES, INODE_BYTES, ROOT_INO } from './geometry.ts';
import { FORMAT, type Fork, putFreeInode, putInode, TYPES } from './inode-bytes.ts';

/** Marks the realtime bitmap's inode: `XFS_DIFLAG_NEWRTBM`. */
const NEW_BITMAP = 4;

/** The 64 inodes from `ino` on: those of `inodes` from `from` on, then unused ones. */
export function makeChunk(
  volume: Volume,
  ino: number,
  inodes: readonly PlannedInode[],
  from: number,
): Buffer {
  const chunk = Buffer.alloc(CHUNK_BLOCKS * BLOCK);
  for (let i = 0; i < CHUNK_INODES; i += 1) {
    const into = inodeIn(chunk, i);
    const planned = inodes[from + i];
    if (planned) putPlanned(volume, into, planned);
    else putFreeInode(volume, into, ino + i);
  }
  return chunk;
}

/** The root directory, and the two inodes that a realtime device would use; there is none. */
export function makeRootChunk(volume: Volume, root: PlannedInode): Buffer {
  const chunk = makeChunk(volume, ROOT_INO, [root], 0);
  for (const [i, flags] of [
    [1, NEW_BITMAP],
    [2, 0],
  ] as const) {
    const into = inodeIn(chunk, i).fill(0);
    putInode(volume, into, {
      ino: ROOT_INO + i,
      meta: { type: 'file', mode: 0, uid: 0, gid: 0, mtime: 0, mtimeNanos: 0 },
      links: 1,
      size: 0,
      blocks: 0,
      flags,
      data: { format: FORMAT.extents, bytes: Buffer.alloc(0), extents: 0 },
      attributes: null,
      attributesAt: 0,
    });
  }
  return chunk;
}

/** Used inodes of the first chunk. */
export const ROOT_CHUNK_USED = 3;

function inodeIn(chunk: Buffer, i: number): Buffer {
  return chunk.subarray(i * INODE_BYTES, (i + 1) * INODE_BYTES);
}

export function entriesOf({ children, childInodes }: PlannedInode): DirectoryEntry[] {
  return (children ?? []).map(({ name, inode }, i) => ({
    name,
    ino: childInodes[i]?.ino ?? 0,
    type: TYPES[inode.meta.type].entry,
  }));
}

/** The attributes of an inode that was checked. */
export function attributesIn(planned: PlannedInode): readonly Attribute[] {
  const attributes = attributesOf(planned.inode.meta);
  return typeof attributes === 'string' ? [] : attributes;
}

function putPlanned(volume: Volume, into: Buffer, planned: PlannedInode): void {
  const { forks, extents } = planned;
  const { meta } = planned.inode;
  const data = forks.isInline ? inlineFork(planned) : mappedFork(volume, planned);
  let blocks = forks.attributeBlocks;
  for (let i = 2; i < extents.length; i += 3) blocks += extents[i] as number;
  if (!forks.isInline) blocks += extentTreeBlocks(extentCount(extents), forks.dataBytes);
  putInode(volume, into, {
    ino: planned.ino,
    meta,
    links: planned.links,
    size: sizeOf(planned, data),
    blocks,
    flags: 0,
    data,
    attributes: attributeFork(volume, planned),
    attributesAt: forks.dataBytes,
  });
}

function sizeOf({ inode: { meta }, forks }: PlannedInode, data: Fork): number {
  if (meta.type === 'directory')
    return forks.directory ? forks.directory.dataBlocks * BLOCK : data.bytes.length;
  return meta.type === 'symlink' ? meta.link.length : meta.type === 'file' ? meta.size : 0;
}

function inlineFork(planned: PlannedInode): Fork {
  const { meta } = planned.inode;
  switch (meta.type) {
    case 'directory': {
      const bytes = shortForm(planned.parent?.ino ?? ROOT_INO, entriesOf(planned));
      return { format: FORMAT.local, bytes, extents: 0 };
    }
    case 'symlink':
      return { format: FORMAT.local, bytes: Buffer.from(meta.link, 'latin1'), extents: 0 };
    default:
      return { format: FORMAT.device, bytes: deviceNumber(meta), extents: 0 };
  }
}

/** As System V wrote it: 14 bits for the major number, 18 for the minor. */
function deviceNumber({ type, major, minor }: NodeMetadata): Buffer {
  const bytes = Buffer.alloc(4);
  if (type !== 'fifo') bytes.writeUInt32BE(major * 2 ** 18 + minor);
  return bytes;
}

function mappedFork(volume: Volume, { ino, extents, treeStart, forks }: PlannedInode): Fork {
  const count = extentCount(extents);
  return count * EXTENT_BYTES <= forks.dataBytes
    ? { format: FORMAT.extents, bytes: inlineExtents(volume.geometry, extents), extents: count }
    : {
        format: FORMAT.btree,
        bytes: extentTree(volume, ino, extents, treeStart, forks.dataBytes).root,
        extents: count,
      };
}

function attributeFork({ geometry }: Volume, planned: PlannedInode): Fork | null {
  const { forks, attributesStart } = planned;
  switch (forks.attributes) {
    case 'none':
      return null;
    case 'inline':
      return { format: FORMAT.local, bytes: shortAttributes(attributesIn(planned)), extents: 0 };
    case 'blocks': {
      const extents: Extents = [0, attributesStart, forks.attributeBlocks];
      return { format: FORMAT.extents, bytes: inlineExtents(geometry, extents), extents: 1 };
    }
    default:
      return forks.attributes satisfies never;
  }
}
