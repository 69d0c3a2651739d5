import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addExtent, extentTreeBlocks, inlineExtents } from '../../../server/filesystems/xfs/extents.ts';
import { geometryOf } from '../../../server/filesystems/xfs/geometry.ts';

const MAX = 2 ** 21 - 1;

test('runs that follow on are joined; none is longer than 21 bits can count', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 3 * MAX }), { minLength: 1 }), (counts) => {
      const extents: number[] = [];
      let at = 0;
      for (const count of counts) {
        addExtent(extents, at, 500 + at, count);
        at += count;
      }
      expect(extents).toHaveLength(3 * Math.ceil(at / MAX));
      for (let i = 0, next = 0; i < extents.length; i += 3) {
        expect(extents[i]).toBe(next);
        expect(extents[i + 1]).toBe(500 + next);
        next += extents[i + 2] as number;
        expect(extents[i + 2]).toBeLessThanOrEqual(MAX);
      }
    }),
  );
});

test('a gap in the file or on the partition begins a new extent', () => {
  const extents: number[] = [];
  addExtent(extents, 0, 10, 2);
  addExtent(extents, 3, 12, 2);
  addExtent(extents, 5, 99, 1);
  expect(extents).toEqual([0, 10, 2, 3, 12, 2, 5, 99, 1]);
});

test('128 bits: 54 of the file, 52 of the partition, 21 of the count', () => {
  const geometry = geometryOf(16 * 1024 ** 4 - 4096);
  const linear = 14 * geometry.agBlocks + 3;
  const bits = BigInt(`0x${inlineExtents(geometry, [2 ** 34 + 5, linear, MAX]).toString('hex')}`);
  expect(bits >> 73n).toBe(2n ** 34n + 5n);
  expect((bits >> 21n) & (2n ** 52n - 1n)).toBe(14n * 2n ** 28n + 3n);
  expect(bits & (2n ** 21n - 1n)).toBe(BigInt(MAX));
});

test('the tree has as many blocks as its leaves need, and the inode holds its root', () => {
  expect(extentTreeBlocks(21, 336)).toBe(0);
  expect(extentTreeBlocks(22, 336)).toBe(1);
  expect(extentTreeBlocks(251, 336)).toBe(1);
  expect(extentTreeBlocks(252, 336)).toBe(2);
  // 20 pointers fit into the root; with more leaves there is a level between.
  expect(extentTreeBlocks(20 * 251, 336)).toBe(20);
  expect(extentTreeBlocks(20 * 251 + 1, 336)).toBe(22);
});
