import { copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { inCheckout } from '../../lab/paths.ts';
import { placePartitions, sfdiskScript, type TableKind } from '../../server/core/disk-layout.ts';
import { cuts } from '../power-cut/cuts.ts';
import { type Entry, SECTOR } from '../power-cut/write-log.ts';
import { FakeHost, INSTALL, INSTALLER, SHELLS } from './shell.ts';

/**
 * A reinstall writes the table of a disk that holds production data, and the power is cut at each of its writes: what is left says whose
 * disk it is and where its data are. The real sfdisk and wipefs work on a file.
 */
let programs: string;
beforeAll(async () => {
  programs = mkdtempSync(join(tmpdir(), 'warmboot-table-cuts-'));
  const shim = inCheckout('test/power-cut/recorded-writes.c');
  await execa('gcc', ['-shared', '-fPIC', '-o', join(programs, 'recorded.so'), shim, '-ldl']);
});
afterAll(() => rmSync(programs, { recursive: true }));

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost();
  for (const program of ['sfdisk', 'wipefs'])
    host.write(
      `bin/${program}`,
      `#!/bin/sh
      if [ -e "$T/records" ]; then
        export LD_PRELOAD='${join(programs, 'recorded.so')}' RECORDED="$T/dev-sda" RECORD="$T/record"
      fi
      PATH=/usr/sbin:/sbin:\${PATH#*:} exec ${program} "$@"\n`,
      0o755,
    );
});
afterEach(() => host.remove());

const PARTS = [join(INSTALLER, 'choose-disk.sh'), ...INSTALL];
const [DASH = ['sh']] = SHELLS;
const MIB = 2 ** 20;
const COMMON = `
  device() { echo "$T/dev-$1"; }
  fetch_layout() { cp "$T/layout" "$WB_RUN/layout"; HTTP_STATUS=200; }
  wait_for_partition() { :; }
  CHOSEN=sda OWN_DISK= M_HOST=$HOST M_SLOT=a M_INSTALL_WIPE=false\n`;

function layout(table: TableKind, megabytes: number): string {
  const disk = { bytes: megabytes * MIB, sectorBytes: SECTOR } as const;
  const sizes = { bootBytes: 2 * MIB, stateBytes: MIB, slots: 2, slotBytes: MIB, data: true };
  const guid = (_label: string, number: number) => `67a35ee5-1e81-8e51-9e22-00000000000${number}`;
  const placed = placePartitions({ name: 'x', table, ...sizes }, disk, ['a', 'b'], guid);
  if (!('partitions' in placed)) throw new Error('too small');
  const names = { guid: guid('disk', 0), signature: '67a35ee5', identity: 'i' };
  return sfdiskScript(table, names, disk, placed.partitions);
}

/** What a first install left, and what lies beside its table since. */
async function installed(table: TableKind, megabytes: number, isBeside: boolean): Promise<Buffer> {
  const file = host.path('dev-sda');
  host.write('dev-sda', '');
  truncateSync(file, megabytes * MIB);
  const input = layout(table, megabytes);
  await execa('/sbin/sfdisk', ['-q', '--wipe', 'always', file], { input });
  if (isBeside) {
    const disk = openSync(file, 'r+');
    for (const [at, type] of [
      [32768, '\x01'],
      [34816, '\xff'],
    ] as const)
      writeSync(disk, Buffer.from(`${type}CD001\x01`, 'latin1'), 0, 7, at);
  }
  return readFileSync(file);
}

/** The writes and flushes of `make_partitions`. */
function reinstall(): Entry[] {
  return recorded('make_partitions "$T/dev-sda"');
}

/** The writes and flushes of that work. */
function recorded(work: string): Entry[] {
  host.write('records', '');
  const script = `${COMMON}( ${work} ); cat "$WB_RUN/work/reason" 2> /dev/null`;
  const said = host.run(DASH, script, PARTS);
  rmSync(host.path('records'));
  expect(said.out).toBe('');
  const record = readFileSync(host.path('record'));
  const entries: Entry[] = [];
  for (let at = 0; at < record.length; ) {
    const [sector, sectors] = [record.readBigUInt64LE(at), record.readBigUInt64LE(at + 8)].map(Number) as [
      number,
      number,
    ];
    at += 16;
    entries.push(sectors === 0 ? 'flush' : { sector, data: record.subarray(at, at + sectors * SECTOR) });
    at += sectors * SECTOR;
  }
  return entries;
}

const dataIn = (script: string) =>
  /start=(\d+), size=(\d+), (?:type=da|.*name=warmboot-data)$/m.exec(script)?.slice(1).join(' ');

/** What the installer finds on the disk of each cut. */
function found(
  before: Buffer,
  entries: readonly Entry[],
  bytes: number,
  look = 'table=$(table_of "$T/dev-sda") || echo "no table"; echo "$table" | place_of_data',
): Map<string, string> {
  const answers = new Map<string, string>();
  const touched = new Set<number>();
  for (const entry of entries)
    if (entry !== 'flush')
      for (let i = 0; i * SECTOR < entry.data.length; i += 1) touched.add(entry.sector + i);
  const file = host.path('dev-sda');
  copyFileSync(file, host.path('whole'));
  const disk = openSync(file, 'r+');
  // The disk as it was is the first write, and is there.
  for (const cut of cuts([{ sector: 0, data: before }, 'flush', ...entries], bytes, 3, () => {})) {
    if (cut.name.endsWith('after entry 0')) continue;
    for (const sector of touched)
      writeSync(disk, cut.disk.read(sector * SECTOR, SECTOR), 0, SECTOR, sector * SECTOR);
    const { out } = host.run(
      DASH,
      `${COMMON}${look}
      if is_half_made; then echo ours; fi`,
      PARTS,
    );
    answers.set(cut.name, out);
  }
  copyFileSync(host.path('whole'), file);
  return answers;
}

describe.each(['gpt', 'msdos'] as const)('%s', (table) => {
  test('the first table of an empty disk', () => {
    const bytes = 16 * MIB;
    host.disk('sda', { size: `${bytes / SECTOR}` });
    host.write('dev-sda', '');
    truncateSync(host.path('dev-sda'), bytes);
    host.write('layout', layout(table, 16));
    const before = readFileSync(host.path('dev-sda'));
    const entries = recorded(
      'fetch_layout; cp "$WB_RUN/layout" "$WB_RUN/layout.marked"; write_table "$T/dev-sda" ""',
    );
    const answers = found(before, entries, bytes, 'disk_content sda');
    expect(answers.size).toBeGreaterThan(table === 'gpt' ? 8 : 1);
    for (const [name, answer] of answers) expect(answer, name).toMatch(/^empty$|\nours$/);
    expect([...answers.values()].pop()).toBe('foreign\nours');
  });

  test.each([
    ['as it was', 16, false],
    ['with something beside it', 16, true],
    ['on a disk that has grown', 20, false],
    ['with something beside it on a disk that has grown', 20, true],
  ] as const)('a table %s', async (_what, megabytes, isBeside) => {
    await installed(table, 16, isBeside);
    host.disk(
      'sda',
      {},
      ['bios', 'boot', 'state', 'a', 'b', 'data'].map((label) => `warmboot-${label}`),
    );
    truncateSync(host.path('dev-sda'), megabytes * MIB);
    host.write('layout', layout(table, megabytes));
    const before = readFileSync(host.path('dev-sda'));
    const entries = reinstall();
    expect(entries.filter((entry) => entry !== 'flush').length).toBeGreaterThanOrEqual(4);
    const answers = found(before, entries, megabytes * MIB);
    expect(answers.size).toBeGreaterThan(8);
    const may = [16, megabytes].map((size) => `${dataIn(layout(table, size))}\nours`);
    for (const [name, answer] of answers) expect(may, name).toContain(answer);
    // What is no table and not ours is gone in the end.
    const { stdout } = await execa('/sbin/wipefs', [
      '-n',
      '-O',
      'TYPE',
      '--noheadings',
      host.path('dev-sda'),
    ]);
    expect(new Set(stdout.split(/\s+/).filter(Boolean))).toEqual(
      new Set(table === 'gpt' ? ['gpt', 'PMBR'] : ['dos']),
    );
  });
});
