import { expect, test } from 'vitest';
import {
  agLength,
  firstInode,
  fsBlock,
  geometryOf,
  ROOT_INO,
} from '../../../server/filesystems/xfs/geometry.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const TIB = 1024 ** 4;

// As mkfs.xfs 6.13 divides: groups, blocks of a group, blocks, blocks of the journal.
test.each([
  [300 * MIB, 4, 19_200, 76_800, 16_384],
  [512 * MIB, 4, 32_768, 131_072, 16_384],
  [GIB, 4, 65_536, 262_144, 16_384],
  [100 * GIB, 4, 6_553_600, 26_214_400, 16_384],
  [200 * GIB, 4, 13_107_200, 52_428_800, 25_600],
  [TIB, 4, 67_108_864, 268_435_456, 131_072],
  [3 * TIB, 4, 201_326_592, 805_306_368, 393_216],
  [4 * TIB, 4, 268_435_455, 1_073_741_820, 521_728],
  [5 * TIB, 5, 268_435_455, 1_342_177_275, 521_728],
])('%d bytes', (bytes, agCount, agBlocks, blocks, logBlocks) => {
  const geometry = geometryOf(bytes);
  expect(geometry).toMatchObject({ agCount, agBlocks, blocks });
  expect(geometry.log).toEqual({ ag: 2, agBlock: 7, blocks: logBlocks });
});

test('a length that four does not divide: the last group is shorter', () => {
  const geometry = geometryOf(GIB + 4096);
  expect([0, 1, 2, 3].map((ag) => agLength(geometry, ag))).toEqual([65_537, 65_537, 65_537, 65_534]);
});

test('addresses put the number of the group above the block', () => {
  const geometry = geometryOf(300 * MIB);
  expect(geometry.agBlockLog).toBe(15);
  expect(fsBlock(geometry, 19_200 + 7)).toBe(2 ** 15 + 7);
  expect(firstInode(geometry, 12)).toBe(ROOT_INO);
  expect(firstInode(geometry, 2 * 19_200)).toBe(2 * 2 ** 18);
});
