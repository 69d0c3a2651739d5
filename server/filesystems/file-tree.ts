import type { Inode, Latin1, NodeMetadata } from './node.ts';

/**
 * One member of a layer. A hard link is a second name for the member at `target`, and what it states of owner, mode, time and
 * xattrs holds for both, as it does for whoever unpacks the layer.
 */
export type LayerEntry =
  | { readonly path: Latin1; readonly inode: Inode }
  | { readonly path: Latin1; readonly target: Latin1; readonly states: LinkMetadata };

/** What several names of an inode have in common and each member of a layer states anew. */
export type LinkMetadata = Pick<NodeMetadata, 'mode' | 'uid' | 'gid' | 'mtime' | 'mtimeNanos' | 'xattrs'>;

/** A layer that cannot be stacked: a path that leads outside, a hard link without target, a file below a file. */
export class LayerError extends Error {
  override readonly name = 'LayerError';
}

export interface TreeNode {
  readonly name: Latin1;
  /** The layer whose content this is; for a directory the layer that made it. Decides the place on the partition. */
  readonly layer: number;
  /** For a directory: as the last layer states it. */
  inode: Inode;
  /** Null for everything but directories. */
  readonly children: Map<Latin1, TreeNode> | null;
}

export interface PathNode {
  readonly path: Latin1;
  readonly node: TreeNode;
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const MAX_SYMLINKS = 40;
const MAX_PATH = 4096;

/**
 * The files of an image as overlayfs would show them when its layers are stacked: whiteouts and opaque directories
 * remove what is below, a file replaces a directory and the reverse, directories merge. Paths have no leading slash.
 * Source: OCI image specification, "layer.md" (whiteouts, opaque whiteouts, hard links).
 */
export class FileTree {
  readonly root: TreeNode = directory('', 0, defaultDirectory());

  /** Puts a layer on top. @throws LayerError */
  addLayer(layer: number, entries: Iterable<LayerEntry>): void {
    const additions: LayerEntry[] = [];
    // A whiteout hides what is below, never what the same layer brings, in whatever order the tar has them.
    for (const entry of entries) {
      const path = normalizePath(entry.path);
      const name = path.slice(path.lastIndexOf('/') + 1);
      if (!name.startsWith(WHITEOUT)) additions.push({ ...entry, path });
      else if (name === OPAQUE) this.find(parentOf(path))?.children?.clear();
      // Other names with a double prefix are AUFS's own bookkeeping.
      else if (!name.startsWith(WHITEOUT + WHITEOUT))
        this.find(parentOf(path))?.children?.delete(name.slice(WHITEOUT.length));
    }
    for (const entry of additions)
      this.put(entry.path, layer, 'inode' in entry ? entry.inode : this.linked(entry, layer));
  }

  /** Puts one inode at a path; replaces what is there unless both are directories. Missing parents are made. */
  put(path: Latin1, layer: number, inode: Inode): void {
    if (path === '') {
      if (inode.meta.type !== 'directory') throw new LayerError('a member without a name is no directory');
      this.root.inode = inode;
      return;
    }
    const siblings = this.makeDirectory(parentOf(path), layer).children as Map<Latin1, TreeNode>;
    const name = ownText(path.slice(path.lastIndexOf('/') + 1));
    const present = siblings.get(name);
    if (inode.meta.type !== 'directory') siblings.set(name, { name, layer, inode, children: null });
    else if (present?.children) present.inode = inode;
    else siblings.set(name, directory(name, layer, inode));
  }

  /** The node at a path; symlinks on the way are not followed. */
  find(path: Latin1): TreeNode | undefined {
    let node: TreeNode | undefined = this.root;
    for (const name of parts(path)) node = node?.children?.get(name);
    return node;
  }

  remove(path: Latin1): void {
    this.find(parentOf(path))?.children?.delete(path.slice(path.lastIndexOf('/') + 1));
  }

  /** Follows symlinks as a kernel with this tree as root would. Null when nothing is there, or in a loop. */
  resolve(path: Latin1): PathNode | null {
    let todo = parts(path);
    let done: PathNode[] = [{ path: '', node: this.root }];
    let links = 0;
    for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
      const here = done[done.length - 1];
      if (name === '..') {
        if (done.length > 1) done.pop();
        continue;
      }
      const node = here?.node.children?.get(name);
      if (!here || !node) return null;
      if (node.inode.meta.type === 'symlink') {
        links += 1;
        if (links > MAX_SYMLINKS) return null;
        const target = node.inode.meta.link;
        if (target.startsWith('/')) done = done.slice(0, 1);
        todo = [...parts(target), ...todo];
        continue;
      }
      done.push({ path: joined(here.path, name), node });
    }
    return done[done.length - 1] ?? null;
  }

  /** Every node but the root in the order in which files reach the partition: layer by layer, then by path bytes. */
  inLayerOrder(): PathNode[] {
    const all: PathNode[] = [];
    const visit = (node: TreeNode, prefix: Latin1): void => {
      for (const child of node.children?.values() ?? []) {
        const path = prefix + child.name;
        all.push({ path, node: child });
        visit(child, `${path}/`);
      }
    };
    visit(this.root, '');
    return all.sort((a, b) => a.node.layer - b.node.layer || (a.path < b.path ? -1 : 1));
  }

  /** The inode that a hard link gives one more name. */
  private linked(entry: Extract<LayerEntry, { target: Latin1 }>, layer: number): Inode {
    const path = normalizePath(entry.target);
    const target = this.walk(parentOf(path), layer)?.node.children?.get(
      path.slice(path.lastIndexOf('/') + 1),
    );
    if (!target || target.children)
      throw new LayerError(`${entry.path} is a hard link to ${entry.target}, which is not there`);
    const { inode } = target;
    const { mode, uid, gid, mtime, mtimeNanos, xattrs } = entry.states;
    inode.meta = {
      ...inode.meta,
      // chmod(2) does nothing to a symlink.
      mode: inode.meta.type === 'symlink' ? inode.meta.mode : mode,
      ...{ uid, gid, mtime, mtimeNanos },
      // xattrs are set, none is taken away.
      xattrs: xattrs.size === 0 ? inode.meta.xattrs : new Map([...inode.meta.xattrs, ...xattrs]),
    };
    return inode;
  }

  private makeDirectory(path: Latin1, layer: number): TreeNode {
    let here: PathNode = { path: '', node: this.root };
    for (const name of parts(path)) {
      const next = this.step(here, name, layer);
      if (next?.node.children) here = next;
      else {
        const present = here.node.children?.get(name);
        if (present?.layer === layer && present.inode.meta.type !== 'symlink')
          throw new LayerError(`${joined(here.path, name)} is a file, and something lies below it`);
        const node = directory(name, layer, defaultDirectory());
        here.node.children?.set(name, node);
        here = { path: joined(here.path, name), node };
      }
    }
    return here.node;
  }

  private walk(path: Latin1, layer: number): PathNode | null {
    let here: PathNode | null = { path: '', node: this.root };
    for (const name of parts(path)) here = here && this.step(here, name, layer);
    return here;
  }

  /**
   * One name further, as whoever unpacks this layer goes: through a symlink that the layer itself brought (`lib` → `usr/lib`,
   * then `lib/x`), not through one that lies below, which the layer's directory hides.
   */
  private step(from: PathNode, name: Latin1, layer: number): PathNode | null {
    const node = from.node.children?.get(name);
    if (!node) return null;
    const path = joined(from.path, name);
    return node.inode.meta.type === 'symlink' && node.layer === layer ? this.resolve(path) : { path, node };
  }
}

/** Metadata for a directory that a layer implies but does not state: root's, 0755. */
export function defaultDirectory(mode = 0o755): Inode {
  return { meta: { ...EMPTY, type: 'directory', mode }, content: [] };
}

/** An empty file of root's. */
export function emptyFile(mode: number): Inode {
  return { meta: { ...EMPTY, type: 'file', mode }, content: [] };
}

const EMPTY: Omit<NodeMetadata, 'type' | 'mode'> = {
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNanos: 0,
  size: 0,
  link: '',
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

function directory(
  name: Latin1,
  layer: number,
  inode: Inode,
): TreeNode & { children: Map<Latin1, TreeNode> } {
  return { name, layer, inode, children: new Map() };
}

/** The same text with memory of its own: a part of a longer string keeps all of it alive. */
function ownText(text: Latin1): Latin1 {
  return Buffer.from(text, 'latin1').toString('latin1');
}

function parts(path: Latin1): Latin1[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function joined(folder: Latin1, name: Latin1): Latin1 {
  return folder === '' ? name : `${folder}/${name}`;
}

function parentOf(path: Latin1): Latin1 {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Without `.`, and `..` taken as it is written; longer than a system call takes (PATH_MAX), nothing can be reached. */
export function normalizePath(path: Latin1): Latin1 {
  if (path.length > MAX_PATH) throw new LayerError(`${path.slice(0, 80)}… is a path of ${path.length} bytes`);
  const names: Latin1[] = [];
  for (const name of parts(path)) {
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) throw new LayerError(`${path} leads outside the image`);
  }
  return names.join('/');
}
