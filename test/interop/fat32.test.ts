import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fat32Options, planFat32 } from '../../server/filesystems/fat32/plan.ts';

/** Volumes of our own planner before fsck.vfat and mtools. */

const MIB = 1024 ** 2;
const env = {
  ...process.env,
  LC_ALL: 'C',
  PATH: `${process.env.PATH}:/usr/sbin:/sbin`,
  MTOOLS_SKIP_CHECK: '1',
};
let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'warmboot-fat32-'));
});
afterAll(() => rmSync(work, { recursive: true }));

/** More than a cluster of entries in one folder, names that look alike in eight characters, odd ends. */
const FILES: Record<string, string> = {
  'EFI/BOOT/BOOTX64.EFI': 'loader',
  'UPPER.TXT': 'short as it stands',
  'lower.txt': 'needs its case kept',
  'Mixed.Case.Name': 'two dots',
  'no extension at all': 'spaces',
  'exactly-13-ch': 'a long name without an end mark',
  'exactly-twenty-six-chars.x': 'two entries full',
  'deep/er/and/deeper/still/file': 'deep',
  empty: '',
  'one-byte': '1',
  ...Object.fromEntries(
    Array.from({ length: 200 }, (_, i) => [
      `many/a long file name, number ${i}`.replace(',', ''),
      `content ${i}`,
    ]),
  ),
};

const VOLUMES: (Pick<Fat32Options, 'bytes' | 'sectorBytes'> & { clusterBytes: number })[] = [
  { bytes: 33 * MIB, sectorBytes: 512, clusterBytes: 512 },
  { bytes: 64 * MIB, sectorBytes: 512, clusterBytes: 512 },
  { bytes: 100 * MIB, sectorBytes: 512, clusterBytes: 1024 },
  { bytes: 512 * MIB, sectorBytes: 512, clusterBytes: 4096 },
  { bytes: 257 * MIB, sectorBytes: 4096, clusterBytes: 4096 },
  { bytes: 1024 * MIB, sectorBytes: 4096, clusterBytes: 4096 },
  { bytes: 65_536 * MIB, sectorBytes: 512, clusterBytes: 16_384 },
];

describe.each(VOLUMES)('$bytes bytes, sectors of $sectorBytes', ({ clusterBytes, ...size }) => {
  const volume = () => join(work, `${size.bytes}-${size.sectorBytes}`);
  beforeAll(() => {
    const files = Object.entries(FILES).map(([path, content]) => ({ path, bytes: content.length }));
    const planned = planFat32(files, {
      ...size,
      hiddenSectors: 2048,
      volumeId: 0xcafe1234,
      label: 'WARMBOOT',
    });
    if (!planned.ok) throw new Error(planned.reason);
    const file = openSync(volume(), 'w');
    ftruncateSync(file, size.bytes);
    for (const { offset, data } of planned.plan.metadata) writeSync(file, data, 0, data.length, offset);
    for (const { path, offset } of planned.plan.files) writeSync(file, FILES[path] ?? '', offset, 'latin1');
    closeSync(file);
  });
  afterAll(() => rmSync(volume()));

  test('fsck finds nothing to mend', () => {
    const { status, stdout, stderr } = spawnSync('fsck.vfat', ['-n', '-v', volume()], {
      env,
      encoding: 'utf8',
    });
    expect(`${status} ${stderr}`).toBe('0 ');
    expect(stdout).toContain(`${size.sectorBytes} bytes per logical sector`);
    expect(stdout).toContain(`${clusterBytes} bytes per cluster`);
    expect(stdout).not.toMatch(/differ|wrong|invalid|lost|orphan/i);
  });

  test('every file is there, by its long name, with its content', () => {
    const out = join(work, 'out');
    execFileSync('mkdir', ['-p', out]);
    execFileSync('mcopy', ['-s', '-n', '-i', volume(), '::/*', out], { env });
    const found = execFileSync('find', ['.', '-type', 'f', '-printf', '%P\n'], {
      cwd: out,
      encoding: 'utf8',
    });
    expect(found.trim().split('\n').sort()).toEqual(Object.keys(FILES).sort());
    for (const [path, content] of Object.entries(FILES))
      expect(execFileSync('cat', [join(out, path)], { encoding: 'latin1' }), path).toBe(content);
    rmSync(out, { recursive: true });
  });

  test('blkid reads label and serial number', () => {
    const said = execFileSync('blkid', ['-p', '-o', 'export', volume()], { env, encoding: 'utf8' });
    expect(said).toMatch(/^LABEL=WARMBOOT$/m);
    expect(said).toMatch(/^UUID=CAFE-1234$/m);
    expect(said).toMatch(/^VERSION=FAT32$/m);
  });
});
