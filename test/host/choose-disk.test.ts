import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, INSTALLER, SHELLS } from './shell.ts';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
});
afterEach(() => host.remove());

const MIB = 1024 ** 2;
const PARTS = [join(INSTALLER, 'choose-disk.sh')];
/** Disks' contents are files here. */
const NODES = 'device() { case $1 in *[0-9]) echo "/dev/$1" ;; *) echo "$T/dev-$1" ;; esac; }\n';

describe.each(SHELLS)('in %s', (...shell) => {
  const choose = (rule: string) =>
    host.run(
      shell,
      `${NODES}if choose_disk '${rule}'; then echo "$CHOSEN"; else echo "refused: $REASON"; fi`,
      PARTS,
    ).out;

  test('takes the smallest of the fixed disks', () => {
    host.disk('sda', { size: '9000000' });
    host.disk('sdb', { size: '8000000' });
    host.disk('nvme0n1', { size: '8500000' });
    expect(choose('smallest')).toBe('sdb');
  });

  test('never takes what can be pulled out, is read-only, empty, virtual or hidden', () => {
    host.disk('sda', { size: '100', removable: '1' });
    host.disk('sdb', { size: '100', ro: '1' });
    host.disk('sdc', { size: '0' });
    host.disk('sdd', { size: '100' }, [], 'pci0/usb1/1-1');
    for (const name of ['loop0', 'ram0', 'zram0', 'dm-0', 'md0', 'sr0', 'nbd0', 'mmcblk0boot0'])
      host.disk(name, { size: '100' });
    host.disk('nvme0c0n1', { size: '100', hidden: '1' });
    expect(choose('smallest')).toMatch(/^refused: no disk fits/);
    host.disk('sdz', { size: '8000000' });
    expect(choose('smallest')).toBe('sdz');
  });

  test('partitions are no disks', () => {
    host.disk('sda', {}, ['warmboot-boot']);
    expect(host.run(shell, 'candidates', PARTS).out).toBe('sda');
  });

  test('takes a disk by its serial, from any of the places the kernel shows it', () => {
    host.disk('vda', { serial: 'V 1' });
    host.disk('nvme0n1', { 'device/serial': 'N1   ' });
    host.disk('sda', { 'device/vpd_pg80': '\0\u0080\0\u0004  S1' });
    expect(['serial=V1', 'serial=N1', 'serial=S1', 'serial=1'].map(choose)).toEqual([
      'vda',
      'nvme0n1',
      'sda',
      expect.stringMatching(/^refused/),
    ]);
  });

  test('takes a disk by its WWN, with or without the prefix, in any case', () => {
    host.disk('sda', { 'device/wwid': 'naa.5000C500A1B2C3D4' });
    host.disk('nvme0n1', { wwid: 'eui.0025388b01' });
    expect(['wwn=0x5000c500a1b2c3d4', 'wwn=naa.5000c500a1b2c3d4', 'wwn=0025388B01'].map(choose)).toEqual([
      'sda',
      'sda',
      'nvme0n1',
    ]);
  });

  test('takes a disk by its node, and says so when a rule is unknown', () => {
    host.disk('sdb', {});
    expect(host.run(shell, 'choose_disk path=/dev/sdb && echo "$CHOSEN"', PARTS).out).toBe('sdb');
    expect(choose('largest')).toMatch(/^refused: this installer does not know the disk rule/);
  });

  test('empty means: no table, no signature, nothing but zeros in front', () => {
    host.disk('sda', {});
    host.disk('sdb', {});
    host.disk('sdc', {}, ['warmboot-bios', 'warmboot-boot', 'warmboot-state']);
    host.write('dev-sda', `${'\0'.repeat(5000)}somebody's data${'\0'.repeat(MIB)}`);
    host.write('dev-sdb', '\0'.repeat(MIB));
    const content = (name: string) => host.run(shell, `${NODES}disk_content ${name}`, PARTS).out;
    expect(['sda', 'sdb', 'sdc'].map(content)).toEqual(['foreign', 'empty', 'warmboot']);
    expect(choose('first-empty')).toBe('sdb');
    host.write('signatures', 'ext4\n');
    expect(content('sdb')).toBe('foreign');
  });

  test('a disk that cannot be read is not an empty one, and only wipe takes it', () => {
    for (const name of ['sda', 'sdb', 'sdc']) host.disk(name, {});
    host.write('dev-sda', '\0'.repeat(MIB));
    // A read error after 64 KiB; and a disk of which not one byte comes.
    host.write('dev-sdb', '\0'.repeat(65536));
    host.write('wipefs', '1');
    const content = (name: string) => host.run(shell, `${NODES}disk_content ${name}`, PARTS).out;
    expect(['sda', 'sdb', 'sdc'].map(content)).toEqual(['unreadable', 'unreadable', 'unreadable']);
    host.write('wipefs', '0');
    expect(['sda', 'sdb', 'sdc'].map(content)).toEqual(['empty', 'unreadable', 'unreadable']);
    expect(choose('first-empty')).toBe('sda');
    const order = (wipe: boolean) =>
      host.run(
        shell,
        `${NODES}M_INSTALL_DISK=path=$T/dev-sdb M_INSTALL_WIPE=${wipe} OWN_DISK= OWN_HOST=
        if install_allowed; then echo "$CHOSEN"; else echo "refused: $REASON"; fi`,
        [...PARTS, join(INSTALLER, 'install.sh')],
      ).out;
    expect(order(false)).toMatch(/^refused: disk sdb cannot be read/);
    expect(order(true)).toBe('sdb');
  });

  test.each([
    ['52:54:00:00:00:01', 'false', 'taken'],
    // The same machine, by the record of another of its cards.
    ['52:54:00:00:00:02', 'false', expect.stringMatching(/not this host's/)],
    ['52:54:00:00:00:02', 'true', 'taken'],
  ])("this machine's disk, an order for %s, wipe %s: %s", (of, wipe, said) => {
    host.disk('sda', {}, ['warmboot-bios', 'warmboot-boot', 'warmboot-state']);
    const order = `M_HOST=${of}; M_INSTALL_WIPE=${wipe}; M_INSTALL_DISK=smallest`;
    const known = 'OWN_DISK=sda; OWN_HOST=52:54:00:00:00:01; is_half_made() { return 1; }';
    const parts = [...PARTS, join(INSTALLER, 'install.sh')];
    const script = `${NODES}${order}; ${known}; if install_allowed; then echo taken; else echo "$REASON"; fi`;
    expect(host.run(shell, script, parts).out).toEqual(said);
  });

  test('sizes are bytes whatever the sectors are', () => {
    host.disk('sda', { size: '8388608', 'queue/logical_block_size': '4096' });
    expect(host.run(shell, 'disk_bytes sda; disk_sector sda', PARTS).out).toBe('4294967296\n4096');
  });
});
