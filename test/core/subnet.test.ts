import { expect, test } from 'vitest';
import { isInSubnet, isSubnet } from '../../server/core/subnet.ts';

test.each([
  ['10.1.2.3', '10.1.0.0/16', true],
  ['10.2.2.3', '10.1.0.0/16', false],
  ['10.1.2.3', '0.0.0.0/0', true],
  ['255.255.255.255', '255.255.255.254/31', true],
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.4', '10.1.2.3', false],
  ['::ffff:10.1.2.3', '10.1.0.0/16', true],
  ['fe80::1%eth0', 'fe80::/10', true],
  ['2001:db8::5', '2001:db8::/32', true],
  ['2001:db9::5', '2001:db8::/32', false],
  ['10.1.2.3', '::/0', false],
  ['unknown', '0.0.0.0/0', false],
  ['10.1.2.3', 'nonsense', false],
])('%s in %s: %s', (address, subnet, expected) => {
  expect(isInSubnet(address, subnet)).toBe(expected);
});

test.each(['10.1.0.0/16', '::/0', '2001:db8:1:2:3:4:5:6', '1:2:3:4:5:6:7::'])('%s is one', (text) => {
  expect(isSubnet(text)).toBe(true);
});

test.each([
  '',
  '10.1.0.0/33',
  '10.1.0/16',
  '256.1.1.1',
  '10.1.0.0/',
  '::1::',
  '1:2:3',
  ':::',
  '::/129',
  'a/8',
])('%j is none', (text) => {
  expect(isSubnet(text)).toBe(false);
});
