import { expect, test } from 'vitest';
import { crc32c, crc32cOfNumber } from '../../../server/filesystems/crc32c.ts';
import { crc16 } from '../../../server/filesystems/ext4/crc16.ts';

const DIGITS = Buffer.from('123456789');

test('CRC-32C of the catalogue’s check string, and in parts', () => {
  expect((crc32c(DIGITS) ^ 0xffffffff) >>> 0).toBe(0xe3069283);
  expect(crc32c(DIGITS.subarray(4), crc32c(DIGITS.subarray(0, 4)))).toBe(crc32c(DIGITS));
});

test('a number counts as its four little-endian bytes', () => {
  expect(crc32cOfNumber(7, 0xfedcba98)).toBe(crc32c(Buffer.from([0x98, 0xba, 0xdc, 0xfe]), 7));
});

test('CRC-16/ARC of the catalogue’s check string, and in parts', () => {
  expect(crc16(0, DIGITS)).toBe(0xbb3d);
  expect(crc16(crc16(0xffff, DIGITS.subarray(0, 4)), DIGITS.subarray(4))).toBe(crc16(0xffff, DIGITS));
});
