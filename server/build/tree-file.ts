import { closeSync, openSync, readSync } from 'node:fs';
import type { FileTree, Inode } from './file-tree.ts';
import type { Latin1 } from './tar-format.ts';

/** The first bytes of a file's content; shorter when the file is. */
export function readStart(inode: Inode, maxBytes: number): Buffer {
  if (!inode.content) return Buffer.alloc(0);
  const data = Buffer.alloc(Math.min(maxBytes, inode.entry.size));
  const file = openSync(inode.content.file, 'r');
  try {
    const read = readSync(file, data, 0, data.length, inode.content.offset);
    return data.subarray(0, read);
  } finally {
    closeSync(file);
  }
}

/** A small text file, symlinks followed. Null when there is no such file. */
export function readText(tree: FileTree, path: Latin1): string | null {
  const found = tree.resolve(path);
  if (found?.node.inode.entry.type !== 'file') return null;
  return readStart(found.node.inode, 64 * 1024).toString('utf8');
}
