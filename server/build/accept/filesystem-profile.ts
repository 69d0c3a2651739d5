import type { Ext4Profile } from '../../filesystems/ext4/plan.ts';
import type { FileTree } from '../../filesystems/file-tree.ts';
import { readStart } from '../tree/tree-file.ts';
import { compareVersions } from './kernel.ts';

/** `metadata_csum` was called ready then; later kernels and fscks take both it and `64bit`. */
const MODERN_KERNEL = '3.18';
const MODERN_E2FSCK = '1.43';

/** e2fsck has some hundred KiB; it is read whole. */
const MAX_PROGRAM_BYTES = 8 * 1024 * 1024;

/**
 * What the image's own kernel mounts and its own e2fsck checks. An e2fsck that does not tell its version counts as an old one.
 * XFS needs no such choice: one set of features is for all kernels.
 */
export function ext4ProfileFor(tree: FileTree, kernelRelease: string): Ext4Profile {
  const e2fsck = e2fsckVersion(tree);
  const modern =
    compareVersions(kernelRelease, MODERN_KERNEL) >= 0 &&
    e2fsck !== null &&
    compareVersions(e2fsck, MODERN_E2FSCK) >= 0;
  return modern ? 'modern' : 'classic';
}

/** The version that e2fsck would print ("1.42.9"), which lies in the program as a string of its own. Null when there is none. */
export function e2fsckVersion(tree: FileTree): string | null {
  const found = ['sbin/e2fsck', 'usr/sbin/e2fsck', 'bin/e2fsck', 'usr/bin/e2fsck']
    .map((path) => tree.resolve(path)?.node.inode)
    .find((inode) => inode?.meta.type === 'file');
  if (!found) return null;
  const program = readStart(found, MAX_PROGRAM_BYTES).toString('latin1');
  return /\0(1\.\d{2}(?:\.\d+)?)(?:-[A-Za-z0-9.-]+)?\0/.exec(program)?.[1] ?? null;
}
