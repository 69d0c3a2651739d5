import { encodeExtents, ROOT_BYTES } from './extents.ts';
import { BLOCK } from './format.ts';
import {
  EXTENTS_FLAG,
  encodeDevice,
  INDEX_FLAG,
  type InodePlace,
  ROOT_BYTES_OF_LINK,
} from './inode-bytes.ts';
import { LOST_FOUND } from './inventory.ts';
import { extentsOf, type Layout, treePlace, xattrPlace } from './layout.ts';
import { encodeXattrs } from './xattrs.ts';

/** What stands in the inode of a node of the tree. */
export function inodePlace(layout: Layout, index: number): InodePlace {
  const { inventory, geometry, treeUsed } = layout;
  const node = inventory.nodes[index];
  if (!node) throw new RangeError(`there is no inode ${index}`);
  const { meta } = node.inode;
  const owner = inventory.xattrOwner[index] as number;
  const names = inventory.directoryBlocks[index] as number;
  const xattrs = encodeXattrs(meta.xattrs);
  const common = {
    number: layout.inodes[index] as number,
    links: inventory.links[index] as number,
    size: node.children ? names * BLOCK : meta.type === 'symlink' ? meta.link.length : meta.size,
    blocks:
      (inventory.dataBlocks[index] as number) + names + (treeUsed[index] as number) + (owner === -1 ? 0 : 1),
    xattrBlock: owner === -1 ? 0 : geometry.free.blockAt(xattrPlace(layout, owner)),
    xattrs: typeof xattrs === 'string' ? null : xattrs.inInode,
  };
  switch (meta.type) {
    case 'character':
    case 'block':
      return { ...common, size: 0, flags: 0, root: encodeDevice(meta.major, meta.minor) ?? NOTHING };
    case 'fifo':
      return { ...common, size: 0, flags: 0, root: NOTHING };
    case 'symlink':
      if (meta.link.length < ROOT_BYTES_OF_LINK)
        return { ...common, flags: 0, root: Buffer.from(meta.link, 'latin1') };
      return { ...common, flags: EXTENTS_FLAG, root: extentRoot(layout, index) };
    case 'file':
      return { ...common, flags: EXTENTS_FLAG, root: extentRoot(layout, index) };
    case 'directory': {
      const isIndexed = isIndexedDirectory(layout, index, names);
      return {
        ...common,
        flags: EXTENTS_FLAG | (isIndexed ? INDEX_FLAG : 0),
        root: extentRoot(layout, index),
      };
    }
    default:
      return meta.type satisfies never;
  }
}

const NOTHING = new Uint8Array(ROOT_BYTES);

/** More than one block of names has an index; lost+found has its four empty ones without. */
function isIndexedDirectory({ inventory }: Layout, index: number, names: number): boolean {
  return index === LOST_FOUND ? inventory.isLostFoundIndexed : names > 1;
}

function extentRoot(layout: Layout, index: number): Uint8Array {
  const tree = treePlace(layout, index);
  const { root, blocks } = encodeExtents(extentsOf(layout, index), (i) =>
    layout.geometry.free.blockAt(tree + i),
  );
  // Better no filesystem than one that overlaps: `mostTreeBlocks` would be wrong.
  if (blocks.length !== layout.treeUsed[index])
    throw new RangeError('an extent tree is not as it was measured');
  return root;
}
