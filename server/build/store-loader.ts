import { hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { cpioArchive } from '../core/cpio.ts';
import type { FileTree } from '../filesystems/file-tree.ts';
import { readWhole } from './tree/copy-file.ts';

/** Where an installer image has the boot loader's files. */
const FOLDER = 'loader';
/** The boot loader of a disk is a few hundred KiB; more is a mistake in the Dockerfile. */
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Keeps the files of /loader as one archive in the order of their names, synced.
 * @returns its length and sha256; null when the image has no such files
 */
export async function storeLoader(
  tree: FileTree,
  target: string,
): Promise<{ bytes: number; sha256: string } | null> {
  const nodes = [...(tree.find(FOLDER)?.children?.values() ?? [])];
  const files = nodes
    .filter(({ inode }) => inode.meta.type === 'file' && inode.meta.size <= MAX_BYTES)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (files.length === 0) return null;
  const entries = await Promise.all(
    files.map(async ({ name, inode }) => ({ path: name, mode: 0o644, content: await readWhole(inode) })),
  );
  const archive = cpioArchive(entries, (text) => Buffer.from(text, 'latin1'));
  const file = await open(target, 'wx', 0o644);
  try {
    await file.writeFile(archive);
    await file.sync();
  } finally {
    await file.close();
  }
  return { bytes: archive.length, sha256: hash('sha256', archive) };
}
