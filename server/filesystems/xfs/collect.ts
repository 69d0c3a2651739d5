import type { FileTree, TreeNode } from '../file-tree.ts';
import type { Inode, Latin1 } from '../node.ts';
import type { Extents } from './extents.ts';
import { type Forks, forksOf } from './forks.ts';
import { ROOT_INO } from './geometry.ts';
import { checkInode } from './refusals.ts';

/** An inode of the filesystem. The layout fills in what can change from one try to the next. */
export interface PlannedInode {
  readonly inode: Inode;
  /** In the order of their entries, and the inode of each; null for everything but directories. */
  readonly children: readonly TreeNode[] | null;
  readonly childInodes: PlannedInode[];
  links: number;
  /** For a directory; the root is its own. */
  parent: PlannedInode | null;
  readonly forks: Forks;
  ino: number;
  /** Of the data fork: block in the file, linear block, count. */
  extents: Extents;
  /** First block of the tree of extents and of the attributes, linear; 0 where there are none. */
  treeStart: number;
  attributesStart: number;
}

export interface Collected {
  readonly root: PlannedInode;
  /** In layer order; a new one begins where `isBorder` says. */
  readonly segments: readonly (readonly PlannedInode[])[];
  readonly names: number;
}

const NO_CHILDREN: PlannedInode[] = [];
export const NO_EXTENTS: Extents = [];

/** Paths, of which one in so many ends a segment. */
const PATHS_PER_SEGMENT = 64;

/** Every inode once, in segments; or why XFS cannot hold one of them. */
export function collect(tree: FileTree, wide: boolean): Collected | string {
  const byKey = new Map<TreeNode | Inode, PlannedInode>();
  const forks = new Map<string, Forks>();
  /** Most inodes are alike: one object for all of a kind keeps memory low. */
  const shared = (own: Forks): Forks => {
    if (own.directory) return own;
    const key = `${own.dataBytes} ${own.isInline} ${own.attributes} ${own.attributeBlocks}`;
    const known = forks.get(key) ?? own;
    forks.set(key, known);
    return known;
  };
  const plan = (path: Latin1, node: TreeNode): PlannedInode | string => {
    const attributes = checkInode(node.name, node.inode);
    if (typeof attributes === 'string') return `/${path}: ${attributes}`;
    const children = node.children && inEntryOrder(node.children.values());
    const names = children?.map(({ name }) => name) ?? [];
    const made: PlannedInode = {
      inode: node.inode,
      children,
      childInodes: children ? [] : NO_CHILDREN,
      links: children ? 2 : 0,
      parent: null,
      forks: shared(forksOf(node.inode.meta, names, attributes, wide)),
      ino: 0,
      extents: NO_EXTENTS,
      treeStart: 0,
      attributesStart: 0,
    };
    byKey.set(keyOf(node), made);
    return made;
  };
  const root = plan('', tree.root);
  if (typeof root === 'string') return root;
  root.ino = ROOT_INO;
  root.parent = root;
  const segments: PlannedInode[][] = [[]];
  const paths = tree.inLayerOrder();
  let layer = paths[0]?.node.layer;
  let isEnd = false;
  for (const { path, node } of paths) {
    if (isEnd || node.layer !== layer) segments.push([]);
    layer = node.layer;
    isEnd = pathHash(path) % PATHS_PER_SEGMENT === 0;
    const known = byKey.get(keyOf(node));
    const planned = known ?? plan(path, node);
    if (typeof planned === 'string') return planned;
    if (!node.children) planned.links += 1;
    if (!known) segments[segments.length - 1]?.push(planned);
  }
  for (const directory of byKey.values())
    for (const node of directory.children ?? []) {
      const child = byKey.get(keyOf(node)) as PlannedInode;
      directory.childInodes.push(child);
      if (!node.children) continue;
      child.parent = directory;
      directory.links += 1;
    }
  return { root, segments, names: paths.length };
}

/** Names share an inode when they share its object; a directory has one name. */
function keyOf(node: TreeNode): TreeNode | Inode {
  return node.children ? node : node.inode;
}

/** What a later layer adds stands behind what was there, so that the older entries stay where they are. */
function inEntryOrder(nodes: Iterable<TreeNode>): TreeNode[] {
  return [...nodes].sort((a, b) => a.layer - b.layer || (a.name < b.name ? -1 : 1));
}

/** FNV-1a, with a last step that mixes high bits into low ones. */
function pathHash(path: Latin1): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i += 1) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
