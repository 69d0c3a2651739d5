import { expect, test } from 'vitest';
import { toXfsAcl } from '../../../server/filesystems/xfs/acl.ts';
import { aclV2 } from './tree-of.ts';

test('an access control list turns to big-endian, and only named entries keep their number', () => {
  const xfs =
    toXfsAcl(
      aclV2([
        [1, 6],
        [2, 7, 1000],
        [0x20, 4, 5],
      ]),
    ) ?? '';
  expect(Buffer.from(xfs, 'latin1').toString('hex').match(/.{8}/g)).toEqual([
    '00000003',
    ...['00000001', 'ffffffff', '00060000'],
    ...['00000002', '000003e8', '00070000'],
    ...['00000020', 'ffffffff', '00040000'],
  ]);
});

test.each([
  ['empty', ''],
  ['cut off', aclV2([[1, 6]]).slice(0, -1)],
  ['of another version', `\x01${aclV2([[1, 6]]).slice(1)}`],
])('what is %s is refused', (_, value) => {
  expect(toXfsAcl(value)).toBeNull();
});
