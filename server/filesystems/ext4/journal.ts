import type { NodeMetadata } from '../node.ts';
import { encodeExtents } from './extents.ts';
import { BLOCK, JOURNAL_INODE, MADE_AT, viewOf } from './format.ts';
import { EXTENTS_FLAG, type InodePlace } from './inode-bytes.ts';
import type { Run } from './runs.ts';

/**
 * The first block of an empty journal; the others are zeros. Numbers are big-endian here.
 * Source: Documentation/filesystems/ext4/journal.rst
 */
export function encodeJournalSuperblock({ count }: Run): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const view = viewOf(block);
  view.setUint32(0, 0xc03b3998);
  view.setUint32(4, 4);
  view.setUint32(12, BLOCK);
  view.setUint32(16, count);
  // The log begins at its block 1 with transaction 1; it is empty, since no start is named.
  view.setUint32(20, 1);
  view.setUint32(24, 1);
  // One filesystem uses it.
  view.setUint32(64, 1);
  return block;
}

/** The journal is no longer than one extent. */
export function journalInode({ block, count }: Run): InodePlace {
  return {
    number: JOURNAL_INODE,
    links: 1,
    size: count * BLOCK,
    blocks: count,
    flags: EXTENTS_FLAG,
    root: encodeExtents([{ logical: 0, block, count }], () => 0).root,
    xattrBlock: 0,
    xattrs: null,
  };
}

export const JOURNAL_META: NodeMetadata = {
  type: 'file',
  mode: 0o600,
  uid: 0,
  gid: 0,
  mtime: MADE_AT,
  mtimeNanos: 0,
  size: 0,
  link: '',
  major: 0,
  minor: 0,
  xattrs: new Map(),
};
