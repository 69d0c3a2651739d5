import { closeSync, openSync, readSync } from 'node:fs';
import type { FileTree } from '../../filesystems/file-tree.ts';
import type { Inode, Latin1 } from '../../filesystems/node.ts';

/** The first bytes of a file's content, holes as zeros; shorter when the file is. */
export function readStart(inode: Inode, maxBytes: number): Buffer {
  const data = Buffer.alloc(Math.min(maxBytes, inode.meta.size));
  for (const run of inode.content) {
    if (run.at >= data.length) break;
    const file = openSync(run.file, 'r');
    try {
      readSync(file, data, run.at, Math.min(run.bytes, data.length - run.at), run.offset);
    } finally {
      closeSync(file);
    }
  }
  return data;
}

/** A small text file, symlinks followed. Null when there is no such file. */
export function readText(tree: FileTree, path: Latin1): string | null {
  const found = tree.resolve(path);
  if (found?.node.inode.meta.type !== 'file') return null;
  return readStart(found.node.inode, 64 * 1024).toString('utf8');
}
