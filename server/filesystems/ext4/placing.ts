/**
 * Where things go that follow each other, so that a change in one place moves little of the rest.
 *
 * Things are gathered into segments, segments into stretches, stretches into layers. Where one ends depends on the names of
 * files alone (never on sizes or positions), and the room that it takes is rounded up to a coarse step, in proportion to its
 * content. What grows inside a segment moves the things behind it in this segment; only when its room overflows does the
 * stretch move, only when that overflows the layer, and so on: each level swallows what reaches it with a chance of
 * growth/step. Rounding is what swallows; further slack on top would only cost room, since a place is computed from
 * sizes alone and nobody remembers where things were.
 */

/** What begins at a thing: nothing new, or a segment, a stretch (a run of segments), a layer. */
export type Start = 0 | 1 | 2 | 3;

export interface Steps {
  /** Every segment begins at a multiple of this, counted from its layer. */
  readonly smallest: number;
  /** No step is longer. */
  readonly largest: number;
  /** A step is at most this part of the content: 1/4 of a segment leaves about 9 % unused. Infinity: always the smallest. */
  readonly segmentShare: number;
  /** The same for stretches and layers. */
  readonly stretchShare: number;
  /** Unused units behind each stretch and layer, at least; a segment may be full. */
  readonly gap: number;
}

export interface Placed {
  /** By thing. */
  readonly starts: Float64Array;
  readonly end: number;
}

/** @param sizes room of each thing, in units; things without any have a place too, which means nothing */
export function place(
  sizes: ArrayLike<number>,
  starts: ArrayLike<number>,
  steps: Steps,
  firstPlace: number,
): Placed {
  const places = new Float64Array(sizes.length);
  // Where the open segment, stretch and layer began.
  const opened = [firstPlace, firstPlace, firstPlace];
  let cursor = firstPlace;
  let usedEnd = firstPlace;
  const close = (level: number): void => {
    for (let i = 0; i < level; i += 1) {
      const start = opened[i] as number;
      if (usedEnd > start && i > 0) cursor = Math.max(cursor, usedEnd + steps.gap);
      cursor = start + room(cursor - start, i, steps);
    }
    for (let i = 0; i < level; i += 1) opened[i] = cursor;
  };
  for (let i = 0; i < sizes.length; i += 1) {
    close(starts[i] as number);
    places[i] = cursor;
    cursor += sizes[i] as number;
    if (sizes[i] !== 0) usedEnd = cursor;
  }
  close(3);
  return { starts: places, end: cursor };
}

/** The room that so much content is given; nothing gets none. */
function room(content: number, level: number, steps: Steps): number {
  if (content === 0) return 0;
  const share = content / (level === 0 ? steps.segmentShare : steps.stretchShare);
  const step = Math.min(steps.largest, Math.max(steps.smallest, powerOfTwoBelow(share)));
  return Math.ceil(content / step) * step;
}

function powerOfTwoBelow(value: number): number {
  return value < 1 ? 0 : 2 ** Math.floor(Math.log2(value));
}
