import type { ContentRun } from '../node.ts';
import { type Collected, NO_EXTENTS, type PlannedInode } from './collect.ts';
import { directoryRuns } from './directory.ts';
import { type DirectoryShape, directoryBlocks } from './directory-shape.ts';
import { addExtent, extentCount, extentTreeBlocks } from './extents.ts';
import { BLOCK, CHUNK_ALIGNMENT, CHUNK_BLOCKS, CHUNK_INODES, firstInode, type Geometry } from './geometry.ts';
import { makeSpace, type Space } from './space.ts';

/** How much room a segment leaves behind itself, so that it can grow without moving the next one. */
export interface Slack {
  /** Part of what the segment has. */
  readonly share: number;
  /** Blocks at whose multiples inodes and data begin. */
  readonly unit: number;
  /** No segments any more: one row of inodes, then all blocks. */
  readonly isJoined: boolean;
}

/** Tried in this order; the first that fits is taken. */
export const SLACKS: readonly Slack[] = [
  { share: 1 / 8, unit: 16, isJoined: false },
  { share: 1 / 16, unit: 8, isJoined: false },
  { share: 1 / 32, unit: 4, isJoined: false },
  { share: 0, unit: 1, isJoined: false },
  { share: 0, unit: 1, isJoined: true },
];
/** A segment with one very large file does not need an eighth of that. */
const MAX_SLACK_BLOCKS = (8 * 1024 ** 2) / BLOCK;

/** A run of blocks that something lies in. `at` is linear. */
export type Placed = { readonly at: number; readonly blocks: number } & (
  | {
      readonly kind: 'chunk';
      readonly ino: number;
      readonly inodes: readonly PlannedInode[];
      readonly from: number;
    }
  /** `skip`: bytes of the run that lie in an earlier piece. */
  | { readonly kind: 'content'; readonly run: ContentRun; readonly skip: number }
  | { readonly kind: 'directory' | 'symlink' | 'attributes' | 'tree'; readonly owner: PlannedInode }
);

export interface Layout {
  /** In rising order. */
  readonly placed: readonly Placed[];
  readonly space: Space;
}

/** Gives every inode its number and its blocks; null when they do not fit. */
export function layOut(
  geometry: Geometry,
  { root, segments }: Collected,
  { share, unit, isJoined }: Slack,
  treeRoom: number,
): Layout | null {
  const space = makeSpace(geometry, treeRoom);
  const placed: Placed[] = [];
  const placer = { geometry, space, placed };
  for (const [i, segment] of (isJoined ? [segments.flat()] : segments).entries()) {
    space.align(unit);
    if (!placeChunks(placer, segment)) return null;
    const chunks = Math.ceil(segment.length / CHUNK_INODES);
    space.skip((Math.ceil((segment.length * (1 + share)) / CHUNK_INODES) - chunks) * CHUNK_BLOCKS);
    space.align(unit);
    const before = placed.length;
    const all = i === 0 ? [root, ...segment] : segment;
    for (const each of all) if (!each.children && !placeBlocks(placer, each)) return null;
    // Directories last: they change with every file, and what lies behind them would move when they grow.
    for (const each of all) if (each.children && !placeBlocks(placer, each)) return null;
    let blocks = 0;
    for (let j = before; j < placed.length; j += 1) blocks += placed[j]?.blocks ?? 0;
    space.skip(Math.min(Math.ceil(blocks * share), MAX_SLACK_BLOCKS));
  }
  return { placed, space };
}

interface Placer {
  readonly geometry: Geometry;
  readonly space: Space;
  readonly placed: Placed[];
}

function placeChunks({ geometry, space, placed }: Placer, inodes: readonly PlannedInode[]): boolean {
  for (let from = 0; from < inodes.length; from += CHUNK_INODES) {
    const at = space.take(CHUNK_BLOCKS, CHUNK_ALIGNMENT);
    if (at === null) return false;
    const ino = firstInode(geometry, at);
    const end = Math.min(from + CHUNK_INODES, inodes.length);
    for (let i = from; i < end; i += 1) (inodes[i] as PlannedInode).ino = ino + i - from;
    placed.push({ kind: 'chunk', at, blocks: CHUNK_BLOCKS, ino, inodes, from });
  }
  return true;
}

/** Content, or the blocks of a directory or a symlink; then attributes; then the tree of extents. */
function placeBlocks(placer: Placer, owner: PlannedInode): boolean {
  const { forks } = owner;
  const { content, meta } = owner.inode;
  const extents: number[] | null = forks.isInline
    ? []
    : forks.directory
      ? placeDirectory(placer, owner, forks.directory)
      : meta.type === 'symlink'
        ? placeLink(placer, owner)
        : placeContent(placer, content);
  if (!extents) return false;
  // A copy has no room to grow, which most of these short lists would never use.
  owner.extents = extents.length > 0 ? extents.slice() : NO_EXTENTS;
  if (forks.attributeBlocks > 0) {
    const at = placeOwned(placer, 'attributes', owner, forks.attributeBlocks);
    if (at === null) return false;
    owner.attributesStart = at;
  }
  const treeBlocks = extentTreeBlocks(extentCount(extents), forks.dataBytes);
  if (treeBlocks > 0) {
    const at = placeOwned(placer, 'tree', owner, treeBlocks);
    if (at === null) return false;
    owner.treeStart = at;
  }
  return true;
}

/** Blocks that follow each other. */
function placeOwned(
  { space, placed }: Placer,
  kind: 'directory' | 'symlink' | 'attributes' | 'tree',
  owner: PlannedInode,
  blocks: number,
): number | null {
  const at = space.take(blocks, 1);
  if (at !== null) placed.push({ kind, owner, at, blocks });
  return at;
}

function placeDirectory(placer: Placer, owner: PlannedInode, shape: DirectoryShape): number[] | null {
  let at = placeOwned(placer, 'directory', owner, directoryBlocks(shape));
  if (at === null) return null;
  const extents: number[] = [];
  for (const { fileBlock, blocks } of directoryRuns(shape)) {
    addExtent(extents, fileBlock, at, blocks);
    at += blocks;
  }
  return extents;
}

function placeLink(placer: Placer, owner: PlannedInode): number[] | null {
  const at = placeOwned(placer, 'symlink', owner, 1);
  return at === null ? null : [0, at, 1];
}

function placeContent({ space, placed }: Placer, content: readonly ContentRun[]): number[] | null {
  const extents: number[] = [];
  for (const run of content) {
    const wanted = Math.ceil(run.bytes / BLOCK);
    for (let done = 0; done < wanted; ) {
      const some = space.takeSome(wanted - done);
      if (!some) return null;
      placed.push({ kind: 'content', at: some.at, blocks: some.blocks, run, skip: done * BLOCK });
      addExtent(extents, run.at / BLOCK + done, some.at, some.blocks);
      done += some.blocks;
    }
  }
  return extents;
}
