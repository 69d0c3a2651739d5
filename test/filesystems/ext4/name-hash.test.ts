import { expect, test } from 'vitest';
import { hashName } from '../../../server/filesystems/ext4/name-hash.ts';

/** As `debugfs dx_hash -h half_md4 -s 5761726d-626f-6f74-6578-743430303031` answers. */
test.each([
  ['f', 0xdcf8aa6a, 0xf64a571e],
  ['abc', 0xfb70ca2c, 0xf759d46b],
  ['x'.repeat(70), 0x08d3134c, 0x3fcf5d80],
  ['x'.repeat(255), 0x0324f6d8, 0x336f3491],
])('%s', (name, major, minor) => {
  expect(hashName(name)).toEqual({ major, minor });
});

test('bytes above 127 are unsigned, and a hash is always even', () => {
  expect(hashName('\xc3\xbcml\xff').major).toBe(0xeb17b76c);
  for (let i = 0; i < 1000; i += 1) expect(hashName(`name-${i}`).major % 2).toBe(0);
});

test('another seed gives another hash', () => {
  expect(hashName('abc', [1, 2, 3, 4])).not.toEqual(hashName('abc'));
});
