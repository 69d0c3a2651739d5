import type { Run, Runs } from './runs.ts';

/**
 * What the fixed structures leave of a partition, counted through: place n is the n-th block that is not theirs. Whatever
 * is laid out is laid out in places, so that group boundaries need no thought elsewhere.
 */
export interface FreeSpace {
  /** Number of places. */
  readonly blocks: number;
  /** The block at a place. */
  blockAt(place: number): number;
  /** `count` places from `place` on, as runs of blocks. */
  split(place: number, count: number): Generator<Run>;
}

export function freeSpace(fixed: Runs, blocks: number): FreeSpace {
  // Free runs: where each begins, and how many places lie before it.
  const starts: number[] = [];
  const before: number[] = [];
  let places = 0;
  let at = 0;
  for (let i = 0; i <= fixed.from.length; i += 1) {
    const end = fixed.from[i] ?? blocks;
    if (end > at) {
      starts.push(at);
      before.push(places);
      places += end - at;
    }
    at = fixed.to[i] ?? blocks;
  }

  /** The run with a place: the last that begins at it or before it. */
  const runOf = (place: number): number => {
    let low = 0;
    let high = before.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((before[middle] as number) <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  return {
    blocks: places,
    blockAt(place) {
      const run = runOf(place);
      return (starts[run] as number) + place - (before[run] as number);
    },
    *split(place, count) {
      let next = place;
      let left = count;
      for (let run = runOf(place); left > 0; run += 1) {
        const taken = Math.min(left, (before[run + 1] ?? places) - next);
        yield { block: (starts[run] as number) + next - (before[run] as number), count: taken };
        next += taken;
        left -= taken;
      }
    },
  };
}
