import type { FileTree } from '../../filesystems/file-tree.ts';

/** Names in the tree that are no folders. */
export function countFiles(tree: FileTree): number {
  let files = 0;
  const open = [tree.root];
  for (let node = open.pop(); node; node = open.pop())
    for (const child of node.children?.values() ?? [])
      if (child.children) open.push(child);
      else files += 1;
  return files;
}
