import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { firstSlotNumber, placePartitions, sfdiskScript } from '../../server/core/disk-layout.ts';
import { FakeHost, INSTALLER, SHELLS } from './shell.ts';

/** What a reinstall does to the data partition: nothing, or it is refused before the disk is touched. */
let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  host.disk(
    'sda',
    {},
    ['bios', 'boot', 'state', 'a', 'b', 'data'].map((label) => `warmboot-${label}`),
  );
  // A real sfdisk would read a disk; this one knows a file, and writes none.
  host.write(
    'bin/sfdisk',
    `#!/bin/sh
    case $1 in
      -d)
        if [ -s "$T/table" ]; then cat "$T/table"; exit 0; fi
        cat "$T/sfdisk-says" >&2; exit 1 ;;
      *) cat > "$T/written" ;;
    esac\n`,
    0o755,
  );
});
afterEach(() => host.remove());

const PARTS = ['choose-disk.sh', 'install.sh'].map((name) => join(INSTALLER, name));
const GIB = 1024 ** 3;

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
      fetch_layout() { cp "$T/layout" "$WB_RUN/layout"; HTTP_STATUS=200; }
      wait_for_partition() { :; }
      wipefs() { echo "wipefs $*" >> "$T/calls"; }
      CHOSEN=sda M_SLOT=a M_INSTALL_WIPE=${wipe}
      ( make_partitions /dev/sda ) > /dev/null
      cat "$WB_RUN/work/reason" 2> /dev/null; cat "$T/calls" 2> /dev/null || :`;
    return host.run(shell, script, PARTS).out;
  };
  const written = () => existsSync(host.path('written'));

  test.each(['gpt', 'msdos'] as const)('%s: the same layout keeps it', (table) => {
    expect(install(shown(layout({ table })), layout({ table }))).toBe('');
    expect(written()).toBe(true);
  });

  test('on a disk that has grown it grows', () => {
    expect(install(shown(layout()), layout({ bytes: 9 * GIB }))).toBe('');
    expect(written()).toBe(true);
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
    expect(install(shown(layout()), layout({ slotBytes: 2 * GIB }), true)).toBe('wipefs -qa /dev/sda6');
    expect(written()).toBe(true);
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
