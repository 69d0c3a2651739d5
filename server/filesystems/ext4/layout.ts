import { addExtent, type Extent, treeBlocks } from './extents.ts';
import { BLOCK, INODES_PER_BLOCK, LOST_FOUND_INODE, ROOT_INODE } from './format.ts';
import { type Geometry, layGeometry, MAX_INODES_PER_GROUP, usualInodesPerGroup } from './geometry.ts';
import { type Inventory, LOST_FOUND, ROOT } from './inventory.ts';
import { place, type Steps } from './placing.ts';
import type { Ext4Options } from './plan.ts';
import { joinRuns, type Run, type Runs } from './runs.ts';
import { BLOCK_STEPS, INODE_STEPS, NO_STEPS, REGION_STEPS } from './steps.ts';

/**
 * Where everything lies. Three sequences in layer order, each with its own places (placing.ts): inode numbers; blocks of
 * metadata (directories, xattrs, extent trees); blocks of content. Metadata blocks lie together in front of all content:
 * a directory that grows then moves a few directories of its segment, never a file, and what a change of metadata
 * touches is not spread between contents, where each touched block would drag a chunk of content along.
 */
export interface Layout {
  readonly geometry: Geometry;
  readonly inventory: Inventory;
  /** Inode numbers, rising from index 2 on. */
  readonly inodes: Uint32Array;
  /** Places (free-space.ts) of the content and of the metadata: names, then xattrs, then the extent tree. */
  readonly dataAt: Float64Array;
  readonly metaAt: Float64Array;
  /** Blocks of the extent tree that are in use. */
  readonly treeUsed: Uint32Array;
  /** All blocks in use. */
  readonly used: Runs;
}

/** Inodes for each that the tree needs, so that a host can make files of its own; without when that is too much. */
const INODE_FACTORS = [1.25, 1];

/** Inode numbers of the tree begin in the second block of the table. */
const FIRST_INODE = INODES_PER_BLOCK + 1;

/** @returns a clause for people when the tree does not fit */
export function layOut(inventory: Inventory, options: Ext4Options): Layout | string {
  let reason = '';
  for (const factor of INODE_FACTORS) {
    const needed = Math.ceil((inventory.nodes.length + FIRST_INODE) * factor);
    const geometry = geometryFor(options, needed);
    const inodes = geometry && numberInodes(inventory, geometry.groups * geometry.inodesPerGroup);
    if (!inodes) {
      reason = `there are ${inventory.nodes.length - 2} files and directories, more than a filesystem of ${mebibytes(options.bytes)} has room for`;
      continue;
    }
    for (const steps of BLOCK_STEPS) {
      const laid = placeBlocks(inventory, geometry, inodes, steps);
      if (typeof laid !== 'string') return laid;
      reason = `${laid}, and a filesystem of ${mebibytes(options.bytes)} with ${inventory.nodes.length - 2} files and directories has room for ${mebibytes(geometry.free.blocks * BLOCK)}`;
    }
  }
  return reason;
}

/** As many inodes as the length gives, doubled until they are enough. */
function geometryFor({ bytes, profile }: Ext4Options, inodes: number): Geometry | null {
  let perGroup = usualInodesPerGroup(bytes);
  let geometry = layGeometry(bytes, profile, perGroup);
  while (geometry && geometry.groups * perGroup < inodes) {
    if (perGroup === MAX_INODES_PER_GROUP) return null;
    perGroup = Math.min(MAX_INODES_PER_GROUP, perGroup * 2);
    geometry = layGeometry(bytes, profile, perGroup);
  }
  return geometry;
}

/** @returns null when there are not so many numbers */
function numberInodes({ nodes, starts }: Inventory, most: number): Uint32Array | null {
  const ones = new Uint8Array(nodes.length).fill(1);
  ones[ROOT] = 0;
  ones[LOST_FOUND] = 0;
  for (const steps of INODE_STEPS) {
    const placed = place(ones, starts, steps, FIRST_INODE - 1);
    if (placed.end > most) continue;
    const inodes = Uint32Array.from(placed.starts, (start) => start + 1);
    inodes[ROOT] = ROOT_INODE;
    inodes[LOST_FOUND] = LOST_FOUND_INODE;
    return inodes;
  }
  return null;
}

/** @returns a clause about how much it is when it does not fit */
function placeBlocks(
  inventory: Inventory,
  geometry: Geometry,
  inodes: Uint32Array,
  steps: Steps,
): Layout | string {
  const { starts, dataBlocks } = inventory;
  const count = inodes.length;
  const metaBlocks = new Float64Array(count);
  for (let i = 0; i < count; i += 1)
    metaBlocks[i] =
      (inventory.directoryBlocks[i] as number) +
      (inventory.xattrReferences[i] === 0 ? 0 : 1) +
      (inventory.treeBlocks[i] as number);
  const meta = place(metaBlocks, starts, steps, 0);
  const region = steps === NO_STEPS ? meta.end : place([meta.end], [0], REGION_STEPS, 0).end;
  const data = place(dataBlocks, starts, steps, region);
  if (data.end > geometry.free.blocks) return `they take ${mebibytes(sum(metaBlocks, dataBlocks) * BLOCK)}`;
  const layout = {
    geometry,
    inventory,
    inodes,
    dataAt: data.starts,
    metaAt: meta.starts,
    treeUsed: new Uint32Array(count),
  };
  for (let i = 0; i < count; i += 1)
    if (inventory.treeBlocks[i] !== 0) layout.treeUsed[i] = treeBlocks(extentsOf(layout, i).length);
  return { ...layout, used: usedRuns(layout) };
}

/** The extents of what has an index: a directory's names, a file's or a long link's content. */
export function extentsOf(layout: Omit<Layout, 'used' | 'treeUsed'>, index: number): Extent[] {
  const { inventory, geometry } = layout;
  const extents: Extent[] = [];
  const add = (logical: number, place: number, count: number): void => {
    let at = logical;
    for (const run of geometry.free.split(place, count)) {
      addExtent(extents, at, run.block, run.count);
      at += run.count;
    }
  };
  const names = inventory.directoryBlocks[index] as number;
  if (names > 0) add(0, layout.metaAt[index] as number, names);
  const inode = inventory.nodes[index]?.inode;
  let place = layout.dataAt[index] as number;
  if (inode?.meta.type === 'symlink') add(0, place, inventory.dataBlocks[index] as number);
  for (const { at, bytes } of inode?.content ?? []) {
    const count = Math.ceil(bytes / BLOCK);
    add(at / BLOCK, place, count);
    place += count;
  }
  return extents;
}

/** Place of the block of xattrs that lies beside an inode's metadata, and of its extent tree. */
export function xattrPlace({ inventory, metaAt }: Layout, index: number): number {
  return (metaAt[index] as number) + (inventory.directoryBlocks[index] as number);
}

export function treePlace(layout: Layout, index: number): number {
  return xattrPlace(layout, index) + (layout.inventory.xattrReferences[index] === 0 ? 0 : 1);
}

function usedRuns(layout: Omit<Layout, 'used'>): Runs {
  const { inventory, geometry, metaAt, dataAt, treeUsed } = layout;
  const { from, to } = geometry.fixed;
  const runs: Run[] = from.map((block, i) => ({ block, count: (to[i] as number) - block }));
  // Neighbours are joined before they become runs: there are far fewer segments than files.
  let open = 0;
  let end = 0;
  const close = (): void => {
    if (end > open) runs.push(...geometry.free.split(open, end - open));
  };
  const use = (place: number, count: number): void => {
    if (count === 0) return;
    if (place !== end) {
      close();
      open = place;
    }
    end = place + count;
  };
  for (let i = 0; i < metaAt.length; i += 1)
    use(
      metaAt[i] as number,
      (inventory.directoryBlocks[i] as number) +
        (inventory.xattrReferences[i] === 0 ? 0 : 1) +
        (treeUsed[i] as number),
    );
  for (let i = 0; i < dataAt.length; i += 1) use(dataAt[i] as number, inventory.dataBlocks[i] as number);
  close();
  return joinRuns(runs);
}

function sum(...lists: readonly Float64Array[]): number {
  return lists.reduce((all, list) => all + list.reduce((a, b) => a + b, 0), 0);
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
