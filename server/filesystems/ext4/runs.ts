/** Half-open runs of blocks in rising order, not overlapping, never touching. */
export interface Runs {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** A run of blocks. */
export interface Run {
  readonly block: number;
  readonly count: number;
}

/** Sorts and joins. */
export function joinRuns(runs: readonly Run[]): Runs {
  const from: number[] = [];
  const to: number[] = [];
  for (const { block, count } of [...runs].sort((a, b) => a.block - b.block)) {
    if (count === 0) continue;
    if (to[to.length - 1] === block) to[to.length - 1] = block + count;
    else {
      from.push(block);
      to.push(block + count);
    }
  }
  return { from, to };
}

/** Index of the first run that ends behind a block; the number of runs when there is none. */
export function firstEndingAfter({ to }: Runs, block: number): number {
  let low = 0;
  let high = to.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((to[middle] as number) > block) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The parts of the runs within [from, to). */
export function* within(runs: Runs, from: number, to: number): Generator<Run> {
  for (let i = firstEndingAfter(runs, from); i < runs.from.length; i += 1) {
    const block = Math.max(from, runs.from[i] as number);
    if (block >= to) return;
    yield { block, count: Math.min(to, runs.to[i] as number) - block };
  }
}
