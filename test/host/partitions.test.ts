import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, INSTALLER, SHELLS } from './shell.ts';

/** Roles of partitions on msdos tables, which have no names. */
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

const ROLES = ['boot', 'state', ...'abcdefgh', 'data', 'bios'];
const TABLES = {
  'two slots': { types: { 1: '0xef', 2: '0x83', 3: '0x83', 4: '0x83' }, roles: 'boot=1 state=2 a=3 b=4' },
  'two slots and data': {
    types: { 1: '0xef', 2: '0x83', 3: '0xf', 5: '0x83', 6: '0x83', 7: '0xda' },
    roles: 'boot=1 state=2 a=5 b=6 data=7',
  },
  'three slots': {
    types: { 1: '0xef', 2: '0x83', 3: '0xf', 5: '0x83', 6: '0x83', 7: '0x83' },
    roles: 'boot=1 state=2 a=5 b=6 c=7',
  },
  'eight slots and data': {
    types: {
      1: '0xef',
      2: '0x83',
      3: '0xf',
      ...Object.fromEntries([5, 6, 7, 8, 9, 10, 11, 12].map((n) => [n, '0x83'])),
      13: '0xda',
    },
    roles: 'boot=1 state=2 a=5 b=6 c=7 d=8 e=9 f=10 g=11 h=12 data=13',
  },
};

describe.each(SHELLS)('in %s', (...shell) => {
  test.each(Object.entries(TABLES))('%s', (_, { types, roles }) => {
    host.msdosDisk('sda', types);
    const find = `for role in ${ROLES.join(' ')}; do
      if part=$(partition_on sda "warmboot-$role"); then printf '%s=%s ' "$role" "\${part#sda}"; fi
    done`;
    expect(host.run(shell, find).out).toBe(roles);
    const back = `for number in ${Object.keys(types).join(' ')}; do
      role=$(partition_label "sda$number"); [ -z "$role" ] || printf '%s=%s ' "\${role#warmboot-}" "$number"
    done`;
    expect(host.run(shell, back).out).toBe(roles);
    expect(host.run(shell, 'is_warmboot_disk sda && echo ours').out).toBe('ours');
    const slots = roles.match(/\b[a-h](?==)/g)?.join('\n');
    expect(host.run(shell, 'slots_on sda').out).toBe(slots);
  });

  test('a stranger with the same numbers and types is not ours, and nothing on it is mounted', () => {
    host.msdosDisk('sda', TABLES['two slots'].types, 'EFI');
    host.msdosDisk('sdb', { 1: '0x83', 2: '0x82' });
    expect(host.run(shell, 'is_warmboot_disk sda || is_warmboot_disk sdb || echo foreign').out).toBe(
      'foreign',
    );
    const parts = ['choose-disk.sh', 'boot-disk.sh'].map((name) => join(INSTALLER, name));
    host.run(shell, 'OWN_DISK=; boot_disk why', parts);
    expect(host.run(shell, 'cat "$T/calls" 2> /dev/null || echo nothing').out).toBe('nothing');
  });

  test('the PARTUUID: from blkid, else from the signature in sector 0', () => {
    host.msdosDisk('sda', TABLES['two slots and data'].types);
    const sector = Buffer.alloc(512);
    sector.writeUInt32LE(0x1a2b3c4d, 440);
    host.writeBytes('sector0', sector);
    const node = 'device() { if [ "$1" = sda ]; then echo "$T/sector0"; else echo "/dev/$1"; fi; }\n';
    host.write('blkid/PTTYPE-sector0', 'dos\n');
    expect(host.run(shell, `${node}partition_uuid sda6`).out).toBe('1a2b3c4d-06');
    host.write('blkid/PART_ENTRY_UUID-sda6', '77777777-06\n');
    expect(host.run(shell, `${node}partition_uuid sda6`).out).toBe('77777777-06');
  });

  test.each([512, 4096])(
    'the PARTUUID of a slot that cannot be read: from the table, sectors of %i bytes',
    (sector) => {
      host.disk('sda', { 'queue/logical_block_size': String(sector) }, ['warmboot-boot', 'warmboot-a']);
      const table = Buffer.alloc(sector * 3);
      Buffer.from('33221100554477668899aabbccddeeff', 'hex').copy(table, sector * 2 + 128 + 16);
      host.writeBytes('table', table);
      const node = 'device() { echo "$T/table"; }\n';
      expect(host.run(shell, `${node}partition_uuid sda2`).out).toBe('00112233-4455-6677-8899-aabbccddeeff');
    },
  );
});
