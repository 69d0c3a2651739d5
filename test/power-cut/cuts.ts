import { DiskState } from './disk-state.ts';
import { type Entry, SECTOR, type Write } from './write-log.ts';

/**
 * A power cut, as a disk with a cache sees it: what was flushed is there; of what was written since, any part may be, in any order,
 * and of a write of several sectors some.
 */
export type Cut = {
  readonly name: string;
  readonly disk: DiskState;
  /** The last write of the record that reached the disk, as an index of the entries. */
  readonly last: number;
  /** Which of the writes since the last flush reached it, whole or in part. */
  readonly kept: readonly number[];
  /** A moment between two writes, on a disk that keeps their order. */
  readonly inOrder: boolean;
};

/** Numbers from 0 to 1, the same each time (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Every cut that is tried: after each write; with each single write lost; with nothing but each single write; and at random, torn
 * writes among them.
 * @param samples random ones between two flushes @param flushed told of the disk at each flush, with the entry's index
 */
export function* cuts(
  entries: readonly Entry[],
  diskBytes: number,
  samples: number,
  flushed: (disk: DiskState, index: number) => void,
): Generator<Cut> {
  const base = Buffer.alloc(diskBytes);
  const random = seeded(1);
  let first = 0;
  for (const [index, entry] of entries.entries()) {
    if (entry !== 'flush') continue;
    yield* between(base, entries, first, index, samples, random);
    for (const write of entries.slice(first, index))
      if (write !== 'flush') write.data.copy(base, write.sector * SECTOR);
    flushed(new DiskState(base), index);
    first = index + 1;
  }
  yield* between(base, entries, first, entries.length, samples, random);
}

function* between(
  base: Buffer,
  entries: readonly Entry[],
  first: number,
  end: number,
  samples: number,
  random: () => number,
): Generator<Cut> {
  const cut = (name: string, kept: readonly number[], how: 'in order' | 'torn' | '' = ''): Cut => {
    const disk = new DiskState(base);
    for (const index of kept) {
      const write = entries[index] as Write;
      const isTorn = how === 'torn' && write.data.length > SECTOR && random() < 0.5;
      // Half of the torn ones end somewhere; the others have holes.
      const part = random();
      const isPrefix = random() < 0.5;
      const from = (i: number) => (isPrefix ? i * SECTOR < part * write.data.length : random() < part);
      disk.put(write, isTorn ? from : undefined);
    }
    const last = kept.at(-1) ?? first - 1;
    return { name: `${name}, after entry ${first}`, disk, last, kept, inOrder: how === 'in order' };
  };
  const all = Array.from({ length: end - first }, (_, i) => first + i);
  yield cut('nothing', [], 'in order');
  for (const index of all) {
    yield cut(`all up to ${index}`, all.slice(0, index - first + 1), 'in order');
    if (all.length > 2)
      yield cut(
        `all but ${index}`,
        all.filter((each) => each !== index),
      );
    if (all.length > 1) yield cut(`only ${index}`, [index]);
  }
  const isWorthIt = all.length > 2 || all.some((index) => (entries[index] as Write).data.length > SECTOR);
  for (let i = 0; isWorthIt && i < samples; i += 1) {
    const chance = random();
    const kept = all.filter(() => random() < chance);
    yield cut(`some (${kept.join(' ')})`, kept, i % 2 === 0 ? 'torn' : '');
  }
}
