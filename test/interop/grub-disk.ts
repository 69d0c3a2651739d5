import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

/** A disk with GRUB where the installer puts it, and nothing else that a host would have. */

export const GRUB = fileURLToPath(new URL('../../images/installer/grub', import.meta.url));
export const SECTOR = 512;
const CORE_LBA = 2048;
export const BOOT_LBA = 4096;
const BOOT_KIB = 65_536;

type GrubDisk = {
  readonly valid: readonly string[];
  /** null: a file that cannot be read. */
  readonly grubenv: Readonly<Record<string, string>> | null;
  /** Of each slot, by the file's name. */
  readonly files: (slot: string) => Readonly<Record<string, string | Buffer>>;
};

/** @param loader what make.sh made @returns the disk's file */
export async function makeGrubDisk(
  folder: string,
  loader: string,
  { valid, grubenv, files }: GrubDisk,
): Promise<string> {
  const disk = join(folder, 'disk.img');
  const tree = join(folder, 'tree');
  for (const name of ['grub', 'warmboot']) mkdirSync(join(tree, name), { recursive: true });
  cpSync(join(loader, 'grub.cfg'), join(tree, 'grub/grub.cfg'));
  if (grubenv) {
    await execa('grub-editenv', [join(tree, 'grub/grubenv'), 'create']);
    const pairs = Object.entries(grubenv).map(([key, value]) => `${key}=${value}`);
    await execa('grub-editenv', [join(tree, 'grub/grubenv'), 'set', ...pairs]);
  } else writeFileSync(join(tree, 'grub/grubenv'), 'a power cut left this');
  await execa('grub-editenv', [join(tree, 'grub/spare'), 'create']);
  for (const slot of valid) {
    mkdirSync(join(tree, 'warmboot', slot));
    for (const [name, content] of Object.entries({ valid: '', ...files(slot) }))
      writeFileSync(join(tree, 'warmboot', slot, name), content);
  }
  await execa('cp', ['--sparse=always', await emptyDisk(loader), disk]);
  await copyIn(disk, [join(tree, 'grub'), join(tree, 'warmboot')]);
  return disk;
}

/** By the loader's folder: what all disks with this loader have, made once. */
const emptyDisks = new Map<string, Promise<string>>();

function emptyDisk(loader: string): Promise<string> {
  const made = emptyDisks.get(loader) ?? makeEmptyDisk(loader);
  emptyDisks.set(loader, made);
  return made;
}

async function makeEmptyDisk(loader: string): Promise<string> {
  const disk = join(loader, 'empty.img');
  const tree = join(loader, 'tree');
  mkdirSync(join(tree, 'EFI/BOOT'), { recursive: true });
  cpSync(join(loader, 'BOOTX64.EFI'), join(tree, 'EFI/BOOT/BOOTX64.EFI'));
  writeFileSync(disk, '');
  await execa('truncate', ['-s', '80M', disk]);
  const table = `label: gpt
start=${CORE_LBA}, size=${BOOT_LBA - CORE_LBA}, type=21686148-6449-6E6F-744E-656564454649, name=warmboot-bios
start=${BOOT_LBA}, size=${(BOOT_KIB * 1024) / SECTOR}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=warmboot-boot\n`;
  await execa('sfdisk', ['-q', disk], { input: table });
  const write = (file: string, lba: number, size: readonly string[]) =>
    execa('dd', [
      ...[`if=${join(loader, file)}`, `of=${disk}`, `bs=${SECTOR}`, `seek=${lba}`, 'conv=notrunc'],
      ...size,
    ]);
  // Of the first sector 440 bytes; behind them lies the table.
  await write('boot-gpt.img', 0, ['bs=440', 'count=1']);
  await write('core-gpt.img', CORE_LBA, []);
  const volume = ['-F', '32', '-n', 'WARMBOOT', '--offset', `${BOOT_LBA}`, disk, `${BOOT_KIB}`];
  await execa('mkfs.vfat', volume);
  await copyIn(disk, [join(tree, 'EFI')]);
  return disk;
}

const copyIn = (disk: string, roots: readonly string[]) =>
  execa('mcopy', ['-s', '-i', `${disk}@@${BOOT_LBA * SECTOR}`, ...roots, '::/'], {
    env: { MTOOLS_SKIP_CHECK: '1' },
  });
