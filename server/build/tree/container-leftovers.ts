import { defaultDirectory, emptyFile, type FileTree } from '../../filesystems/file-tree.ts';
import type { Latin1 } from '../../filesystems/node.ts';
import { readText } from './tree-file.ts';

/** Directories that a running system mounts something on; what lies below them would never be seen again. */
const MOUNT_POINTS: readonly { readonly path: Latin1; readonly mode: number }[] = [
  { path: 'dev', mode: 0o755 },
  { path: 'proc', mode: 0o555 },
  { path: 'run', mode: 0o755 },
  { path: 'sys', mode: 0o555 },
  { path: 'tmp', mode: 0o1777 },
];

/** Makes a container's tree into one that a machine can boot: takes out what Docker left, adds what must exist. */
export function removeContainerLeftovers(tree: FileTree): void {
  tree.remove('.dockerenv');
  for (const { path, mode } of MOUNT_POINTS) {
    const present = tree.find(path);
    if (present) present.children?.clear();
    else tree.put(path, 0, defaultDirectory(mode));
  }
  // The filesystem brings this one itself.
  if (tree.find('lost+found')?.children?.size === 0) tree.remove('lost+found');
  // Empty, not absent or "uninitialized": systemd would take every boot for the very first and reset its presets.
  const machineId = tree.find('etc/machine-id');
  const unset = !machineId || readText(tree, 'etc/machine-id')?.trim() === 'uninitialized';
  if (unset && tree.find('etc')?.children) tree.put('etc/machine-id', 0, emptyFile(0o444));
}
