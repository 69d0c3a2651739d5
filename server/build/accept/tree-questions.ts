import type { FileTree } from '../../filesystems/file-tree.ts';
import type { Latin1 } from '../../filesystems/node.ts';

/** What the checks ask of an image's files. Symlinks are followed as the booted system would. */

const BIN_FOLDERS = ['usr/bin', 'bin', 'usr/sbin', 'sbin', 'usr/local/bin', 'usr/local/sbin'];

/** Where systemd looks for units: the first folder that has one decides. Source: systemd.unit(5). */
export const UNIT_FOLDERS = [
  'etc/systemd/system',
  'usr/local/lib/systemd/system',
  'usr/lib/systemd/system',
  'lib/systemd/system',
];

export function isFile(tree: FileTree, path: Latin1): boolean {
  return tree.resolve(path)?.node.inode.meta.type === 'file';
}

/** A file that root may execute. */
export function isExecutable(tree: FileTree, path: Latin1): boolean {
  const meta = tree.resolve(path)?.node.inode.meta;
  return meta?.type === 'file' && (meta.mode & 0o111) !== 0;
}

/** True for a symlink too, wherever it leads; links in the folders on the way are followed. */
export function exists(tree: FileTree, path: Latin1): boolean {
  return linkOrNode(tree, path) !== undefined;
}

export function hasProgram(tree: FileTree, name: Latin1): boolean {
  return BIN_FOLDERS.some((folder) => isFile(tree, `${folder}/${name}`));
}

/** The unit is there and not masked, which is a link to /dev/null or an empty file before all others. */
export function hasUnit(tree: FileTree, unit: Latin1): boolean {
  const place = UNIT_FOLDERS.map((folder) => `${folder}/${unit}`).find((path) => exists(tree, path));
  return place !== undefined && !isMask(tree, place) && isFile(tree, place);
}

/** Some folder says that this unit must not be started. */
export function isMasked(tree: FileTree, unit: Latin1): boolean {
  const place = UNIT_FOLDERS.map((folder) => `${folder}/${unit}`).find((path) => exists(tree, path));
  return place !== undefined && isMask(tree, place);
}

/** The unit exists and some target wants or requires it. */
export function isEnabled(tree: FileTree, unit: Latin1): boolean {
  if (!hasUnit(tree, unit)) return false;
  return UNIT_FOLDERS.some((folder) =>
    [...(tree.resolve(folder)?.node.children?.keys() ?? [])].some(
      (name) => /\.(wants|requires)$/.test(name) && exists(tree, `${folder}/${name}/${unit}`),
    ),
  );
}

function isMask(tree: FileTree, path: Latin1): boolean {
  const node = linkOrNode(tree, path);
  if (node?.inode.meta.type === 'symlink') return node.inode.meta.link === '/dev/null';
  return node?.inode.meta.type === 'file' && node.inode.meta.size === 0;
}

function linkOrNode(tree: FileTree, path: Latin1) {
  const folder = tree.resolve(path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  return folder?.node.children?.get(path.slice(path.lastIndexOf('/') + 1));
}
