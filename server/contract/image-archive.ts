import { z } from 'zod';

/**
 * An image as one file: a tar (POSIX ustar; sizes from 8 GiB in GNU's base-256 form) with these members in this order,
 * nothing else, all times and owners 0. Identical for the same image, name and encoding.
 */
export const ARCHIVE_MEMBERS = [
  'warmboot-image.json',
  'index.json',
  'kernel',
  'initrd',
  'loader',
  'frames.json',
  'data',
] as const;
export type ArchiveMember = (typeof ARCHIVE_MEMBERS)[number];

/** Members that not every image has: an OS has no loader, an installer no data. */
export const OPTIONAL_MEMBERS: ReadonlySet<ArchiveMember> = new Set(['loader', 'data']);

/** The first member: what it is, before anything of it is believed. */
export const archiveHeaderSchema = z.object({
  format: z.literal('warmboot-image'),
  version: z.literal(1),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  name: z.string().max(64).nullable(),
  tag: z.string().max(128).nullable(),
});
export type ArchiveHeader = z.infer<typeof archiveHeaderSchema>;

/** What a program needs of frames.json to find a frame in `data`. */
export const archiveFramesSchema = z.object({
  version: z.literal(1),
  requires: z.array(z.string()).max(0),
  bytes: z.number().int().min(0),
  frames: z.array(
    z.object({
      offset: z.number().int().min(0),
      bytes: z
        .number()
        .int()
        .min(1)
        .max(1024 * 1024),
      chunk: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

export const TAR_BLOCK = 512;
const OCTAL_LIMIT = 8 ** 11;

/** Zeros behind a member, up to a whole block. */
export function tarPadding(bytes: number): number {
  return (TAR_BLOCK - (bytes % TAR_BLOCK)) % TAR_BLOCK;
}

/** The header block of a plain file. @param name ASCII, at most 99 characters */
export function tarHeader(name: string, bytes: number, mode = 0o644): Uint8Array {
  const block = new Uint8Array(TAR_BLOCK);
  const put = (text: string, at: number) => block.set(new TextEncoder().encode(text), at);
  put(name, 0);
  put(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  if (bytes < OCTAL_LIMIT) put(`${bytes.toString(8).padStart(11, '0')}\0`, 124);
  else {
    block[124] = 0x80;
    for (let i = 0, rest = bytes; i < 8; i += 1, rest = Math.floor(rest / 256)) block[135 - i] = rest % 256;
  }
  put('00000000000\0', 136);
  put('0', 156);
  put('ustar\x0000', 257);
  put(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/**
 * Reads a header block of such an archive.
 * @returns null for anything but a plain file with a right checksum
 */
export function readTarHeader(block: Uint8Array): { readonly name: string; readonly bytes: number } | null {
  if (block.length !== TAR_BLOCK || block[156] !== 0x30) return null;
  if (octal(text(block, 148, 8)) !== checksum(block)) return null;
  // A prefix makes a longer path; a member of ours has none.
  if (text(block, 345, 155) !== '') return null;
  const bytes = block[124] === 0x80 ? binary(block.subarray(125, 136)) : octal(text(block, 124, 12));
  return bytes === null ? null : { name: text(block, 0, 100), bytes };
}

/** The sum of all bytes, those of the checksum itself taken as spaces. */
function checksum(block: Uint8Array): number {
  return block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

function text(block: Uint8Array, at: number, length: number): string {
  const bytes = block.subarray(at, at + length);
  const end = bytes.indexOf(0);
  return new TextDecoder('latin1').decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function octal(digits: string): number | null {
  const trimmed = digits.trim();
  return /^[0-7]{1,11}$/.test(trimmed) ? Number.parseInt(trimmed, 8) : null;
}

function binary(bytes: Uint8Array): number | null {
  const value = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return Number.isSafeInteger(value) ? value : null;
}
