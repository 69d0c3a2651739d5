import type { Disk, TableKind } from '../core/disk-layout.ts';
import { WarmbootError } from '../core/errors.ts';
import type { Placed } from './gpt.ts';

/** GRUB as the installer image brings it (images/installer/grub/make.sh), file by file. */
export type Loader = ReadonlyMap<string, Buffer>;

const SECTOR_BYTES = 512;
const BOOT_CODE_BYTES = 440;
/** Where core.img lies: the BIOS boot partition's first sector, or the gap behind an msdos table. */
const CORE_SECTOR = { gpt: 2048, msdos: 1 } as const;
/** And how much room it has there. */
const CORE_BYTES = { gpt: 1024 * 1024, msdos: 2047 * SECTOR_BYTES } as const;

/** Reads an archive as `core/cpio.ts` writes it. @throws Error when it is damaged */
export function readLoader(archive: Buffer): Loader {
  const files = new Map<string, Buffer>();
  for (let at = 0; ; ) {
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const nameBytes = field(11);
    const bytes = field(6);
    const nameEnd = at + 110 + nameBytes;
    const contentAt = nameEnd + (-nameEnd & 3);
    if (archive.toString('latin1', at, at + 6) !== '070701' || contentAt + bytes > archive.length)
      throw new Error('The boot loader files of the installer image are damaged.');
    const name = archive.toString('latin1', at + 110, nameEnd - 1);
    if (name === 'TRAILER!!!') return files;
    if ((field(1) & 0o170000) === 0o100000) files.set(name, archive.subarray(contentAt, contentAt + bytes));
    at = contentAt + bytes + (-bytes & 3);
  }
}

/** @throws WarmbootError when the installer image has no such file */
export function loaderFile(loader: Loader, name: string): Buffer {
  const file = loader.get(name);
  if (file) return file;
  throw new WarmbootError(
    'unavailable',
    `The installer image has no boot loader file ${name}. Build it anew: warmboot build installer`,
  );
}

/**
 * GRUB for the BIOS: 440 bytes for sector 0, and core.img in its place. make.sh has written into both where core.img and its
 * rest lie. Nothing on a disk with other sectors than 512 bytes: a BIOS cannot start from one.
 */
export function biosLoader(
  loader: Loader,
  table: TableKind,
  disk: Disk,
): { readonly bootCode: Uint8Array; readonly core: Placed | null } {
  if (disk.sectorBytes !== SECTOR_BYTES) return { bootCode: new Uint8Array(0), core: null };
  const boot = loaderFile(loader, `boot-${table}.img`);
  const core = loaderFile(loader, `core-${table}.img`);
  const sector = CORE_SECTOR[table];
  if (core.length > CORE_BYTES[table])
    throw new WarmbootError(
      'unavailable',
      `GRUB's core-${table}.img has ${core.length} bytes, its place on the disk ${CORE_BYTES[table]}. Build the installer with fewer GRUB modules.`,
    );
  if (
    boot.length < SECTOR_BYTES ||
    boot.readBigUInt64LE(0x5c) !== BigInt(sector) ||
    core.readBigUInt64LE(0x1f4) !== BigInt(sector + 1)
  )
    throw new WarmbootError(
      'unavailable',
      `GRUB's images for ${table} do not belong to sector ${sector}. Build the installer anew: warmboot build installer`,
    );
  return {
    bootCode: boot.subarray(0, BOOT_CODE_BYTES),
    core: { offset: sector * SECTOR_BYTES, data: core },
  };
}
