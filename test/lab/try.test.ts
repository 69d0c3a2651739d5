import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { diskMachineArguments, sectorsOf } from '../../lab/disk-machine.ts';
import { filesystemBytesIn, layoutFor } from '../../lab/try-layout.ts';
import { parseTryOptions } from '../../lab/try-options.ts';

test('what try can be asked for', () => {
  expect(parseTryOptions(['debian-13'])).toEqual({
    what: 'debian-13',
    firmware: 'bios',
    memoryMiB: 1024,
    snapshot: true,
    layout: null,
    data: null,
    server: null,
  });
  expect(parseTryOptions(['--uefi', 'disk.img', '--memory', '2048', '--no-snapshot'])).toMatchObject({
    what: 'disk.img',
    firmware: 'uefi',
    memoryMiB: 2048,
    snapshot: false,
  });
  expect(parseTryOptions(['--help'])).toBe('help');
  expect(() => parseTryOptions([])).toThrow(/name one image or one disk/);
  expect(() => parseTryOptions(['a', 'b'])).toThrow(/name one/);
  expect(() => parseTryOptions(['a', '--memory', '1G'])).toThrow(/a number of MiB/);
});

test('the sectors of a disk are read from its boot partition', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'warmboot-try-'));
  const disk = join(folder, 'disk');
  const bootAt = (at: number, sector: number) => {
    const content = Buffer.alloc(at + 512);
    content.writeUInt16LE(sector, at + 11);
    content.write('FAT32   ', at + 82, 'latin1');
    writeFileSync(disk, content);
    return sectorsOf(disk);
  };
  expect(await bootAt(1 << 20, 4096)).toBe(4096);
  expect(await bootAt(2 << 20, 4096)).toBe(4096);
  expect(await bootAt(2 << 20, 512)).toBe(512);
  writeFileSync(disk, 'short');
  expect(await sectorsOf(disk)).toBe(512);
  rmSync(folder, { recursive: true });
});

test('a comma in a path does not end the option, and a snapshot is asked for', () => {
  const machine = {
    disk: '/tmp/a,b.img',
    sectorBytes: 4096,
    memoryMiB: 512,
    snapshot: true,
    ovmf: null,
    serial: 'mon:stdio',
  } as const;
  const args = diskMachineArguments(machine, { name: 'tcg', qemuArgs: [], processors: 1, slowness: 4 }).join(
    ' ',
  );
  expect(args).toContain('file=/tmp/a,,b.img,format=raw');
  expect(args).toContain('snapshot=on');
  expect(args).toContain('logical_block_size=4096');
});

test('an image is tried on the smallest disk that holds it', () => {
  const GIB = 1024 ** 3;
  const layouts = [
    { name: 'four', table: 'gpt', slots: 4, slotBytes: 8 * GIB },
    { name: 'an-msdos', table: 'msdos', slots: 2, slotBytes: 2 * GIB },
    { name: 'two', table: 'gpt', slots: 2, slotBytes: 2 * GIB },
  ] as const;
  expect(layoutFor('x', 0, layouts)).toBe('two');
  expect(layoutFor('x', 2 * GIB, layouts)).toBe('two');
  expect(layoutFor('x', 2 * GIB + 1, layouts)).toBe('four');
  expect(() => layoutFor('x:1', 9 * GIB, layouts)).toThrow(
    'x:1 needs slots of 9663676416 bytes, those of the layouts here have 8589934592 at most: write a layout',
  );
  expect(parseTryOptions(['alma-9', '--layout', 'four-slots'])).toMatchObject({ layout: 'four-slots' });
});

test('what is neither a file nor an image is called so', () => {
  const images = [
    { digest: 'sha256:1', tags: ['web:latest', 'web:2'], filesystemBytes: 5 },
    { digest: 'sha256:2', tags: ['installer:latest'], filesystemBytes: null },
  ];
  for (const what of ['web', 'web:2', 'sha256:1']) expect(filesystemBytesIn(images, what)).toBe(5);
  expect(filesystemBytesIn(images, 'installer')).toBe(0);
  expect(() => filesystemBytesIn(images, '/tmp/nope.img')).toThrow(
    'there is neither a file nor an image /tmp/nope.img',
  );
});
