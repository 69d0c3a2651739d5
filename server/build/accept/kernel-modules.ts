import type { FileTree, TreeNode } from '../../filesystems/file-tree.ts';
import type { Latin1 } from '../../filesystems/node.ts';
import { readStart } from '../tree/tree-file.ts';

/** depmod's lists are a few hundred KiB; more is not read. */
const MAX_LIST_BYTES = 16 * 1024 * 1024;

/** What depmod says of a kernel's modules. Names have `_` for `-` and no suffix. Source: modules.dep(5). */
export interface KernelModules {
  readonly builtin: ReadonlySet<string>;
  /** A module → all that must be loaded before it. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
}

/** Null when the kernel has no modules.dep. */
export function readKernelModules(tree: FileTree, release: string): KernelModules | null {
  const list = readList(tree, `lib/modules/${release}/modules.dep`);
  if (list === null) return null;
  const needs = new Map<string, string[]>();
  for (const line of list) {
    const [path = '', others = ''] = line.split(':');
    if (path !== '') needs.set(moduleName(path), others.split(' ').filter(Boolean).map(moduleName));
  }
  const builtin = readList(tree, `lib/modules/${release}/modules.builtin`) ?? [];
  return { builtin: new Set(builtin.filter(Boolean).map(moduleName)), needs };
}

/** The kernel can do it, by itself or by a module. */
export function hasModule({ builtin, needs }: KernelModules, name: string): boolean {
  return builtin.has(name) || needs.has(name);
}

/** The modules that lie below a release's folder, whether a list names them or not. */
export function modulesIn(tree: FileTree, release: string): Set<string> {
  const found = new Set<string>();
  const visit = (node: TreeNode | undefined): void => {
    for (const child of node?.children?.values() ?? [])
      if (child.children) visit(child);
      else if (MODULE.test(child.name)) found.add(moduleName(child.name));
  };
  visit(tree.resolve(`lib/modules/${release}`)?.node);
  // Not every initrd has /lib lead to /usr/lib.
  visit(tree.resolve(`usr/lib/modules/${release}`)?.node);
  return found;
}

const MODULE = /\.ko(?:\.gz|\.xz|\.zst)?$/;

function moduleName(path: Latin1): string {
  return path
    .slice(path.lastIndexOf('/') + 1)
    .replace(MODULE, '')
    .replaceAll('-', '_');
}

function readList(tree: FileTree, path: Latin1): string[] | null {
  const found = tree.resolve(path);
  if (found?.node.inode.meta.type !== 'file') return null;
  return readStart(found.node.inode, MAX_LIST_BYTES).toString('latin1').split('\n');
}
