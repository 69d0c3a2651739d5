import type { FileTree } from '../../filesystems/file-tree.ts';
import type { Inode, Latin1 } from '../../filesystems/node.ts';
import { readStart } from '../tree/tree-file.ts';

/** A kernel and the initrd that belongs to it, found in an image. */
export interface KernelPair {
  /** What `uname -r` will say. */
  readonly release: string;
  readonly kernel: { readonly path: Latin1; readonly inode: Inode };
  readonly initrd: { readonly path: Latin1; readonly inode: Inode } | null;
}

/**
 * The kernel that the image boots: of several in /boot the newest that has an initrd; else the newest; else /vmlinuz
 * or /boot/vmlinuz without a version in its name. Null when there is none.
 */
export function findKernel(tree: FileTree): KernelPair | null {
  const boot = tree.resolve('boot')?.node.children;
  const versioned = [...(boot?.keys() ?? [])]
    .map((name) => /^vmlinuz-(.+)$/.exec(name)?.[1])
    .filter((version) => version !== undefined)
    .sort((a, b) => compareVersions(b, a))
    .map((version) =>
      pair(tree, `boot/vmlinuz-${version}`, version, [
        `boot/initrd.img-${version}`,
        `boot/initramfs-${version}.img`,
        `boot/initrd-${version}`,
      ]),
    )
    .filter((found) => found !== null);
  const plainInitrds = ['boot/initrd.img', 'boot/initramfs.img', 'initrd.img'];
  const plain = ['boot/vmlinuz', 'vmlinuz'].map((path) => pair(tree, path, null, plainInitrds));
  const all = [...versioned, ...plain.filter((found) => found !== null)];
  return all.find((found) => found.initrd) ?? all[0] ?? null;
}

/**
 * The release from an x86 bzImage: a string whose place the set-up header names. Null for other formats.
 * Source: the kernel's Documentation/arch/x86/boot.rst, fields `header` (0x202) and `kernel_version` (0x20e).
 */
export function bzImageRelease(start: Buffer): string | null {
  if (start.length < 0x210 || start.toString('latin1', 0x202, 0x206) !== 'HdrS') return null;
  const at = start.readUInt16LE(0x20e) + 0x200;
  const end = start.indexOf(0, at);
  if (at === 0x200 || end <= at) return null;
  return /^[^\s]+/.exec(start.toString('latin1', at, end))?.[0] ?? null;
}

/** As `sort -V` orders kernel versions: runs of digits by value, the rest by bytes. */
export function compareVersions(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const x = left[i] ?? '';
    const y = right[i] ?? '';
    if (x === y) continue;
    if (/^\d/.test(x) && /^\d/.test(y) && Number(x) !== Number(y)) return Number(x) - Number(y);
    return x < y ? -1 : 1;
  }
  return 0;
}

function pair(tree: FileTree, path: Latin1, version: string | null, initrds: Latin1[]): KernelPair | null {
  const kernel = fileAt(tree, path);
  if (!kernel) return null;
  // The set-up header lies in the first sectors; the version string within the first 64 KiB.
  const release =
    bzImageRelease(readStart(kernel.inode, 64 * 1024)) ?? version ?? /vmlinuz-(.+)$/.exec(kernel.path)?.[1];
  const initrd = initrds.map((candidate) => fileAt(tree, candidate)).find((found) => found !== null) ?? null;
  return { release: release ?? '', kernel, initrd };
}

function fileAt(tree: FileTree, path: Latin1): { path: Latin1; inode: Inode } | null {
  const found = tree.resolve(path);
  if (found?.node.inode.meta.type !== 'file' || found.node.inode.meta.size === 0) return null;
  return { path: found.path, inode: found.node.inode };
}
