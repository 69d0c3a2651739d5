import {
  type Block,
  type GroupTree,
  groupTree,
  groupTreeCapacity,
  groupTreeLevels,
  levelsOf,
  sum,
} from './btree.ts';
import type { Volume } from './encode.ts';
import {
  CHUNK_INODES,
  type Geometry,
  ROOT_OF_FREE_BY_BLOCK,
  ROOT_OF_FREE_BY_SIZE,
  ROOT_OF_INODES,
  SPARE_BLOCKS,
} from './geometry.ts';
import { type FreeRun, spareAt, treeRoomAt } from './space.ts';

/** A chunk of inodes: number of the first within the group, and how many are used. */
export interface Chunk {
  readonly agIno: number;
  readonly used: number;
}

/** What an allocation group counts and where its trees lie. */
export interface Group {
  readonly ag: number;
  readonly chunks: readonly Chunk[];
  readonly free: readonly FreeRun[];
  readonly trees: readonly PlacedTree[];
  /** Blocks within the group that lie ready for the trees to grow. */
  readonly spare: readonly number[];
}

interface PlacedTree {
  readonly tree: GroupTree;
  readonly levels: readonly number[];
  /** Within the group: leaves first, the root last. */
  readonly blocks: readonly number[];
}

const FREE = { recordBytes: 8, keyBytes: 8 };
const INODES = { recordBytes: 16, keyBytes: 4 };

/** Blocks that the trees of a group need besides their roots, when it has as many runs and chunks. */
export function treeRoomFor(freeRuns: number, chunks: number): number {
  const besides = (records: number, { recordBytes, keyBytes }: typeof FREE) =>
    sum(levelsOf(records, ...groupTreeCapacity(recordBytes, keyBytes)));
  const spareGrowth = 8;
  return 2 * besides(freeRuns, FREE) + besides(chunks, INODES) + spareGrowth;
}

/** Puts the trees into the room kept for them; null when it is too small. `free` counts that room as free. */
export function planGroup(
  geometry: Geometry,
  ag: number,
  free: readonly FreeRun[],
  chunks: readonly Chunk[],
  treeRoom: number,
): Group | null {
  // What the trees take comes from the front of one run; neither the number of runs nor the shape of the trees changes.
  const roomAt = treeRoomAt(geometry, ag);
  const shapes = [freeTree('AB3B', free), freeTree('AB3C', free), inodeTree(chunks)].map(groupTreeLevels);
  const spareBlocks = sum(shapes.slice(0, 2).map((levels) => levels.length + 1));
  let next = roomAt;
  const blocks = [ROOT_OF_FREE_BY_BLOCK, ROOT_OF_FREE_BY_SIZE, ROOT_OF_INODES].map((root, i) => {
    const own = Array.from({ length: sum(shapes[i] ?? []) - 1 }, () => next++);
    return [...own, root];
  });
  const spare = Array.from({ length: spareBlocks }, (_, i) =>
    i < SPARE_BLOCKS ? spareAt(geometry, ag) + i : next++,
  );
  const used = next - roomAt;
  if (used >= treeRoom) return null;
  const left = free.map((run) => (run.at === roomAt ? { at: next, blocks: run.blocks - used } : run));
  const bySize = [...left].sort((a, b) => a.blocks - b.blocks || a.at - b.at);
  const trees = [freeTree('AB3B', left), freeTree('AB3C', bySize), inodeTree(chunks)].map((tree, i) => ({
    tree,
    levels: shapes[i] ?? [],
    blocks: blocks[i] ?? [],
  }));
  return { ag, chunks, free: left, trees, spare };
}

function freeTree(magic: string, runs: readonly FreeRun[]): GroupTree {
  const records = Buffer.alloc(runs.length * FREE.recordBytes);
  runs.forEach(({ at, blocks }, i) => {
    records.writeUInt32BE(at, i * 8);
    records.writeUInt32BE(blocks, i * 8 + 4);
  });
  return { magic, ...FREE, records };
}

function inodeTree(chunks: readonly Chunk[]): GroupTree {
  const records = Buffer.alloc(chunks.length * INODES.recordBytes);
  chunks.forEach(({ agIno, used }, i) => {
    records.writeUInt32BE(agIno, i * 16);
    records.writeUInt32BE(CHUNK_INODES - used, i * 16 + 4);
    // One bit for each free inode, the first inode's the lowest.
    records.writeBigUInt64BE(BigInt.asUintN(64, -1n << BigInt(used)), i * 16 + 8);
  });
  return { magic: 'IAB3', ...INODES, records };
}

/** Blocks of the free-space trees besides their roots: free in the sense of the superblock's count. */
export function freeTreeBlocks({ trees }: Group): number {
  return sum(trees.slice(0, 2).map(({ blocks }) => blocks.length - 1));
}

/** As the superblock counts: spare blocks and the free-space trees' own count as free. */
export function freeBlocks(group: Group): number {
  return sum(group.free.map(({ blocks }) => blocks)) + group.spare.length + freeTreeBlocks(group);
}

export function freeInodes({ chunks }: Group): number {
  return sum(chunks.map(({ used }) => CHUNK_INODES - used));
}

export function groupTreeBlocks(volume: Volume, { ag, trees }: Group): Block[] {
  return trees.flatMap(({ tree, blocks }) => groupTree(volume, ag, tree, blocks));
}
