import { FileTree, type LayerEntry } from '../../../server/filesystems/file-tree.ts';
import type { ContentRun, Inode, NodeMetadata, NodeType } from '../../../server/filesystems/node.ts';

export const UUID = '7761726d-626f-4f74-8000-000000000001';
export const MIB = 1024 ** 2;

/** An inode with defaults that no test relies on. */
export function inode(
  type: NodeType,
  more: Partial<NodeMetadata> = {},
  content: readonly ContentRun[] = [],
): Inode {
  const meta = {
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 1000,
    mtimeNanos: 0,
    size: content.reduce((end, run) => Math.max(end, run.at + run.bytes), 0),
    link: '',
    major: 0,
    minor: 0,
    xattrs: new Map(),
  };
  return { meta: { ...meta, type, ...more }, content };
}

/** Layers, base first; a path with a target is a hard link. */
export function treeOf(...layers: readonly (readonly LayerEntry[])[]): FileTree {
  const tree = new FileTree();
  for (const [i, entries] of layers.entries()) tree.addLayer(i, entries);
  return tree;
}

/** An access control list as tar carries it: version 2, entries of tag, permissions, id. */
export function aclV2(
  entries: readonly (readonly [tag: number, permissions: number, id?: number])[],
): string {
  const acl = Buffer.alloc(4 + entries.length * 8);
  acl.writeUInt32LE(2, 0);
  entries.forEach(([tag, permissions, id = 0xffffffff], i) => {
    acl.writeUInt16LE(tag, 4 + i * 8);
    acl.writeUInt16LE(permissions, 6 + i * 8);
    acl.writeUInt32LE(id, 8 + i * 8);
  });
  return acl.toString('latin1');
}
