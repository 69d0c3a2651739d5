import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeHost, INSTALL, INSTALLER, SHELLS } from './shell.ts';

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
  const found = (before = '') =>
    host.run(
      shell,
      `${before}wait_for_disks() { :; }
      mount_state() { STATE=$T/state-$1; echo "$1" >> "$T/written"; }
      read_state() { STATE=$T/state-$1; }
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

  test('of two of its own the one that was installed last, whatever the systems on them have seen since', () => {
    disk('sda', '52:54:00:00:00:01', '20');
    disk('sdb', '52:54:00:00:00:01', '10');
    disk('sdc', '52:54:00:00:00:01', '30');
    expect(found()).toBe('sda 52:54:00:00:00:01 20 token-sda');
    host.write('state-sdc/installed', 'x');
    host.write('state-sda/installed', '9\n');
    host.write('state-sdb/installed', '10\n');
    // Of the host's serials the highest counts, wherever it was seen.
    expect(found()).toBe('sdb 52:54:00:00:00:01 20 token-sdb');
    host.write('state-sda/installed', '10\n');
    expect(found()).toBe('sda 52:54:00:00:00:01 20 token-sda');
  });

  test('of two hosts that this machine is, by two cards, that of the card with which it asks, else the first', () => {
    host.write('sys/class/net/eth1/address', '52:54:00:00:00:02\n');
    disk('sda', '52:54:00:00:00:01', '70');
    disk('sdb', '52:54:00:00:00:02', '8');
    host.write('state-sdb/installed', '80\n');
    expect(found('HOST=52:54:00:00:00:03; ')).toBe('sda 52:54:00:00:00:01 70 token-sda');
    expect(found('HOST=52:54:00:00:00:01; ')).toBe('sda 52:54:00:00:00:01 70 token-sda');
    // With no serial of the other: it would refuse this one's orders.
    expect(found('HOST=52:54:00:00:00:02; ')).toBe('sdb 52:54:00:00:00:02 8 token-sdb');
  });

  test('when one is found no disk is asked for its table any more: it might not answer', () => {
    disk('sda', '52:54:00:00:00:01', '7');
    host.disk('sdb', {});
    host.write('bin/blkid', '#!/bin/sh\necho "$*" >> "$T/asked"\n', 0o755);
    expect(found()).toBe('sda 52:54:00:00:00:01 7 token-sda');
    expect(existsSync(host.path('asked'))).toBe(false);
  });

  test('a token by which a claim was refused is not taken from it once more', () => {
    disk('sda', '52:54:00:00:00:01', '7');
    host.write('run/tokens.refused', 'token\ntoken-sda\n');
    expect(found()).toBe('sda 52:54:00:00:00:01 7');
    host.write('run/tokens.refused', 'token\ntoken-sd\n');
    expect(found()).toBe('sda 52:54:00:00:00:01 7 token-sda');
  });

  test('one behind USB too', () => {
    disk('sda', '52:54:00:00:00:01', '7', 'pci0/usb1/1-1');
    expect(found()).toBe('sda 52:54:00:00:00:01 7 token-sda');
    disk('sdb', '52:54:00:00:00:01', '7');
    expect(found()).toBe('sdb 52:54:00:00:00:01 7 token-sdb');
  });

  test('of a disk that came from another machine the serial does not count: it would refuse every order to this one', () => {
    disk('sda', '52:54:00:00:00:99', '70');
    expect(found()).toBe('sda 52:54:00:00:00:99 0 token-sda');
  });

  test('a disk that another machine may be using is only read; its own, and one that names nobody, get their journal replayed', () => {
    disk('sda', '52:54:00:00:00:99', '70');
    disk('sdb', '52:54:00:00:00:01', '7');
    disk('sdc', '', '0');
    rmSync(host.path('state-sdb/host'));
    found();
    expect(new Set(readFileSync(host.path('written'), 'utf8').trim().split('\n'))).toEqual(
      new Set(['sdb', 'sdc']),
    );
  });

  describe('a system that is on the disk, while the server has no order', () => {
    const boots = (answered: string, self = '') =>
      host.run(
        shell,
        `mount_state() { return 1; }
        read_state() { STATE=$T/state-$1; }
        unmount_disk() { STATE=$T/none; }
        jump() { echo "slot $1"; exit; }
        OWN_DISK='' M_HOST=52:54:00:00:00:01
        ${self}
        boot_disk 'it says hold' ${answered}`,
        PARTS,
      ).out;
    beforeEach(() => {
      host.validSlot('a', `sha256:${'0a'.repeat(32)}`);
      host.write('run/boot/grub/grubenv', 'default=a\ntries_a=3\n');
    });

    test('of another host: not started where the server has said who this is, for it may run over there', () => {
      disk('sda', '52:54:00:00:00:99', '70');
      expect(boots('answered')).toBe('');
      expect(readFileSync(host.path('run/log'), 'utf8')).toContain(
        'disk sda belongs to another host, 52:54:00:00:00:99, so its system is not started',
      );
      expect(readFileSync(host.path('run/boot/grub/grubenv'), 'utf8')).toContain('tries_a=3');
      // Not since either, should it fall silent.
      expect(boots('')).toBe('');
      expect(boots('', 'M_HOST=')).toBe('slot a');
    });

    test('nor where it is known by the disk that the host has left, and nobody answers', () => {
      disk('sda', '52:54:00:00:00:99', '70');
      expect(boots('', 'M_HOST= OWN_DISK=sdx OWN_HOST=52:54:00:00:00:01')).toBe('');
      expect(readFileSync(host.path('run/log'), 'utf8')).toContain('disk sda belongs to another host');
    });

    test.each([
      ['names a card of this machine', '52:54:00:00:00:01', ''],
      ['names the host that the server takes it for', '52:54:00:00:00:98', 'M_HOST=52:54:00:00:00:98'],
      ['names nobody, as a composed one', '', ''],
    ])('started where the disk %s', (_, owner, self) => {
      disk('sda', owner, '7');
      expect(boots('answered', self)).toBe('slot a');
    });
  });

  test.each([
    ['the server has nothing to do for this machine', 'hold', 'came sda'],
    ['an install is going on', 'install', 'nothing'],
    ['the server has not said anything yet', '', 'nothing'],
  ])('a disk that comes late, while %s', (_, action, result) => {
    disk('sda', '52:54:00:00:00:01', '7');
    late('sda');
    const script = `DISKS=none; look_for_disks; M_ACTION=${action}
      disk_came && echo too early; appear sda
      if disk_came; then echo "came $OWN_DISK"; else echo nothing; fi`;
    expect(said(script)).toBe(result);
  });

  test.each([
    ['the server wants its token', '401', 'sda token-sda', 'answered'],
    ['nobody wants to know more', '404', 'sda token-sda', ''],
  ])('a disk that comes late, behind one that is nobody’s, where %s', (_, status, result, how) => {
    host.disk('nvme0n1', {});
    disk('sda', '52:54:00:00:00:01', '7');
    late('sda');
    const script = `eval "$(sed '/^\\. /d; /^main$/d' '${join(INSTALLER, 'installer')}')"
      introduce() { return 1; }
      told_to_wait() { return 1; }
      boot_disk() { echo "boots with '$OWN_DISK' \${2:-}"; }
      wait_said() { :; }
      HTTP_STATUS=${status}; look_for_disks; no_order 4; no_order 4; appear sda; no_order 4
      echo "$OWN_DISK $(cat "$WB_RUN/token")"`;
    expect(said(script)).toBe(`boots with '' ${how}\nboots with '' ${how}\n${result}`);
  });

  /** Its seconds are over at once by its own clock, which says 100 at first; see {@link late}. */
  const CLOCK = `
    plug_in() { :; }
    appear() { mv "$T/late/$1"* "$WB_SYS/class/block/"; }
    sleep() {
      echo "$(($(cut -d. -f1 "$WB_PROC/uptime") + $1)).00 3.00" > "$WB_PROC/uptime"
      [ ! -e "$T/at-$(uptime_seconds)" ] || appear "$(cat "$T/at-$(uptime_seconds)")"
    }
    mount_state() { STATE=$T/state-$1; }
    read_state() { STATE=$T/state-$1; }
    unmount_disk() { STATE=$T/none; }
    STARTED=$(uptime_seconds) SERIAL_SEEN=0 OWN_DISK= OWN_HOST= CLAIMED= M_HOST=$HOST M_INSTALL_DISK=smallest
    M_IMAGE_NAME=i M_IMAGE_DIGEST=d M_SLOT=a M_ATTEMPT=att-1 M_INSTALL_WIPE=true\n`;
  const said = (script: string) =>
    host.run(shell, CLOCK + script, [
      ...['hardware.sh', 'choose-disk.sh', 'boot-disk.sh'].map((name) => join(INSTALLER, name)),
      ...INSTALL,
    ]).out;

  /** The kernel shows that disk of the machine and its partitions only then, in seconds of its uptime. */
  function late(name: string, at?: number): void {
    mkdirSync(host.path('late'), { recursive: true });
    for (const each of ['', '1', '2', '3'])
      if (existsSync(host.path(`sys/class/block/${name}${each}`)))
        renameSync(host.path(`sys/class/block/${name}${each}`), host.path(`late/${name}${each}`));
    if (at !== undefined) host.write(`at-${at}`, `${name}\n`);
  }

  function scsiHost(name: string, bus: string): void {
    mkdirSync(host.path(`sys/devices/${bus}/${name}`), { recursive: true });
    mkdirSync(host.path(`sys/class/scsi_host/${name}`), { recursive: true });
    symlinkSync(host.path(`sys/devices/${bus}/${name}`), host.path(`sys/class/scsi_host/${name}/device`));
  }

  describe('the wait for disks', () => {
    const waited = (before = '') => Number(said(`${before}wait_for_disks 8; uptime_seconds`)) - 100;

    test('three seconds in a row must bring nothing new, and what passed before counts', () => {
      host.disk('sda', {});
      expect(waited()).toBe(3);
      host.write('proc/uptime', '100.50 3.00\n');
      expect(waited('look_for_disks; sleep 2; ')).toBe(3);
      host.write('proc/uptime', '100.50 3.00\n');
      expect(waited('look_for_disks; sleep 5; ')).toBe(5);
    });

    test('one that comes in the meantime begins them anew', () => {
      host.disk('nvme0n1', {});
      disk('sda', '52:54:00:00:00:01', '7');
      late('sda', 102);
      expect(waited()).toBe(5);
    });

    test('it ends, with no disk and with new ones all the time', () => {
      expect(waited()).toBe(8);
      for (let at = 101; at < 120; at += 1) {
        host.disk(`vd${at}`, {});
        late(`vd${at}`, at);
      }
      host.write('proc/uptime', '100.50 3.00\n');
      expect(waited()).toBe(8);
    });
  });

  describe('an order to install, before the own disk is there', () => {
    const HBA = 'pci0/0000:01:00.0';
    /** An empty disk that would be taken, and this host's own behind a slow controller. */
    beforeEach(() => {
      host.disk('nvme0n1', { size: '4000000' }, [], 'pci0/0000:02:00.0/nvme/nvme0');
      disk('sda', '52:54:00:00:00:01', '7', `${HBA}/host6/target6:0:0`);
      scsiHost('host6', HBA);
      // Ports with nothing in them.
      scsiHost('host0', 'pci0/0000:00:1f.2/ata1');
      scsiHost('host7', 'pci0/0000:00:14.0/usb1/1-1');
    });
    const INSTALL = 'claim() { say claims; return 1; }; ETAG=x; wait_for_disks 8; find_own_disk; ';
    const install = (before = '') =>
      said(`${INSTALL}${before}
        install; tail -n 1 "$WB_RUN/log"; echo "$OWN_DISK '$ETAG' $SERIAL_SEEN $(uptime_seconds)"`);

    test('smallest waits for it, takes over what it says, and asks for the order anew before anything is claimed', () => {
      late('sda', 112);
      expect(install()).toMatch(/disk sda of host 52:54:00:00:00:01 is there now.*\nsda '' 7 112$/);
      expect(readFileSync(host.path('run/token'), 'utf8').trim()).toBe('token-sda');
      expect(said(`${INSTALL}choose_disk smallest; echo "$CHOSEN"`)).toBe('sda');
    });

    test('it may have come while the order was waited for', () => {
      late('sda');
      expect(install('M_INSTALL_DISK=serial=x; appear sda; ')).toMatch(/is there now.*\nsda '' 7 103$/);
    });

    test('half a minute after the start it is waited for no longer', () => {
      late('sda');
      expect(install('STARTED=75; ')).toMatch(/ claims\n 'x' 0 105$/);
      // A later order finds the time over.
      host.write('proc/uptime', '100.50 3.00\n');
      expect(install('STARTED=70; ')).toMatch(/ claims\n 'x' 0 103$/);
    });

    test.each([
      ['an order that names its disk', 'M_INSTALL_DISK=wwn=1; ', 'sda'],
      ['controllers that show their disks', '', 'sdb'],
    ])('%s: nothing is waited for', (_what, before, name) => {
      host.disk('sdb', { size: '9000000' }, [], `${HBA}/host6/target6:0:1`);
      late('sda');
      late(name);
      if (name === 'sdb') renameSync(host.path('late/sdb'), host.path('sys/class/block/sdb'));
      expect(install(before)).toMatch(/ claims\n 'x' 0 103$/);
    });

    test('an NVMe controller that is still starting is waited for too', () => {
      late('sda');
      host.disk('sdb', {}, [], `${HBA}/host6/target6:0:1`);
      host.write('sys/class/nvme/nvme0/state', 'live\n');
      host.write('sys/class/nvme/nvme1/state', 'connecting\n');
      expect(install('STARTED=75; ')).toMatch(/ claims\n 'x' 0 105$/);
    });

    test('it came after the claim: all is thought over, and the token that was claimed with stays', () => {
      late('sda');
      host.write('run/token', 'claimed');
      const script = `CLAIMED=yes STARTED=0
        find_disk() { CHOSEN=nvme0n1; appear sda; }
        install_allowed; echo "$? $OWN_DISK $OWN_HOST $(cat "$WB_RUN/token")"`;
      expect(said(script)).toBe('2 sda 52:54:00:00:00:01 claimed');
    });

    test('nor does the token of another host take the place of one that was made for this order', () => {
      host.write('sys/class/net/eth1/address', '52:54:00:00:00:02\n');
      const script = `M_HOST=52:54:00:00:00:02 TOKEN_OF=$M_HOST SERIAL_OF=$M_HOST SERIAL_SEEN=9; echo made > "$WB_RUN/token"
        wait_for_disks 8; find_own_disk; echo "$OWN_DISK $SERIAL_SEEN $(cat "$WB_RUN/token")"`;
      expect(said(script)).toBe('sda 9 made');
      disk('sdb', '52:54:00:00:00:02', '12');
      expect(said(script)).toBe('sdb 12 token-sdb');
    });

    test('where the host has moved on from the disk that is there, its new one may still come', () => {
      disk('sdb', '52:54:00:00:00:01', '7');
      host.write('state-sda/installed', '7\n');
      host.write('run/boot/grub/grubenv', 'default=a\nmoved=52-54-00-00-00-01\n');
      late('sda', 112);
      expect(install()).toMatch(/disk sda of host 52:54:00:00:00:01 is there now.*\nsda '' 7 112$/);
    });

    test('or else that disk is taken after half a minute; one that the host is on is not waited for', () => {
      disk('sdb', '52:54:00:00:00:01', '7');
      host.write('run/boot/grub/grubenv', 'default=a\nmoved=52-54-00-00-00-01\n');
      late('sda');
      expect(install('STARTED=75; ')).toMatch(/ claims\nsdb 'x' 7 105$/);
      host.write('proc/uptime', '100.50 3.00\n');
      host.write('run/boot/warmboot/host-52-54-00-00-00-01', '');
      expect(install('STARTED=75; ')).toMatch(/ claims\nsdb 'x' 7 103$/);
    });

    test('the order is for the other host that this machine is: its disk is taken over, and the order asked for anew', () => {
      host.write('sys/class/net/eth1/address', '52:54:00:00:00:02\n');
      disk('sdb', '52:54:00:00:00:02', '5');
      const script = `${INSTALL}M_HOST=52:54:00:00:00:02
        install; echo "$OWN_DISK '$ETAG' $SERIAL_SEEN $(cat "$WB_RUN/token")"
        ETAG=x; install; tail -n 1 "$WB_RUN/log"; choose_disk smallest; echo "$CHOSEN"`;
      expect(said(script)).toMatch(/^sdb '' 5 token-sdb\n.* claims\nsdb$/);
    });

    test('another machine’s disk that was there is not its own, and is known no more when its own comes', () => {
      disk('sdb', '52:54:00:00:00:99', '70');
      late('sda', 112);
      expect(install()).toMatch(/disk sda of host 52:54:00:00:00:01 is there now.*\nsda '' 7 112$/);
      expect(readFileSync(host.path('run/token'), 'utf8').trim()).toBe('token-sda');
    });
  });

  test('one that takes no writes is read as it is, and its system started so', () => {
    disk('sda', '52:54:00:00:00:01', '7');
    host.write('sys/class/block/sda/ro', '1\n');
    host.disk('sdb', { size: '4000000' });
    host.validSlot('b', `sha256:${'0b'.repeat(32)}`);
    host.write('run/boot/grub/grubenv', 'default=b\ntries_b=3\n');
    host.write('run/boot/grub/spare', '');
    const script = `
      wait_for_disks() { :; }
      mount_state() { return 1; }
      read_state() { STATE=$T/state-$1; }
      unmount_disk() { STATE=$T/none; }
      SERIAL_SEEN=0
      know_own_disk
      M_HOST=$OWN_HOST; choose_disk smallest
      echo "$OWN_DISK, for an install $CHOSEN"
      helper=$HELPER HELPER=worn_out
      worn_out() (case $3 in set | init) exit 1 ;; esac; "$helper" "$@")
      jump() { echo "$@"; exit; }
      boot_disk 'no order'`;
    expect(host.run(shell, script, PARTS).out).toBe(
      'sda, for an install sdb\nb root=PARTUUID=b ro rootflags=norecovery fsck.mode=skip warmboot.disk=read-only',
    );
  });
});
