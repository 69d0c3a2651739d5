import type { Piece } from '../piece.ts';
import { BLOCK, BLOCKS_PER_GROUP, INODE_BYTES, INODES_PER_BLOCK, JOURNAL_INODE } from './format.ts';
import { hasSuperblock } from './geometry.ts';
import {
  countUse,
  encodeBlockBitmap,
  encodeDescriptors,
  encodeInodeBitmap,
  firstInodeFrom,
  isBlockUninit,
} from './groups.ts';
import { encodeInode } from './inode-bytes.ts';
import { encodeJournalSuperblock, JOURNAL_META, journalInode } from './journal.ts';
import type { Layout } from './layout.ts';
import { inodePlace } from './node-place.ts';
import type { Ext4Profile } from './plan.ts';
import { encodeSuperblock, SUPERBLOCK_BYTES } from './superblock.ts';

/** A piece of an inode table is at most so long. */
const TABLE_PIECE_BLOCKS = 64;

export interface Ext4Identity {
  readonly uuid: Uint8Array;
  readonly profile: Ext4Profile;
  /** Checksum seed of the filesystem; null without `metadata_csum`. */
  readonly seed: number | null;
}

/** Superblocks, descriptors, bitmaps, inode tables and the journal's first block, in rising order. */
export function fixedPieces(layout: Layout, { uuid, profile, seed }: Ext4Identity): Piece[] {
  const { geometry } = layout;
  const { groups, journal } = geometry;
  const use = countUse(layout);
  const facts = { geometry, use, uuid, profile, journalRoot: journalInode(journal).root };
  const pieces: Piece[] = [];
  const add = (block: number, count: number, make: () => Uint8Array): void => {
    pieces.push({ offset: block * BLOCK, bytes: count * BLOCK, from: { kind: 'made', make } });
  };

  // One copy for all: it takes the checksums of all bitmaps to make it.
  let descriptors: Uint8Array | undefined;
  for (let group = 0; group < groups; group += 1) {
    if (hasSuperblock(group))
      add(group * BLOCKS_PER_GROUP, 1 + geometry.descriptorBlocks, () => {
        descriptors ??= encodeDescriptors(layout, use, uuid, seed);
        const bytes = new Uint8Array(BLOCK + descriptors.length);
        bytes.set(encodeSuperblock(facts, group), group === 0 ? SUPERBLOCK_BYTES : 0);
        bytes.set(descriptors, BLOCK);
        return bytes;
      });
    if (!isBlockUninit(geometry, use, group))
      add(geometry.blockBitmap[group] as number, 1, () => encodeBlockBitmap(layout, group));
    if (use.usedInodes[group] === 0) continue;
    add(geometry.inodeBitmap[group] as number, 1, () => encodeInodeBitmap(layout, group));
    for (const { block, count } of tableRuns(layout, group))
      add((geometry.inodeTable[group] as number) + block, count, () =>
        encodeTable(layout, group, block, count, seed),
      );
  }
  add(journal.block, 1, () => encodeJournalSuperblock(journal));
  return pieces.sort((a, b) => a.offset - b.offset);
}

/** The blocks of a group's inode table with something in them. */
function tableRuns(
  { inodes, geometry }: Layout,
  group: number,
): { readonly block: number; readonly count: number }[] {
  const first = group * geometry.inodesPerGroup + 1;
  const runs: { block: number; count: number }[] = [];
  const use = (block: number): void => {
    const last = runs[runs.length - 1];
    if (!last || block > last.block + last.count || last.count === TABLE_PIECE_BLOCKS)
      runs.push({ block, count: 1 });
    else if (block === last.block + last.count) last.count += 1;
  };
  // The journal's inode stands before those of the tree.
  if (group === 0) use(0);
  for (let i = firstInodeFrom(inodes, first); i < inodes.length; i += 1) {
    const place = (inodes[i] as number) - first;
    if (place >= geometry.inodesPerGroup) break;
    const block = Math.floor(place / INODES_PER_BLOCK);
    const last = runs[runs.length - 1];
    if (!last || block >= last.block + last.count) use(block);
  }
  return runs;
}

function encodeTable(
  layout: Layout,
  group: number,
  block: number,
  count: number,
  seed: number | null,
): Uint8Array {
  const { inodes, geometry, inventory } = layout;
  const bytes = new Uint8Array(count * BLOCK);
  const first = group * geometry.inodesPerGroup + block * INODES_PER_BLOCK + 1;
  const room = (number: number): Uint8Array =>
    bytes.subarray((number - first) * INODE_BYTES, (number - first + 1) * INODE_BYTES);
  if (first === 1) encodeInode(room(JOURNAL_INODE), JOURNAL_META, journalInode(geometry.journal), seed);
  for (let i = firstInodeFrom(inodes, first); i < inodes.length; i += 1) {
    const number = inodes[i] as number;
    if (number >= first + count * INODES_PER_BLOCK) break;
    const meta = inventory.nodes[i]?.inode.meta;
    if (meta) encodeInode(room(number), meta, inodePlace(layout, i), seed);
  }
  return bytes;
}
