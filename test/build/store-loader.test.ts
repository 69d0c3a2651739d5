import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { storeLoader } from '../../server/build/store-loader.ts';
import { readLoader } from '../../server/disks/loader.ts';
import { emptyFile, FileTree } from '../../server/filesystems/file-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'warmboot-loader-'));
afterAll(() => rmSync(folder, { recursive: true }));

function treeOf(files: Readonly<Record<string, string>>): FileTree {
  const tree = new FileTree();
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path.replaceAll('/', '-'));
    writeFileSync(file, content);
    const { meta } = emptyFile(0o600);
    tree.put(path, 0, {
      meta: { ...meta, size: content.length },
      content: content === '' ? [] : [{ at: 0, bytes: content.length, file, offset: 0 }],
    });
  }
  return tree;
}

test('the files of /loader become one archive that a composer reads, the same whatever their order', async () => {
  const files = {
    'loader/grub.cfg': 'echo',
    'loader/BOOTX64.EFI': 'efi efi',
    'loader/empty': '',
    'boot/vmlinuz': 'x',
  };
  const one = await storeLoader(treeOf(files), join(folder, 'one'));
  const reversed = Object.fromEntries(Object.entries(files).reverse());
  const two = await storeLoader(treeOf(reversed), join(folder, 'two'));
  const archive = readFileSync(join(folder, 'one'));
  expect(one).toEqual(two);
  expect(one?.bytes).toBe(archive.length);
  const read = [...readLoader(archive)].map(([name, content]) => [name, content.toString()]);
  expect(read).toEqual([
    ['BOOTX64.EFI', 'efi efi'],
    ['empty', ''],
    ['grub.cfg', 'echo'],
  ]);
});

test('an image without such files has no loader', async () => {
  expect(await storeLoader(treeOf({ 'boot/vmlinuz': 'x' }), join(folder, 'none'))).toBeNull();
});

test('an archive that was cut off is damage, not a smaller archive', () => {
  const archive = readFileSync(join(folder, 'one'));
  for (const end of [0, 50, 120, archive.length - 130])
    expect(() => readLoader(archive.subarray(0, end))).toThrow(/damaged/);
});
