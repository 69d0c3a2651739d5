import { crc32c } from '../crc32c.ts';
import type { Latin1 } from '../node.ts';
import { DIRECTORY_TAIL, type DirectoryLayout, entryBytes, indexLimits } from './directory-layout.ts';
import { BLOCK, viewOf } from './format.ts';

export interface DirectoryContent {
  readonly inode: number;
  readonly parentInode: number;
  readonly names: readonly Latin1[];
  /** By name: inode number, and the type as a directory entry states it. */
  inodeOf(index: number): number;
  typeOf(index: number): number;
}

/** Half MD4; that names are unsigned stands in the superblock. */
const HASH_VERSION = 1;
const DIRECTORY_TYPE = 2;
const TAIL_TYPE = 0xde;

/**
 * One block of a directory. Blocks behind the layout's last are empty.
 * @param seed checksum seed of the inode; null without `metadata_csum`. Source: Documentation/filesystems/ext4/directory.rst
 */
export function encodeDirectoryBlock(
  content: DirectoryContent,
  layout: DirectoryLayout,
  index: number,
  seed: number | null,
): Uint8Array {
  const block = new Uint8Array(BLOCK);
  if (layout.kind === 'linear') {
    const dots = index === 0 ? dotEntries(content) : [];
    writeEntries(block, index === 0 ? [...dots, ...entries(content, content.names.keys())] : [], seed);
  } else if (index === 0) writeIndexRoot(block, content, layout, seed);
  else if (index <= layout.nodes) writeIndexNode(block, layout, index - 1, seed);
  else {
    const leaf = index - 1 - layout.nodes;
    const from = layout.leafStarts[leaf] ?? layout.order.length;
    const to = layout.leafStarts[leaf + 1] ?? layout.order.length;
    writeEntries(block, entries(content, layout.order.subarray(from, to)), seed);
  }
  return block;
}

interface Entry {
  readonly inode: number;
  readonly type: number;
  readonly name: Latin1;
}

function* entries(content: DirectoryContent, indexes: Iterable<number>): Generator<Entry> {
  for (const i of indexes)
    yield { inode: content.inodeOf(i), type: content.typeOf(i), name: content.names[i] as Latin1 };
}

function dotEntries({ inode, parentInode }: DirectoryContent): Entry[] {
  return [
    { inode, type: DIRECTORY_TYPE, name: '.' },
    { inode: parentInode, type: DIRECTORY_TYPE, name: '..' },
  ];
}

/** Entries one behind the other; the last takes what is left. Without any, one that is unused. */
function writeEntries(block: Uint8Array, list: Iterable<Entry>, seed: number | null): void {
  const view = viewOf(block);
  const end = BLOCK - (seed === null ? 0 : DIRECTORY_TAIL);
  let last = 0;
  let at = 0;
  for (const entry of list) {
    writeEntry(block, at, entry, entryBytes(entry.name));
    last = at;
    at += entryBytes(entry.name);
  }
  view.setUint16(last + 4, end - last, true);
  if (seed === null) return;
  view.setUint16(end + 4, DIRECTORY_TAIL, true);
  view.setUint8(end + 7, TAIL_TYPE);
  view.setUint32(end + 8, crc32c(block.subarray(0, end), seed), true);
}

function writeEntry(block: Uint8Array, at: number, { inode, type, name }: Entry, bytes: number): void {
  const view = viewOf(block);
  view.setUint32(at, inode, true);
  view.setUint16(at + 4, bytes, true);
  view.setUint8(at + 6, name.length);
  view.setUint8(at + 7, type);
  for (let i = 0; i < name.length; i += 1) block[at + 8 + i] = name.charCodeAt(i);
}

type Indexed = Extract<DirectoryLayout, { kind: 'indexed' }>;

function writeIndexRoot(
  block: Uint8Array,
  content: DirectoryContent,
  layout: Indexed,
  seed: number | null,
): void {
  const view = viewOf(block);
  const [self, parent] = dotEntries(content) as [Entry, Entry];
  writeEntry(block, 0, self, 12);
  writeEntry(block, 12, parent, BLOCK - 12);
  view.setUint8(28, HASH_VERSION);
  view.setUint8(29, 8);
  view.setUint8(30, layout.nodes === 0 ? 0 : 1);
  const limits = indexLimits(seed !== null);
  const children =
    layout.nodes === 0
      ? layout.leafHashes.map((hash, i) => ({ hash, block: 1 + i }))
      : Array.from({ length: layout.nodes }, (_, i) => ({
          hash: layout.leafHashes[i * limits.node] as number,
          block: 1 + i,
        }));
  writeIndex(block, 32, limits.root, children, seed);
}

function writeIndexNode(block: Uint8Array, layout: Indexed, node: number, seed: number | null): void {
  viewOf(block).setUint16(4, BLOCK, true);
  const { node: limit } = indexLimits(seed !== null);
  const children = layout.leafHashes
    .slice(node * limit, (node + 1) * limit)
    .map((hash, i) => ({ hash, block: 1 + layout.nodes + node * limit + i }));
  writeIndex(block, 8, limit, children, seed);
}

/** Limit and count stand where the first child's hash would: it is the lowest anyway. */
function writeIndex(
  block: Uint8Array,
  at: number,
  limit: number,
  children: readonly { readonly hash: number; readonly block: number }[],
  seed: number | null,
): void {
  const view = viewOf(block);
  for (const [i, child] of children.entries()) {
    view.setUint32(at + i * 8, child.hash, true);
    view.setUint32(at + i * 8 + 4, child.block, true);
  }
  view.setUint16(at, limit, true);
  view.setUint16(at + 2, children.length, true);
  if (seed === null) return;
  // The checksum covers what is used, and the tail with its own field as zero.
  const used = crc32c(block.subarray(0, at + children.length * 8), seed);
  view.setUint32(at + limit * 8 + 4, crc32c(new Uint8Array(8), used), true);
}
