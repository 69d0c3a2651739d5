import type { FileTree } from '../file-tree.ts';
import type { Planned } from '../piece.ts';
import { type Collected, collect } from './collect.ts';
import { isWide } from './directory-entries.ts';
import { parseUuid } from './encode.ts';
import {
  BLOCK,
  CHUNK_BLOCKS,
  CHUNK_INODES,
  firstInode,
  type Geometry,
  geometryOf,
  MAX_BYTES,
  MIN_BYTES,
  ROOT_INO,
} from './geometry.ts';
import { type Chunk, freeBlocks, freeInodes, type Group, planGroup, treeRoomFor } from './group.ts';
import { ROOT_CHUNK_USED } from './inodes.ts';
import { type Layout, layOut, type Placed, SLACKS } from './layout.ts';
import { piecesOf } from './pieces.ts';
import type { Totals } from './superblock.ts';

export interface XfsOptions {
  /** Length of the partition: a multiple of 4096. */
  readonly bytes: number;
  readonly uuid: string;
}

/**
 * Lays a tree out as an XFS filesystem (version 5) that Linux 3.10 mounts, with sectors of 4096 bytes, so that it mounts on
 * 4Kn disks too. The same tree and options give the same bytes, whatever the machine. `features.ts` lists what is switched on.
 */
export function planXfs(tree: FileTree, { bytes, uuid }: XfsOptions): Planned {
  if (bytes < MIN_BYTES)
    return {
      ok: false,
      why: 'full',
      reason: `XFS needs ${mebibytes(MIN_BYTES / BLOCK)}, and there are ${mebibytes(bytes / BLOCK)}`,
    };
  if (bytes > MAX_BYTES)
    return { ok: false, why: 'unsupported', reason: 'the partition is larger than 16 TiB' };
  const geometry = geometryOf(bytes);
  const collected = collect(tree, isWide(firstInode(geometry, geometry.blocks - 1)));
  if (typeof collected === 'string') return { ok: false, why: 'unsupported', reason: collected };
  const found = firstThatFits(geometry, collected);
  if (!found) return { ok: false, why: 'full', reason: fullReason(geometry, collected) };
  const { layout, groups } = found;
  const filesystem = {
    volume: { geometry, uuid: parseUuid(uuid) },
    root: collected.root,
    placed: layout.placed,
    groups,
    totals: totalsOf(groups, collected),
  };
  return { ok: true, plan: { bytes, pieces: () => piecesOf(filesystem) } };
}

/** From much slack to none: a nearly full partition is better than none. */
function firstThatFits(
  geometry: Geometry,
  collected: Collected,
): { layout: Layout; groups: readonly Group[] } | null {
  for (const slack of SLACKS) {
    // With no slack, few gaps are expected; where there are more, the room grows.
    const runs = slack.unit === 1 ? geometry.agCount * 4 : collected.segments.length * 3;
    const chunks = collected.segments.reduce(
      (total, { length }) => total + Math.ceil(length / CHUNK_INODES),
      0,
    );
    // A power of two, twice what is needed at most, so that a few files more do not move everything.
    for (let room = powerOfTwo(treeRoomFor(runs, chunks)); room < geometry.agBlocks; room *= 2) {
      const layout = layOut(geometry, collected, slack, room);
      if (!layout) break;
      const groups = planGroups(geometry, layout, room);
      if (groups) return { layout, groups };
    }
  }
  return null;
}

function planGroups(geometry: Geometry, { placed, space }: Layout, room: number): Group[] | null {
  const chunks: Chunk[][] = Array.from({ length: geometry.agCount }, () => []);
  chunks[0]?.push({ agIno: ROOT_INO, used: ROOT_CHUNK_USED });
  for (const each of placed)
    if (each.kind === 'chunk') chunks[Math.floor(each.at / geometry.agBlocks)]?.push(chunkOf(geometry, each));
  const groups: Group[] = [];
  for (const [ag, own] of chunks.entries()) {
    const group = planGroup(geometry, ag, space.free(ag), own, room);
    if (!group) return null;
    groups.push(group);
  }
  return groups;
}

function chunkOf({ agBlocks }: Geometry, { at, inodes, from }: Extract<Placed, { kind: 'chunk' }>): Chunk {
  const inodesPerBlock = CHUNK_INODES / CHUNK_BLOCKS;
  return { agIno: (at % agBlocks) * inodesPerBlock, used: Math.min(CHUNK_INODES, inodes.length - from) };
}

function totalsOf(groups: readonly Group[], { root, segments }: Collected): Totals {
  const total = (count: (group: Group) => number) => groups.reduce((all, group) => all + count(group), 0);
  const has = ({ forks }: { forks: { attributes: string } }) => forks.attributes !== 'none';
  return {
    inodes: total(({ chunks }) => chunks.length * CHUNK_INODES),
    freeInodes: total(freeInodes),
    freeBlocks: total(freeBlocks),
    hasAttributes: has(root) || segments.some((segment) => segment.some(has)),
  };
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}

/** What the files take by themselves, against what there is besides the journal. */
function fullReason({ blocks, log }: Geometry, { names, segments }: Collected): string {
  const inodes = segments.reduce((total, { length }) => total + length, 0);
  let needed = Math.ceil(inodes / CHUNK_INODES) * CHUNK_BLOCKS;
  for (const segment of segments) {
    for (const { inode, forks } of segment) {
      for (const run of inode.content) needed += Math.ceil(run.bytes / BLOCK);
      needed += forks.attributeBlocks + (forks.directory?.dataBlocks ?? 0);
    }
  }
  return `${names} ${names === 1 ? 'file' : 'files and folders'} with ${mebibytes(needed)} are more than XFS can place in ${mebibytes(blocks - log.blocks)} of space`;
}

function mebibytes(blocks: number): string {
  return `${Math.ceil((blocks * BLOCK) / 1024 ** 2)} MiB`;
}
