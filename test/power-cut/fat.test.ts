import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DiskState } from './disk-state.ts';
import { type FatVolume, readFat } from './fat.ts';

/** A volume that others' programs made, whole and broken on purpose. */

const VOLUME = 1024 * 1024;
let folder: string;
let image: Buffer;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warmboot-fat-'));
  const file = join(folder, 'volume');
  writeFileSync(file, '');
  truncateSync(file, VOLUME + 40 * 2 ** 20);
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin`, MTOOLS_SKIP_CHECK: '1' };
  // Only one of them reads: what is written to a program that ends without reading is an error here.
  const run = (command: string, ...args: string[]) =>
    execFileSync(command, args, { env, ...(args.includes('-') ? { input: CONTENT } : { stdio: 'ignore' }) });
  run('mkfs.vfat', '-F', '32', '--offset', String(VOLUME / 512), file, String(40 * 1024));
  run('mmd', '-i', `${file}@@${VOLUME}`, '::/warmboot', '::/warmboot/a');
  for (const name of ['a/vmlinuz', 'a/slot.cfg', 'a/a rather long name, with Capitals.txt'])
    run('mcopy', '-i', `${file}@@${VOLUME}`, '-', `::/warmboot/${name}`);
  image = readFileSync(file);
});
afterEach(() => rmSync(folder, { recursive: true }));

const CONTENT = 'some more than one cluster '.repeat(300);
const read = () => readFat(new DiskState(image), VOLUME) as FatVolume;

test('files by their names, short and long', () => {
  const files = [...read().files.values()].filter(({ isFolder }) => !isFolder);
  expect(files.map(({ path }) => path)).toEqual([
    '/warmboot/a/vmlinuz',
    '/warmboot/a/slot.cfg',
    '/warmboot/a/a rather long name, with capitals.txt',
  ]);
  expect(files.map(({ content }) => content?.toString())).toEqual([CONTENT, CONTENT, CONTENT]);
});

test('a file whose clusters were freed cannot be read beyond the first', () => {
  const [first = 0, second = 0] = read().files.get('/warmboot/a/vmlinuz')?.clusters ?? [];
  const reserved = image.readUInt16LE(VOLUME + 14);
  image.writeUInt32LE(0, VOLUME + reserved * 512 + first * 4);
  const broken = read();
  expect(broken.files.get('/warmboot/a/vmlinuz')).toMatchObject({ content: null, clusters: [first] });
  expect([broken.next(first), broken.next(second)]).toEqual([0, second + 1]);
});

test('what is no FAT32 is none', () => {
  expect(readFat(new DiskState(Buffer.alloc(4096)), 0)).toBeNull();
});
