import { expect, test } from 'vitest';
import { parsePosixAcl } from '../../server/filesystems/posix-acl.ts';
import { aclV2 } from './xfs/tree-of.ts';

/** user::, group::, other:: */
const LEAST = [
  [1, 6],
  [4, 4],
  [0x20, 4],
] as const;
const MASK = [0x10, 7] as const;

test('entries keep the number of the user or group that they name', () => {
  expect(parsePosixAcl(aclV2([LEAST[0], [2, 7, 1000], [2, 5, 7], LEAST[1], MASK, LEAST[2]]))).toEqual([
    { tag: 1, permissions: 6, id: null },
    { tag: 2, permissions: 7, id: 1000 },
    { tag: 2, permissions: 5, id: 7 },
    { tag: 4, permissions: 4, id: null },
    { tag: 0x10, permissions: 7, id: null },
    { tag: 0x20, permissions: 4, id: null },
  ]);
  expect(parsePosixAcl(aclV2(LEAST))).toHaveLength(3);
  expect(parsePosixAcl(aclV2([]))).toEqual([]);
});

test.each([
  ['nothing', ''],
  ['cut off', aclV2(LEAST).slice(0, -1)],
  ['of another version', `\x01${aclV2(LEAST).slice(1)}`],
  ['with a tag that does not exist', aclV2([...LEAST, [0x40, 4]])],
  ['with permissions beyond rwx', aclV2([[1, 8], LEAST[1], LEAST[2]])],
  ['without an owner', aclV2([LEAST[1], LEAST[2]])],
  ['with two owners', aclV2([LEAST[0], ...LEAST])],
  ['out of order', aclV2([LEAST[0], LEAST[2], LEAST[1]])],
  ['with a named user and no mask', aclV2([LEAST[0], [2, 4, 5], LEAST[1], LEAST[2]])],
])('a list that is %s is refused', (_, value) => {
  expect(parsePosixAcl(value)).toBeNull();
});
