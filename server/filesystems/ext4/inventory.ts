import { defaultDirectory, type FileTree, type TreeNode } from '../file-tree.ts';
import type { Inode, Latin1 } from '../node.ts';
import { layDirectory } from './directory-layout.ts';
import { MAX_LINKS } from './format.ts';
import { measureContent, mostTreeBlocks } from './measure.ts';
import type { Start } from './placing.ts';
import { segmenter } from './segments.ts';
import { encodeXattrs } from './xattrs.ts';

/** Index of the root and of lost+found; what the tree brings follows in layer order. */
export const ROOT = 0;
export const LOST_FOUND = 1;
const LOST_FOUND_BLOCKS = 4;
/** An xattr block serves no more inodes: the kernel's bound. */
const MAX_REFERENCES = 1024;

/** The inodes of a tree and what each takes: columns by index, since there may be hundreds of thousands. */
export interface Inventory {
  readonly nodes: readonly TreeNode[];
  /** Which begins something new in the order of the layers. */
  readonly starts: Uint8Array;
  readonly links: Uint32Array;
  /** Blocks of content. */
  readonly dataBlocks: Float64Array;
  /** Blocks of names. */
  readonly directoryBlocks: Uint32Array;
  /** Most blocks that its extent tree can need, wherever it comes to lie. */
  readonly treeBlocks: Uint32Array;
  /** Index of the inode beside whose metadata the xattr block lies; −1 for none. */
  readonly xattrOwner: Int32Array;
  /** How many inodes refer to the block beside this one's metadata. */
  readonly xattrReferences: Uint16Array;
  /** Index of a directory's parent. */
  readonly parents: Uint32Array;
  /** Whether lost+found has so many names that they need an index. */
  isLostFoundIndexed: boolean;
  indexOf(node: TreeNode): number;
  /** By name. */
  childrenOf(index: number): readonly TreeNode[];
}

/** @returns a clause for people when ext4 can't hold something of the tree */
export function takeInventory(tree: FileTree, hasChecksums: boolean): Inventory | string {
  const present = tree.root.children?.get('lost+found');
  if (present && !present.children) return 'lost+found is no directory';
  const lostFound = present ?? LOST_FOUND_NODE;
  const nodes: TreeNode[] = [tree.root, lostFound];
  const indexes = new Map<TreeNode | Inode, number>([
    [tree.root, ROOT],
    [lostFound, LOST_FOUND],
  ]);
  const startList: Start[] = [0, 0];
  const ordered = tree.inLayerOrder();
  const linkCounts: number[] = [2, 2];
  const startOf = segmenter();
  for (const { path, node } of ordered) {
    const key = node.children ? node : node.inode;
    const known = indexes.get(key);
    if (known !== undefined) {
      if (known !== LOST_FOUND) linkCounts[known] = (linkCounts[known] ?? 0) + 1;
      continue;
    }
    indexes.set(key, nodes.length);
    nodes.push(node);
    startList.push(startOf(path, node.layer));
    linkCounts.push(node.children ? 2 : 1);
  }

  const indexOf = (node: TreeNode): number => indexes.get(node.children ? node : node.inode) ?? ROOT;
  const childrenOf = (index: number): readonly TreeNode[] => {
    const children = [...((nodes[index] as TreeNode).children?.values() ?? [])];
    if (index === ROOT && !present) children.push(lostFound);
    return children.sort((a, b) => (a.name < b.name ? -1 : 1));
  };
  const count = nodes.length;
  const inventory: Inventory = {
    nodes,
    starts: Uint8Array.from(startList),
    links: Uint32Array.from(linkCounts),
    dataBlocks: new Float64Array(count),
    directoryBlocks: new Uint32Array(count),
    treeBlocks: new Uint32Array(count),
    xattrOwner: new Int32Array(count).fill(-1),
    xattrReferences: new Uint16Array(count),
    parents: new Uint32Array(count),
    isLostFoundIndexed: false,
    indexOf,
    childrenOf,
  };
  // Equal blocks of xattrs are shared within a segment, so that a file far away changes none of them.
  let shared = new Map<Latin1, number>();
  for (let i = 0; i < count; i += 1) {
    const node = nodes[i] as TreeNode;
    const refuse = (why: string): string => `${pathOf(tree, node)} has ${why}`;
    const { meta } = node.inode;
    if (inventory.starts[i] !== 0) shared = new Map();

    const xattrs = encodeXattrs(meta.xattrs);
    if (typeof xattrs === 'string') return refuse(xattrs);
    if (xattrs.inBlock) {
      const bytes = Buffer.from(xattrs.inBlock).toString('latin1');
      const same = shared.get(bytes);
      const owner = same !== undefined && (inventory.xattrReferences[same] ?? 0) < MAX_REFERENCES ? same : i;
      shared.set(bytes, owner);
      inventory.xattrOwner[i] = owner;
      inventory.xattrReferences[owner] = (inventory.xattrReferences[owner] ?? 0) + 1;
    }

    if (node.children) {
      const children = childrenOf(i);
      const tooLong = children.find(({ name }) => name.length > 255);
      if (tooLong) return refuse(`a name of ${tooLong.name.length} bytes, and ext4 allows 255`);
      const layout = layDirectory(
        children.map(({ name }) => name),
        hasChecksums,
      );
      if (!layout) return refuse(`${children.length} names, more than an ext4 directory can hold`);
      const blocks = i === LOST_FOUND ? Math.max(LOST_FOUND_BLOCKS, layout.blocks) : layout.blocks;
      if (i === LOST_FOUND) inventory.isLostFoundIndexed = layout.kind === 'indexed';
      inventory.directoryBlocks[i] = blocks;
      inventory.treeBlocks[i] = mostTreeBlocks(1, blocks);
      let links = 2;
      for (const child of children) {
        if (!child.children) continue;
        links += 1;
        inventory.parents[indexOf(child)] = i;
      }
      inventory.links[i] = links > MAX_LINKS ? 1 : links;
    } else if ((inventory.links[i] ?? 0) > MAX_LINKS)
      return refuse(`${inventory.links[i]} names, and ext4 allows ${MAX_LINKS} hard links`);

    const content = measureContent(node.inode);
    if (typeof content === 'string') return refuse(content);
    inventory.dataBlocks[i] = content.blocks;
    if (content.runs > 0) inventory.treeBlocks[i] = mostTreeBlocks(content.runs, content.blocks);
  }
  return inventory;
}

/** For a refusal; nobody keeps hundreds of thousands of paths for it. */
function pathOf(tree: FileTree, node: TreeNode): Latin1 {
  if (node === tree.root) return 'the root directory';
  return tree.inLayerOrder().find((each) => each.node === node)?.path ?? node.name;
}

const LOST_FOUND_NODE: TreeNode = {
  name: 'lost+found',
  layer: 0,
  inode: defaultDirectory(0o700),
  children: new Map(),
};
