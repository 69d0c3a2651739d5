import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Disk,
  type DiskLayout,
  placePartitions,
  sfdiskScript,
  smallestDisk,
} from '../../server/core/disk-layout.ts';
import { slotNames } from '../../server/core/host.ts';
import { diskGuid, diskNames, partitionGuid } from '../../server/core/partition-guid.ts';

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
const layout: DiskLayout = {
  name: 'two-slots',
  table: 'gpt',
  bootBytes: 512 * MIB,
  stateBytes: 64 * MIB,
  slots: 2,
  slotBytes: 2 * GIB,
  data: false,
};
/** GPT at both ends, BIOS boot, boot, state, two slots. */
const NEEDED = (2 + 1 + 512 + 64) * MIB + 4 * GIB;

const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex');
const guid = diskGuid('host-1', 'attempt-1', sha256Hex);
const placed = (facts: Partial<DiskLayout>, disk: Disk) => {
  const wanted = { ...layout, ...facts };
  return placePartitions(wanted, disk, slotNames(wanted.slots), (label) =>
    partitionGuid(guid, label, sha256Hex),
  );
};
function partitionsOf(facts: Partial<DiskLayout>, disk: Disk) {
  const answer = placed(facts, disk);
  if ('neededBytes' in answer) throw new Error(`needs ${answer.neededBytes}`);
  return answer.partitions;
}

describe.each([512, 4096] as const)('sectors of %i bytes', (sectorBytes) => {
  test('partitions begin at a MiB, follow each other and leave room for both GPTs', () => {
    const disk = { bytes: 10 * GIB + 12345, sectorBytes };
    const partitions = partitionsOf({ data: true, slots: 4 }, disk);
    expect(partitions.map(({ label }) => label.replace('warmboot-', ''))).toEqual([
      'bios',
      'boot',
      'state',
      'a',
      'b',
      'c',
      'd',
      'data',
    ]);
    let end = MIB;
    for (const [index, { number, startSector, sectors }] of partitions.entries()) {
      expect(number).toBe(index + 1);
      expect(startSector * sectorBytes).toBe(end);
      expect(Number.isSafeInteger(sectors)).toBe(true);
      end += sectors * sectorBytes;
      expect(end % MIB).toBe(0);
    }
    expect(end).toBeLessThanOrEqual(disk.bytes - MIB);
    expect(end).toBeGreaterThan(disk.bytes - 2 * MIB - 12345);
  });

  test('a disk that is one byte too small is told the bytes needed', () => {
    expect(placed({}, { bytes: NEEDED - 1, sectorBytes })).toEqual({ neededBytes: NEEDED });
    expect(placed({}, { bytes: NEEDED, sectorBytes })).toHaveProperty('partitions');
    expect(placed({ data: true }, { bytes: NEEDED + MIB - 1, sectorBytes })).toEqual({
      neededBytes: NEEDED + MIB,
    });
    expect(partitionsOf({ data: true }, { bytes: NEEDED + MIB, sectorBytes }).at(-1)?.sectors).toBe(
      MIB / sectorBytes,
    );
  });
});

describe('msdos', () => {
  const numbers = (facts: Partial<DiskLayout>) =>
    partitionsOf({ table: 'msdos', ...facts }, { bytes: 40 * GIB, sectorBytes: 512 })
      .map(({ number, label, type }) => `${number}=${label.replace('warmboot-', '')}:${type}`)
      .join(' ');

  test('numbers and types are fixed, for there are no names', () => {
    expect(numbers({})).toBe('1=boot:ef 2=state:83 3=a:83 4=b:83');
    expect(numbers({ data: true })).toBe('1=boot:ef 2=state:83 3=extended:0f 5=a:83 6=b:83 7=data:da');
    expect(numbers({ slots: 3 })).toBe('1=boot:ef 2=state:83 3=extended:0f 5=a:83 6=b:83 7=c:83');
  });

  test.each([{}, { data: true }, { slots: 8 }])('needs no byte more than it says: %o', (facts) => {
    const wanted = { table: 'msdos', ...facts } as const;
    const bytes = smallestDisk({ ...layout, ...wanted }, slotNames({ ...layout, ...wanted }.slots));
    expect(placed(wanted, { bytes: bytes - 1, sectorBytes: 512 })).toEqual({ neededBytes: bytes });
    const last = partitionsOf(wanted, { bytes, sectorBytes: 512 }).at(-1);
    expect(((last?.startSector ?? 0) + (last?.sectors ?? 0)) * 512).toBe(bytes);
  });

  test('data on a disk beyond what 32 bits can count ends there', () => {
    const last = partitionsOf({ table: 'msdos', data: true }, { bytes: 5 * 2 ** 40, sectorBytes: 512 }).at(
      -1,
    );
    expect((last?.startSector ?? 0) + (last?.sectors ?? 0)).toBe(2 ** 32);
    expect(last?.sectors).toBeLessThan(2 ** 32);
  });

  test('the signature is never 0: that would mean none', () => {
    const zero = () => '0'.repeat(64);
    expect(diskNames({ ...layout, table: 'msdos' }, guid, zero).signature).not.toBe('00000000');
  });
});

describe('sfdisk', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'warmboot-disk-'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));
  const tools = ['/usr/sbin/sfdisk', '/sbin/sfdisk'].filter((file) => existsSync(file));

  test.skipIf(tools.length === 0).each([512, 4096] as const)(
    'takes the script, sectors of %i',
    (sectorBytes) => {
      const disk = { bytes: 8 * GIB, sectorBytes };
      const partitions = partitionsOf({ data: true }, disk);
      const file = join(dir, `${sectorBytes}.img`);
      writeFileSync(file, '');
      truncateSync(file, disk.bytes);
      const sfdisk = (args: string[], input = '') =>
        execFileSync(tools[0] ?? '', [...args, '--sector-size', String(sectorBytes), file], {
          input,
          encoding: 'utf8',
          stdio: 'pipe',
        });
      sfdisk(
        ['--quiet', '--no-reread', '--no-tell-kernel'],
        sfdiskScript('gpt', diskNames(layout, guid, sha256Hex), disk, partitions),
      );
      const { partitiontable: table } = JSON.parse(sfdisk(['--json']));
      expect(table).toMatchObject({ label: 'gpt', id: guid.toUpperCase(), sectorsize: sectorBytes });
      expect(
        table.partitions.map((found: Record<string, unknown>) => [
          found.name,
          found.start,
          found.size,
          found.uuid,
          found.type,
        ]),
      ).toEqual(
        partitions.map(({ label, startSector, sectors, uuid, type }) => [
          label,
          startSector,
          sectors,
          uuid.toUpperCase(),
          type,
        ]),
      );
    },
  );
});

test('GUIDs follow from host and attempt for ever: agents address their disks by them', () => {
  expect(guid).toBe('3e0bf6bd-c2ae-8767-9774-6043c15e08e9');
  expect(partitionGuid(guid, 'warmboot-a', sha256Hex)).toBe('67a35ee5-1e81-8e51-9e22-9717ce33fd28');
});

test('GUIDs are valid, lower case, and differ by host, attempt and label', () => {
  const all = ['host-1', 'host-2'].flatMap((host) =>
    ['one', 'two'].flatMap((attempt) => {
      const disk = diskGuid(host, attempt, sha256Hex);
      return [disk, ...['warmboot-a', 'warmboot-b'].map((label) => partitionGuid(disk, label, sha256Hex))];
    }),
  );
  expect(new Set(all).size).toBe(12);
  for (const one of all)
    expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
