import { expect, test } from 'vitest';
import { nameHash } from '../../../server/filesystems/xfs/hash.ts';

// As `xfs_db -c "hash NAME"` of xfsprogs 6.13 says.
test.each([
  ['a', 0x61],
  ['ab', 0x30e2],
  ['abc', 0x187163],
  ['abcd', 0xc38b1e4],
  ['abcde', 0x1c58f263],
  ['..', 0x172e],
  ['lost+found', 0x21aa60c],
  ['SGI_ACL_FILE', 0x275b19c4],
  ['capability', 0x7c7bfd5e],
  ['selinux', 0xcd3a75d6],
  ['xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', 0xc1fbf7e],
  ['.', 0x2e],
])('%s', (name, hash) => {
  expect(nameHash(name)).toBe(hash);
});
