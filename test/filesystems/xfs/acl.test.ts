import { expect, test } from 'vitest';
import { toXfsAcl } from '../../../server/filesystems/xfs/acl.ts';

test('an access control list is big-endian, and only named entries have a number', () => {
  const xfs = toXfsAcl([
    { tag: 1, permissions: 6, id: null },
    { tag: 2, permissions: 7, id: 1000 },
    { tag: 0x20, permissions: 4, id: null },
  ]);
  expect(Buffer.from(xfs, 'latin1').toString('hex').match(/.{8}/g)).toEqual([
    '00000003',
    ...['00000001', 'ffffffff', '00060000'],
    ...['00000002', '000003e8', '00070000'],
    ...['00000020', 'ffffffff', '00040000'],
  ]);
});
