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
  ['smallest,min=200GB', { by: 'smallest', min: 200e9 }],
  ['first-empty,max=2TiB,min=300MiB', { by: 'first-empty', min: 300 * 2 ** 20, max: 2 ** 41 }],
  ['serial=A1,min=1TB,max=1TB', { by: 'serial', value: 'A1', min: 1e12, max: 1e12 }],
  ['path=/dev/sda,max=64GiB', { by: 'path', value: '/dev/sda', max: 2 ** 36 }],
])('%s', (text, rule) => {
  expect(parseDiskRule(text)).toEqual({ min: null, max: null, ...rule });
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
  'min=200GB',
  'smallest,',
  ',smallest',
  'smallest,min=',
  'smallest,min=0GB',
  'smallest,min=200',
  'smallest,min=200G',
  'smallest,min=1.5TB',
  'smallest,min=-1GB',
  'smallest,min=1GB,min=2GB',
  'smallest,min=2TB,max=1TB',
  'smallest,min=1TiB,max=1TB',
  'smallest, min=1TB',
  'smallest,least=1TB',
  'smallest>=200GB',
  'smallest,first-empty',
  'min=1GB,smallest',
  'smallest,min=1000000GB',
])('%j is no rule', (text) => {
  expect(parseDiskRule(text)).toBeNull();
});
