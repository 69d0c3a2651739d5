import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, INSTALLER, SHELLS } from './shell.ts';

/** Whose disk the installer finds. */
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.write('sys/class/net/eth0/address', '52:54:00:00:00:01\n');
});
afterEach(() => host.remove());

const PARTS = ['choose-disk.sh', 'boot-disk.sh'].map((name) => join(INSTALLER, name));

/** A Warmboot disk whose state partition says this. */
function disk(name: string, owner: string, serial: string, bus?: string): void {
  host.disk(name, {}, ['warmboot-bios', 'warmboot-boot', 'warmboot-state'], bus);
  host.write(`state-${name}/host`, `${owner}\n`);
  host.write(`state-${name}/serial`, `${serial}\n`);
  host.write(`state-${name}/token`, `token-${name}\n`);
}

describe.each(SHELLS)('in %s', (...shell) => {
  const found = () =>
    host.run(
      shell,
      `wait_for_disks() { :; }
      mount_state() { STATE=$T/state-$1; }
      unmount_disk() { STATE=$T/none; }
      SERIAL_SEEN=0
      know_own_disk
      echo "$OWN_DISK $OWN_HOST $SERIAL_SEEN $(cat "$WB_RUN/token" 2> /dev/null)"`,
      PARTS,
    ).out;

  test('of two the one that names a card of this machine, in any case', () => {
    disk('sda', '52:54:00:00:00:99', '70');
    disk('sdb', '52:54:00:00:00:01', '7');
    expect(found()).toBe('sdb 52:54:00:00:00:01 7 token-sdb');
    host.write('sys/class/net/eth0/address', '52:54:00:00:00:0A\n');
    host.write('state-sdb/host', '52:54:00:00:00:0a\n');
    expect(found()).toBe('sdb 52:54:00:00:00:0a 7 token-sdb');
  });

  test('one behind USB too, when no other is', () => {
    disk('sda', '52:54:00:00:00:01', '7', 'pci0/usb1/1-1');
    expect(found()).toBe('sda 52:54:00:00:00:01 7 token-sda');
    disk('sdb', '52:54:00:00:00:01', '8');
    expect(found()).toBe('sdb 52:54:00:00:00:01 8 token-sdb');
  });

  test('of a disk that came from another machine the serial does not count: it would refuse every order to this one', () => {
    disk('sda', '52:54:00:00:00:99', '70');
    expect(found()).toBe('sda 52:54:00:00:00:99 0 token-sda');
  });
});
