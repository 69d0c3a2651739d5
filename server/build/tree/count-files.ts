import type { FileTree, TreeNode } from '../../filesystems/file-tree.ts';

/** Names in the tree that are no folders. */
export function countFiles(tree: FileTree): number {
  let files = 0;
  for (const { children } of walk(tree)) if (!children) files += 1;
  return files;
}

/** The same, of each layer those that it brought. */
export function filesByLayer(tree: FileTree, layers: number): number[] {
  const files = Array.from({ length: layers }, () => 0);
  for (const { layer, children } of walk(tree)) if (!children) files[layer] = (files[layer] ?? 0) + 1;
  return files;
}

function* walk(tree: FileTree): Generator<TreeNode> {
  const open = [tree.root];
  for (let node = open.pop(); node; node = open.pop())
    for (const child of node.children?.values() ?? []) {
      if (child.children) open.push(child);
      yield child;
    }
}
