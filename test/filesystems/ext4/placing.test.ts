import fc from 'fast-check';
import { expect, test } from 'vitest';
import { place, type Start, type Steps } from '../../../server/filesystems/ext4/placing.ts';

const STEPS: Steps = { smallest: 16, largest: 4096, segmentShare: 4, stretchShare: 8, gap: 1 };

test('things follow each other; a segment begins at a step', () => {
  const { starts, end } = place([3, 4, 5, 6], [3, 0, 1, 0], STEPS, 32);
  expect([...starts]).toEqual([32, 35, 48, 53]);
  expect(end).toBe(32 + 32);
});

test('a step grows with the segment, so that the unused part stays alike', () => {
  const { starts } = place([1000, 1], [3, 1], STEPS, 0);
  expect(starts[1]).toBe(1024);
  const larger = place([10_000, 1], [3, 1], STEPS, 0);
  expect(larger.starts[1]).toBe(10_240);
});

test('a full segment at the end of a layer has its gap behind it', () => {
  expect([...place([16, 16, 1], [3, 1, 3], STEPS, 0).starts]).toEqual([0, 16, 48]);
});

test('what takes nothing is given nothing, also no gap', () => {
  const { starts, end } = place([0, 0, 0, 5], [3, 2, 3, 3], STEPS, 16);
  expect([...starts]).toEqual([16, 16, 16, 16]);
  expect(end).toBe(32);
});

test('without steps everything is dense', () => {
  const dense: Steps = {
    smallest: 1,
    largest: 4096,
    segmentShare: Number.POSITIVE_INFINITY,
    stretchShare: Number.POSITIVE_INFINITY,
    gap: 0,
  };
  expect([...place([3, 4, 5], [3, 2, 3], dense, 0).starts]).toEqual([0, 3, 7]);
});

test('nothing overlaps, nothing goes back, and layers have a gap between them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ size: fc.nat(300), start: fc.constantFrom<Start>(0, 0, 0, 1, 2, 3) }), {
        minLength: 1,
      }),
      (things) => {
        const sizes = things.map(({ size }) => size);
        const { starts, end } = place(
          sizes,
          things.map(({ start }) => start),
          STEPS,
          0,
        );
        let free = 0;
        for (const [i, { size, start }] of things.entries()) {
          const at = starts[i] ?? -1;
          expect(at).toBeGreaterThanOrEqual(free);
          if (start === 3 && free > 0 && size > 0) expect(at).toBeGreaterThan(free);
          if (start > 0) expect(at % 16).toBe(0);
          if (size > 0) free = at + size;
        }
        expect(end).toBeGreaterThanOrEqual(free);
      },
    ),
  );
});

test('growth within the room of a segment moves nothing behind it', () => {
  const sizes = Array.from({ length: 200 }, (_, i) => 20 + (i % 7));
  const begins = sizes.map((_, i): Start => (i === 0 ? 3 : i % 10 === 0 ? 1 : 0));
  const before = place(sizes, begins, STEPS, 0).starts;
  const grown = place(sizes.with(54, (sizes[54] ?? 0) + 1), begins, STEPS, 0).starts;
  const moved = [...before].flatMap((start, i) => (start === grown[i] ? [] : [i]));
  expect(moved).toEqual([55, 56, 57, 58, 59]);
});
