/**
 * The tar format, byte for byte: a codec of our own, because names on a Linux disk are bytes, not UTF-8, and must
 * come out as they went in. Names, link targets and xattr values are latin1 strings throughout this room: one
 * character is one byte, and comparing strings compares bytes.
 * Sources: POSIX pax(1) "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".
 */

export const TAR_BLOCK = 512;

/** A byte string; each character stands for one byte. */
export type Latin1 = string;

export type NodeType = 'file' | 'directory' | 'symlink' | 'character' | 'block' | 'fifo';

/** One member of a tar. `hardlink` is a second name for an earlier member, `link`. */
export interface TarEntry {
  readonly path: Latin1;
  readonly type: NodeType | 'hardlink';
  /** Permission bits with set-uid, set-gid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970; may be negative. */
  readonly mtime: number;
  /** Length of the content; 0 for everything but files. */
  readonly size: number;
  /** Target of a symlink or hard link, else empty. */
  readonly link: Latin1;
  readonly major: number;
  readonly minor: number;
  /** Name → value, from pax `SCHILY.xattr.*`. */
  readonly xattrs: ReadonlyMap<Latin1, Latin1>;
}

/** The 512 bytes before a member, numbers decoded, nothing interpreted. */
export interface RawHeader extends Omit<TarEntry, 'type' | 'xattrs'> {
  readonly flag: string;
}

/** A tar that cannot be read: damaged, cut off, or with a kind of member that we would get wrong. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

const TYPES: Readonly<Record<string, TarEntry['type']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
};
const FLAGS: Readonly<Record<TarEntry['type'], string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};
const XATTR = 'SCHILY.xattr.';

/** @returns null for the block of zeros that ends an archive. @throws TarError when the checksum is wrong. */
export function decodeHeader(block: Buffer): RawHeader | null {
  let sum = 8 * 32;
  for (let i = 0; i < TAR_BLOCK; i += 1) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  if (sum === 8 * 32) return null;
  if (sum !== number(block, 148, 8)) throw new TarError('a header has a wrong checksum');
  const prefix = text(block, 257, 6) === 'ustar' && block[345] !== 0 ? `${text(block, 345, 155)}/` : '';
  return {
    path: prefix + text(block, 0, 100),
    mode: number(block, 100, 8) & 0o7777,
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    mtime: number(block, 136, 12),
    flag: String.fromCharCode(block[156] ?? 0),
    link: text(block, 157, 100),
    major: number(block, 329, 8),
    minor: number(block, 337, 8),
  };
}

/** The records of a pax header, keys and values as bytes. @throws TarError when a length does not fit. */
export function decodePax(data: Buffer): Map<Latin1, Latin1> {
  const records = new Map<Latin1, Latin1>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const length = Number(data.toString('latin1', at, space));
    const end = at + length;
    if (space === -1 || !Number.isSafeInteger(length) || end <= space + 1 || end > data.length)
      throw new TarError('a pax header is malformed');
    const record = data.toString('latin1', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals === -1) throw new TarError('a pax header is malformed');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/** What stands before a member and overrides its header: GNU `L` and `K` members, pax records. */
export interface Overrides {
  readonly path?: Latin1 | undefined;
  readonly link?: Latin1 | undefined;
  readonly pax?: ReadonlyMap<Latin1, Latin1> | undefined;
}

/** Joins a header with what stood before it. @throws TarError for a type that cannot be kept, e.g. GNU sparse. */
export function resolveEntry(header: RawHeader, before: Overrides): TarEntry {
  const pax = before.pax ?? new Map<Latin1, Latin1>();
  const path = pax.get('path') ?? before.path ?? header.path;
  let type = TYPES[header.flag];
  if (!type || pax.has('GNU.sparse.major') || pax.has('GNU.sparse.map'))
    throw new TarError(
      `${path}: members of type ${JSON.stringify(header.flag)} (sparse or unknown) cannot be read`,
    );
  // Archives older than ustar mark a directory by a slash only.
  if (type === 'file' && path.endsWith('/')) type = 'directory';
  const xattrs = new Map<Latin1, Latin1>();
  for (const [key, value] of pax) if (key.startsWith(XATTR)) xattrs.set(key.slice(XATTR.length), value);
  const size = paxNumber(pax.get('size')) ?? header.size;
  const device = type === 'character' || type === 'block';
  return {
    path,
    type,
    mode: header.mode,
    uid: paxNumber(pax.get('uid')) ?? header.uid,
    gid: paxNumber(pax.get('gid')) ?? header.gid,
    mtime: paxNumber(pax.get('mtime')) ?? header.mtime,
    size: type === 'file' ? size : 0,
    link:
      type === 'hardlink' || type === 'symlink' ? (pax.get('linkpath') ?? before.link ?? header.link) : '',
    major: device ? header.major : 0,
    minor: device ? header.minor : 0,
    xattrs,
  };
}

/**
 * The headers of a member for `mke2fs -d`: GNU long names, because it refuses UTF-8 names in pax records, and a pax
 * header only for `security.capability`, the one xattr that it keeps. The content and its padding follow.
 */
export function encodeHeaders(entry: TarEntry): Buffer {
  const parts: Buffer[] = [];
  const capability = entry.xattrs.get('security.capability');
  if (capability !== undefined) {
    const record = paxRecord(`${XATTR}security.capability`, capability);
    parts.push(ustar({ ...PLAIN, path: '././@PaxHeader', size: record.length }, 'x'), padded(record));
  }
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  for (const [flag, name] of [
    ['K', entry.link],
    ['L', path],
  ] as const) {
    if (name.length <= 100) continue;
    const data = Buffer.from(`${name}\0`, 'latin1');
    parts.push(ustar({ ...PLAIN, path: '././@LongLink', size: data.length }, flag), padded(data));
  }
  parts.push(ustar({ ...entry, path }, FLAGS[entry.type]));
  return Buffer.concat(parts);
}

/** Bytes of zeros that follow a member's content. */
export function paddingAfter(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** The end of an archive: two blocks of zeros. */
export const TAR_END = Buffer.alloc(2 * TAR_BLOCK);

const PLAIN = { mode: 0o644, uid: 0, gid: 0, mtime: 0, link: '', major: 0, minor: 0 };

function ustar(entry: Omit<TarEntry, 'type' | 'xattrs'>, flag: string): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  block.write(entry.path.slice(0, 100), 0, 'latin1');
  putNumber(block, 100, 8, entry.mode);
  putNumber(block, 108, 8, entry.uid);
  putNumber(block, 116, 8, entry.gid);
  putNumber(block, 124, 12, entry.size);
  putNumber(block, 136, 12, entry.mtime);
  block.write(flag, 156, 'latin1');
  block.write(entry.link.slice(0, 100), 157, 'latin1');
  block.write('ustar  \0', 257, 'latin1');
  putNumber(block, 329, 8, entry.major);
  putNumber(block, 337, 8, entry.minor);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.alloc(paddingAfter(data.length))]);
}

/** "LENGTH KEY=VALUE\n", where LENGTH counts its own digits. */
function paxRecord(key: Latin1, value: Latin1): Buffer {
  const body = ` ${key}=${value}\n`;
  let length = body.length;
  while (String(length).length + body.length !== length) length = String(length).length + body.length;
  return Buffer.from(`${length}${body}`, 'latin1');
}

function text(block: Buffer, offset: number, length: number): Latin1 {
  const end = block.subarray(offset, offset + length).indexOf(0);
  return block.toString('latin1', offset, offset + (end === -1 ? length : end));
}

/** Octal digits, or GNU's base-256: a first byte of 0x80 (positive) or 0xff (negative), then big-endian bytes. */
function number(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if ((first & 0x80) === 0) {
    const digits = block.toString('latin1', offset, offset + length).replace(/^ +/, '');
    const value = Number.parseInt(/^[0-7]*/.exec(digits)?.[0] || '0', 8);
    return value;
  }
  const negative = (first & 0x40) !== 0;
  let value = first & 0x3f;
  if (negative) value -= 0x40;
  for (let i = 1; i < length; i += 1) value = value * 256 + (block[offset + i] ?? 0);
  if (!Number.isSafeInteger(value)) throw new TarError('a number in a header is out of range');
  return value;
}

function putNumber(block: Buffer, offset: number, length: number, value: number): void {
  if (value >= 0 && value < 8 ** (length - 1)) {
    block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'latin1');
    return;
  }
  let rest = value;
  for (let i = length - 1; i > 0; i -= 1) {
    block[offset + i] = ((rest % 256) + 256) % 256;
    rest = Math.floor(rest / 256);
  }
  block[offset] = value < 0 ? 0xff : 0x80;
}

function paxNumber(value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  const seconds = Math.floor(Number(value));
  if (!Number.isSafeInteger(seconds))
    throw new TarError(`a pax header holds ${JSON.stringify(value)} as a number`);
  return seconds;
}
