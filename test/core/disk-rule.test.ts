import { expect, test } from 'vitest';
import { parseDiskRule } from '../../server/core/disk-rule.ts';

test.each([
  ['smallest', { by: 'smallest' }],
  ['first-empty', { by: 'first-empty' }],
  ['serial=WD-1.2:3', { by: 'serial', value: 'WD-1.2:3' }],
  ['wwn=0x5000c500a1b2c3d4', { by: 'wwn', value: '0x5000c500a1b2c3d4' }],
  [
    'path=/dev/disk/by-path/pci-0000:00:1f.2-ata-1',
    { by: 'path', value: '/dev/disk/by-path/pci-0000:00:1f.2-ata-1' },
  ],
  ['path=/dev/mapper/..hidden', { by: 'path', value: '/dev/mapper/..hidden' }],
])('%s', (text, rule) => {
  expect(parseDiskRule(text)).toEqual(rule);
});

test.each([
  '',
  'largest',
  'serial=',
  'serial=a b',
  "serial='x'",
  'serial=$(id)',
  'path=sda',
  'path=/etc/passwd',
  'path=/dev',
  'path=/dev/',
  'path=/dev/../x',
  'path=/dev/..',
  'path=/dev/disk/../../etc/passwd',
  'path=/dev/./sda',
  'path=/dev/.',
  'path=/dev//sda',
  'path=//dev/sda',
  'path=/dev/sda/',
  'path=/devices/sda',
  'path=dev/sda',
  'SMALLEST',
  'smallest\n',
  `serial=${'x'.repeat(129)}`,
])('%j is no rule', (text) => {
  expect(parseDiskRule(text)).toBeNull();
});
