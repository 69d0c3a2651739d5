import type { Latin1, NodeType } from '../../../filesystems/node.ts';
import { type ByteReader, InitrdError } from './byte-reader.ts';

/**
 * The cpio format of initramfs archives ("newc").
 * Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst; usr/gen_init_cpio.c.
 */

export interface CpioEntry {
  /** Without slash or "./" at the start. */
  readonly path: Latin1;
  /** Null for what an initrd does not have, sockets. */
  readonly type: NodeType | null;
  readonly mode: number;
  readonly bytes: number;
  /** Target of a symlink, else empty. */
  readonly link: Latin1;
}

const HEADER_BYTES = 110;
const TRAILER = 'TRAILER!!!';
/** PATH_MAX: the kernel takes no longer names, and no longer targets of symlinks. */
const MAX_PATH_BYTES = 4096;

/** By the upper four bits of the mode. Source: inode(7). */
const TYPES: Readonly<Record<number, NodeType>> = {
  1: 'fifo',
  2: 'character',
  4: 'directory',
  6: 'block',
  8: 'file',
  10: 'symlink',
};

/** "070701", or "070702" with checksums. */
export function isCpio(start: Buffer): boolean {
  return /^07070[12]$/.test(start.toString('latin1', 0, 6));
}

/** The entries of one archive up to its trailer; contents are passed over. @throws InitrdError */
export async function* readCpio(reader: ByteReader): AsyncGenerator<CpioEntry> {
  for (;;) {
    const header = await reader.take(HEADER_BYTES);
    if (!isCpio(header)) throw new InitrdError('an entry of its cpio archive has no header');
    const mode = field(header, 1);
    const bytes = field(header, 6);
    const nameBytes = field(header, 11);
    if (nameBytes < 1 || nameBytes > MAX_PATH_BYTES)
      throw new InitrdError('an entry of its cpio archive has no name');
    const name = await reader.take(nameBytes + padding(HEADER_BYTES + nameBytes));
    const path = name.toString('latin1', 0, nameBytes - 1);
    if (path === TRAILER) return;
    const type = TYPES[mode >> 12] ?? null;
    let link = '';
    if (type === 'symlink') {
      if (bytes > MAX_PATH_BYTES) throw new InitrdError(`the symlink ${path} in it is too long`);
      link = (await reader.take(bytes)).toString('latin1').replace(/\0.*$/s, '');
      await reader.skip(padding(bytes));
    } else await reader.skip(bytes + padding(bytes));
    yield { path: path.replace(/^(?:\.?\/)+/, ''), type, mode: mode & 0o7777, bytes, link };
  }
}

/** Thirteen fields of eight hexadecimal digits follow the magic. */
function field(header: Buffer, index: number): number {
  const text = header.toString('latin1', 6 + index * 8, 14 + index * 8);
  if (!/^[0-9A-Fa-f]{8}$/.test(text)) throw new InitrdError('an entry of its cpio archive is damaged');
  return Number.parseInt(text, 16);
}

/** Headers with names, and contents, are padded to multiples of four. */
function padding(bytes: number): number {
  return (4 - (bytes % 4)) % 4;
}
