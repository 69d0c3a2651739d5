import type { Piece, PieceSource } from '../piece.ts';
import { makeAttributes } from './attribute-blocks.ts';
import type { PlannedInode } from './collect.ts';
import { makeDirectory } from './directory.ts';
import type { Volume } from './encode.ts';
import { extentTree } from './extents.ts';
import { BLOCK, CHUNK_BLOCKS, ROOT_CHUNK_BLOCK } from './geometry.ts';
import { type Group, groupTreeBlocks } from './group.ts';
import { freeSpaceHeader, inodeHeader, spareList } from './group-headers.ts';
import { attributesIn, entriesOf, makeChunk, makeRootChunk } from './inodes.ts';
import type { Placed } from './layout.ts';
import { cleanLog } from './log.ts';
import { superblock, type Totals } from './superblock.ts';
import { symlinkBlock } from './symlink.ts';

/** A filesystem with every address decided. */
export interface Filesystem {
  readonly volume: Volume;
  readonly root: PlannedInode;
  readonly placed: readonly Placed[];
  readonly groups: readonly Group[];
  readonly totals: Totals;
}

/** From the front of the partition to its end. */
export function* piecesOf(filesystem: Filesystem): Generator<Piece> {
  const { agBlocks } = filesystem.volume.geometry;
  let next = 0;
  for (const group of filesystem.groups) {
    yield* headPieces(filesystem, group);
    const end = (group.ag + 1) * agBlocks;
    for (let each = filesystem.placed[next]; each && each.at < end; each = filesystem.placed[next]) {
      yield { offset: each.at * BLOCK, bytes: each.blocks * BLOCK, from: sourceOf(filesystem, each) };
      next += 1;
    }
  }
}

/** What a group has before its files: headers, roots, the journal's one record, the first inodes, blocks of its trees. */
function* headPieces({ volume, root, totals }: Filesystem, group: Group): Generator<Piece> {
  const { agBlocks, log } = volume.geometry;
  const first = group.ag * agBlocks;
  const made = (block: number, blocks: number, make: () => Buffer): Piece => ({
    offset: block * BLOCK,
    bytes: blocks * BLOCK,
    from: { kind: 'made', make },
  });
  const headers = [
    () => superblock(volume, totals, group.ag),
    () => freeSpaceHeader(volume, group),
    () => inodeHeader(volume, group),
    () => spareList(volume, group),
  ];
  for (const [i, make] of headers.entries()) yield made(first + i, 1, make);
  const pieces = groupTreeBlocks(volume, group).map(({ at, data }) => made(at, 1, () => data));
  if (group.ag === log.ag) pieces.push(made(first + log.agBlock, 1, () => cleanLog(volume)));
  if (group.ag === 0) pieces.push(made(ROOT_CHUNK_BLOCK, CHUNK_BLOCKS, () => makeRootChunk(volume, root)));
  yield* pieces.sort((a, b) => a.offset - b.offset);
}

function sourceOf(filesystem: Filesystem, placed: Placed): PieceSource {
  if (placed.kind !== 'content') return { kind: 'made', make: () => makePlaced(filesystem, placed) };
  const { run, skip, blocks } = placed;
  const bytes = Math.min(blocks * BLOCK, run.bytes - skip);
  return { kind: 'copied', file: run.file, offset: run.offset + skip, bytes };
}

function makePlaced({ volume }: Filesystem, placed: Exclude<Placed, { kind: 'content' }>): Buffer {
  switch (placed.kind) {
    case 'chunk':
      return makeChunk(volume, placed.ino, placed.inodes, placed.from);
    case 'directory':
      return makeDirectoryBlocks(volume, placed.owner, placed.at);
    case 'symlink':
      return symlinkBlock(volume, placed.owner.ino, placed.at, placed.owner.inode.meta.link);
    case 'attributes':
      return makeAttributes(volume, placed.owner.ino, placed.at, attributesIn(placed.owner));
    case 'tree': {
      const { ino, extents, forks } = placed.owner;
      return extentTree(volume, ino, extents, placed.at, forks.dataBytes).blocks;
    }
    default:
      return placed satisfies never;
  }
}

function makeDirectoryBlocks(volume: Volume, owner: PlannedInode, start: number): Buffer {
  const shape = owner.forks.directory;
  if (!shape) return Buffer.alloc(0);
  const place = { ino: owner.ino, parent: (owner.parent ?? owner).ino, start };
  return makeDirectory(volume, shape, place, entriesOf(owner));
}
