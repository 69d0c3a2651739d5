import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { firstSlotNumber, placePartitions, sfdiskScript } from '../../server/core/disk-layout.ts';
import { FakeHost, INSTALL, INSTALLER, SHELLS } from './shell.ts';

/** What a reinstall does to the data partition: nothing, or it is refused before the disk is touched. */
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.disk(
    'sda',
    {},
    ['bios', 'boot', 'state', 'a', 'b', 'data'].map((label) => `warmboot-${label}`),
  );
  host.write('sys/devices/pci0/block/sda/sda6/size', '131072\n');
  host.write('blkid/PTTYPE-dev-sda', 'gpt\n');
  host.writeBytes('dev-sda6', Buffer.alloc(64 * MIB, 'x'));
  // A real sfdisk would read a disk; this one knows a file, and the kernel that it tells shows the new name of partition 6.
  host.write(
    'bin/sfdisk',
    `#!/bin/sh
    show() { echo "PARTNAME=$1" > "$WB_SYS/class/block/sda6/uevent"; echo "$1" >> "$T/names"; }
    case "$*" in
      -d*)
        if [ -s "$T/table" ]; then cat "$T/table"; exit 0; fi
        cat "$T/sfdisk-says" >&2; exit 1 ;;
      *--part-label*)
        dumpe2fs -h "$T/dev-sda6" > "$T/filesystem" 2> /dev/null
        show "$5" ;;
      *) cat > "$T/written"; show "$(sed -n 's/.*name=\\(warmboot-data.*\\)$/\\1/p' "$T/written")" ;;
    esac\n`,
    0o755,
  );
});
afterEach(() => host.remove());

const PARTS = [...['choose-disk.sh', 'boot-disk.sh'].map((name) => join(INSTALLER, name)), ...INSTALL];
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
/** Partitions are files here, so that what is written to them is written nowhere else. */
const NODES = 'device() { echo "$T/dev-$1"; }\n';

type Shape = { slotBytes?: number; data?: boolean; bytes?: number; table?: 'gpt' | 'msdos' };

/** As the server gives it for such a layout. */
function layout({ slotBytes = GIB, data = true, bytes = 8 * GIB, table = 'gpt' }: Shape = {}): string {
  const disk = { bytes, sectorBytes: 512 } as const;
  const shape = { name: 'x', table, bootBytes: GIB / 4, stateBytes: GIB / 16, slots: 2, slotBytes, data };
  const placed = placePartitions(shape, disk, ['a', 'b'], () => 'u');
  if (!('partitions' in placed)) throw new Error('too small');
  expect(firstSlotNumber(shape)).toBeGreaterThan(2);
  return sfdiskScript(table, { guid: 'g', signature: 's', identity: 'i' }, disk, placed.partitions);
}

/** The same as `sfdisk -d` shows it. */
function shown(script: string): string {
  let number = 0;
  return script.replaceAll(/^(?:p(\d+) : )?start=(\d+), size=(\d+), (.*?)(?:, name=(\S+))?$/gm, (...row) => {
    const [, given, start, size, rest, name] = row;
    number += 1;
    return `/dev/sda${given ?? number} : start=${start.padStart(12)}, size=${size.padStart(12)}, ${rest}${name ? `, name="${name}"` : ''}`;
  });
}

describe.each(SHELLS)('in %s', (...shell) => {
  const install = (before: string, after: string, wipe = false) => {
    host.write('table', before);
    host.write('layout', after);
    const script = `
      ${NODES}
      fetch_layout() { cp "$T/layout" "$WB_RUN/layout"; HTTP_STATUS=200; }
      wait_for_partition() { case $1 in data*) partition_on sda "warmboot-$1" > /dev/null ;; esac; }
      CHOSEN=sda OWN_DISK=$(cat "$T/own" 2> /dev/null) OWN_HOST=$HOST M_HOST=$HOST M_SLOT=a M_INSTALL_WIPE=${wipe}
      ( make_partitions /dev/sda ) > /dev/null
      cat "$WB_RUN/work/reason" 2> /dev/null; cat "$T/calls" 2> /dev/null || :`;
    return host.run(shell, script, PARTS).out;
  };
  const written = () => existsSync(host.path('written'));
  const names = () => readFileSync(host.path('names'), 'utf8').trim().split('\n');
  /** What the partition held before. */
  const kept = () => readFileSync(host.path('dev-sda6')).equals(Buffer.alloc(64 * MIB, 'x'));

  test.each(['gpt', 'msdos'] as const)('%s: the same layout keeps it', (table) => {
    expect(install(shown(layout({ table })), layout({ table }))).toBe('');
    expect(written()).toBe(true);
    expect(kept()).toBe(true);
  });

  test('a new one is called data once it has a filesystem that old kernels mount, and not before', () => {
    expect(install(shown(layout({ data: false })), layout())).toBe('');
    expect(names()).toEqual(['warmboot-data-new', 'warmboot-data']);
    const about = readFileSync(host.path('filesystem'), 'utf8');
    expect(about).toMatch(/^Filesystem volume name: +warmboot-data$/m);
    expect(about).toMatch(/^Errors behavior: +Remount read-only$/m);
    expect(about).toMatch(/^Reserved block count: +0$/m);
    expect(about).toMatch(/^Block size: +4096$/m);
    expect(about).not.toMatch(/orphan_file|metadata_csum|64bit/);
    // Else the inode tables of a large disk are written now, for an hour.
    expect(about).toMatch(/^Filesystem features:.* uninit_bg/m);
  });

  test('a power cut while its filesystem was made: it is made again', () => {
    const half = shown(layout()).replace('"warmboot-data"', '"warmboot-data-new"');
    expect(install(half, layout())).toBe('');
    expect(names()).toEqual(['warmboot-data-new', 'warmboot-data']);
    expect(kept()).toBe(false);
  });

  test("another host's data are not given to this one, not even at the same place", () => {
    const same = () => install(shown(layout()), layout(), true);
    const before = 'mount -t ext4 -o ro,noload,nodev,nosuid,noexec';
    host.write('run/state/host', '52:54:00:00:00:01\n');
    expect(same()).toContain(before);
    expect(kept()).toBe(true);
    host.write('run/state/host', '52:54:00:00:00:99\n');
    same();
    expect(names().slice(-2)).toEqual(['warmboot-data-new', 'warmboot-data']);
    expect(kept()).toBe(false);
  });

  test.each(['gpt', 'msdos'] as const)(
    '%s: what an administrator made in the free space is not taken from him',
    (table) => {
      host.write('sys/devices/pci0/block/sda/sda9/partition', '9\n');
      host.write(
        'sys/devices/pci0/block/sda/sda9/uevent',
        table === 'gpt' ? 'DEVTYPE=partition\nPARTNAME=srv\n' : '',
      );
      symlinkSync(host.path('sys/devices/pci0/block/sda/sda9'), host.path('sys/class/block/sda9'));
      host.write('blkid/PART_ENTRY_TYPE-sda9', '0x8e\n');
      expect(install(shown(layout({ table })), layout({ table }))).toMatch(
        /would destroy what somebody else has on disk sda: sda9/,
      );
      expect(written()).toBe(false);
      install(shown(layout({ table })), layout({ table }), true);
      expect(written()).toBe(true);
    },
  );

  test('a server that is away is waited for; one that says no is believed', () => {
    const asked = (answer: string) =>
      host.run(
        shell,
        `fetch_layout() { asked=$((asked + 1)); ${answer}; [ "$HTTP_STATUS" = 200 ]; }
        still_wanted() { :; }
        server_is_away() { [ "$HTTP_STATUS" = 000 ]; }
        sleep() { echo "$(($(cut -d. -f1 "$WB_PROC/uptime") + 600)).00 3.00" > "$WB_PROC/uptime"; }
        asked=0
        fail() { echo "$1, asked $asked times"; exit; }
        get_layout; echo "there, asked $asked times"`,
        PARTS,
      ).out;
    expect(asked('if [ "$asked" -lt 50 ]; then HTTP_STATUS=000; else HTTP_STATUS=200; fi')).toBe(
      'there, asked 50 times',
    );
    expect(asked('HTTP_STATUS=404')).toBe('the server gives no partition table (status 404), asked 6 times');
    expect(asked('HTTP_STATUS=500')).toBe('the server gives no partition table (status 500), asked 8 times');
  });

  test('on a disk that has grown it grows', () => {
    expect(install(shown(layout()), layout({ bytes: 9 * GIB }))).toBe('');
    expect(written()).toBe(true);
    expect(kept()).toBe(true);
  });

  test.each([
    ['larger slots', { slotBytes: 2 * GIB }, /it begins at sector 9048064, not at 4853760;/],
    ['no data partition', { data: false }, /it has none;/],
    ['another kind of table', { table: 'msdos' as const }, /it begins at sector/],
    ['a disk that shrank', { bytes: 7 * GIB }, /it has 9824256 sectors, not 11921408;/],
  ])('%s: refused, and the disk is as it was', (_, shape, said) => {
    expect(install(shown(layout()), layout(shape))).toMatch(said);
    expect(written()).toBe(false);
  });

  test('msdos: larger slots are refused there too', () => {
    const before = shown(layout({ table: 'msdos' }));
    expect(install(before, layout({ table: 'msdos', slotBytes: 2 * GIB }))).toMatch(/it begins at sector/);
    expect(written()).toBe(false);
  });

  test('an order that says wipe may lose it; what is there then must not look like a filesystem', () => {
    install(shown(layout()), layout({ slotBytes: 2 * GIB }), true);
    expect(names()).toEqual(['warmboot-data-new', 'warmboot-data']);
    expect(kept()).toBe(false);
  });

  test('the state partition is at another place: what makes this host the one it is comes along', () => {
    host.write('own', 'sda\n');
    host.write('run/state/host', '52:54:00:00:00:01\n');
    host.write('run/state/machine-id', 'abc\n');
    install(shown(layout({ data: false })), layout({ data: false, slotBytes: 2 * GIB }));
    expect(readFileSync(host.path('run/state.kept/machine-id'), 'utf8')).toBe('abc\n');
    host.write('run/state/host', '52:54:00:00:00:99\n');
    host.write('sys/devices/pci0/block/sda/sda6/uevent', 'PARTNAME=warmboot-data\n');
    install(shown(layout({ data: false })), layout({ data: false, slotBytes: 2 * GIB }));
    expect(existsSync(host.path('run/state.kept'))).toBe(false);
  });

  test('an earlier try took the state partition away, and came no further: what it kept is used once more', () => {
    const again = (of = '') => {
      const script = `
        mount_state() { mkdir -p "$T/state-1" && STATE=$T/state-1; [ -e "$STATE/host" ]; }
        read_state() { mount_state; }
        unmount_disk() { :; }
        CHOSEN=sda OWN_DISK=sda OWN_HOST=$HOST M_HOST=$HOST
        ${of}
        keep_state
        echo "$KEPT_FROM $(cat "$WB_RUN/state.kept/machine-id" 2> /dev/null)"`;
      return host.run(shell, script, PARTS).out;
    };
    host.write('state-1/host', '52:54:00:00:00:01\n');
    host.write('state-1/machine-id', 'abc\n');
    expect(again()).toBe('sda abc');
    rmSync(host.path('state-1'), { recursive: true });
    expect(again()).toBe('sda abc');
    expect(again('OWN_HOST=other M_HOST=other')).toBe('');
  });

  describe('the state partition of a disk that the host moves to', () => {
    /** What it has afterwards: `from` of the disk that the host was on, `there` of the one that it moves to. */
    const machineId = (
      from: string | null,
      there: string | null,
      installed: readonly [string, string] = ['2', '1'],
    ) => {
      for (const [name, id, serial] of [
        ['sda', from, installed[0]],
        ['sdb', there, installed[1]],
      ] as const)
        if (id !== null) {
          host.write(`state-${name}/installed`, `${serial}\n`);
          host.write(`state-${name}/data`, `of ${name}\n`);
          host.write(`state-${name}/host`, '52:54:00:00:00:01\n');
          host.write(`state-${name}/machine-id`, `${id}\n`);
        }
      host.write('run/token', 'token');
      host.write('layout', layout());
      host.run(
        shell,
        `${NODES}cp "$T/layout" "$WB_RUN/layout"
        tracked() { case $1 in */mke2fs) rm -rf "$T/state-sdb"; mkdir "$T/state-sdb" ;; esac; }
        mount_state() { STATE=$T/state-$1; [ -d "$STATE" ]; }
        read_state() { mount_state "$1"; }
        is_warmboot_disk() { :; }
        probe() { :; }
        partition_on() { echo "$1-$2"; }
        unmount_disk() { :; }
        is_mounted() { return 1; }
        CHOSEN=sdb OWN_DISK=${from === null ? '' : 'sda'} OWN_HOST=$HOST M_HOST=$HOST M_SERIAL=7 SERVER_PEM=$T/pem SERVER_URL=u
        : > "$T/pem"
        keep_state; put_state`,
        PARTS,
      );
      expect(readFileSync(host.path('state-sdb/installed'), 'utf8')).toBe('7\n');
      const file = host.path('state-sdb/machine-id');
      return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
    };

    test('has what makes the host the one it is, from the disk that it was on last', () => {
      expect(machineId('newer', null)).toBe('newer');
      expect(machineId('newer', 'older')).toBe('newer');
      expect(existsSync(host.path('state-sdb/data'))).toBe(false);
      expect(readFileSync(host.path('state-sdb/host'), 'utf8')).toBe('52:54:00:00:00:01\n');
      expect(readdirSync(host.path('run/state.kept'))).not.toContain('host');
    });
    test('keeps its own where there is no other, or none that was installed later', () => {
      expect(machineId(null, 'own')).toBe('own');
      expect(machineId('older', 'newer', ['1', '2'])).toBe('newer');
      expect(machineId('as old', 'own', ['1', '1'])).toBe('own');
      expect(existsSync(host.path('state-sdb/data'))).toBe(true);
    });
  });

  test('a table that cannot be read is not one without data', () => {
    host.write('sfdisk-says', 'sfdisk: /dev/sda: read error: Input/output error\n');
    expect(install('', layout())).toMatch(/the partition table of disk sda cannot be read: .*Input\/output/);
    expect(written()).toBe(false);
    // sfdisk finds none where the kernel shows partitions.
    host.write('sfdisk-says', 'sfdisk: /dev/sda: does not contain a recognized partition table\n');
    expect(install('', layout())).toMatch(/cannot be read/);
    expect(written()).toBe(false);
  });
});
