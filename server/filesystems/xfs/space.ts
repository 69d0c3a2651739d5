import {
  agLength,
  CHUNK_BLOCKS,
  type Geometry,
  HEADER_BLOCKS,
  ROOT_CHUNK_BLOCK,
  SPARE_BLOCKS,
} from './geometry.ts';

/** A run of free blocks of an allocation group, counted from the group's begin. */
export interface FreeRun {
  readonly at: number;
  readonly blocks: number;
}

/** Hands blocks out from the front of the partition to its end; what it skips stays free. */
export interface Space {
  /** Moves on to a multiple of `unit` within the group. */
  align(unit: number): void;
  /** Leaves blocks free, as far as the group has them. */
  skip(blocks: number): void;
  /** Blocks that follow each other, at a multiple of `unit`; null when no group that is left has as many. Linear. */
  take(blocks: number, unit: number): number | null;
  /** As many of `blocks` as follow each other here, at least one; null when all groups are full. */
  takeSome(blocks: number): { at: number; blocks: number } | null;
  /** What nobody took of a group, in rising order; the room for its trees counts as free. */
  free(ag: number): FreeRun[];
}

/** Where a group's spare blocks lie, and behind them the room for blocks of its trees. Counted from the group's begin. */
export function spareAt({ log }: Geometry, ag: number): number {
  return ag === log.ag ? log.agBlock + log.blocks : HEADER_BLOCKS;
}

export function treeRoomAt(geometry: Geometry, ag: number): number {
  return ag === 0 ? ROOT_CHUNK_BLOCK + CHUNK_BLOCKS : spareAt(geometry, ag) + SPARE_BLOCKS;
}

/** `treeRoom`: blocks behind the headers of each group that are not handed out. */
export function makeSpace(geometry: Geometry, treeRoom: number): Space {
  /** Runs taken, flat: begin and end, within the group. */
  const taken = Array.from({ length: geometry.agCount }, (_, ag) => {
    const spareEnd = spareAt(geometry, ag) + SPARE_BLOCKS;
    return ag === 0 ? [0, spareEnd, ROOT_CHUNK_BLOCK, treeRoomAt(geometry, 0)] : [0, spareEnd];
  });
  let ag = 0;
  let at = treeRoomAt(geometry, 0) + treeRoom;
  const left = () => agLength(geometry, ag) - at;
  const nextGroup = (): boolean => {
    if (ag + 1 >= geometry.agCount) return false;
    ag += 1;
    at = treeRoomAt(geometry, ag) + treeRoom;
    return true;
  };
  const claim = (blocks: number): number => {
    const runs = taken[ag] as number[];
    if (runs[runs.length - 1] === at) runs[runs.length - 1] = at + blocks;
    else runs.push(at, at + blocks);
    at += blocks;
    return ag * geometry.agBlocks + at - blocks;
  };
  const align = (unit: number) => {
    at = Math.ceil(at / unit) * unit;
  };
  return {
    align,
    skip(blocks) {
      at += Math.min(blocks, Math.max(0, left()));
    },
    take(blocks, unit) {
      align(unit);
      while (left() < blocks) {
        if (!nextGroup()) return null;
        align(unit);
      }
      return claim(blocks);
    },
    takeSome(blocks) {
      while (left() <= 0) if (!nextGroup()) return null;
      const some = Math.min(blocks, left());
      return { at: claim(some), blocks: some };
    },
    free(group) {
      const runs = taken[group] as number[];
      const free: FreeRun[] = [];
      for (let i = 1; i < runs.length; i += 2) {
        const begin = runs[i] as number;
        const end = runs[i + 1] ?? agLength(geometry, group);
        if (end > begin) free.push({ at: begin, blocks: end - begin });
      }
      return free;
    },
  };
}
