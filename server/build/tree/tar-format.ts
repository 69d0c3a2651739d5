import type { Latin1, NodeMetadata, NodeType } from '../../filesystems/node.ts';

/**
 * The tar format, byte for byte: a codec of our own, because names on a Linux disk are bytes, not UTF-8, and must
 * come out as they went in.
 * Sources: POSIX pax(1) "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format".
 */

export const TAR_BLOCK = 512;

/** A member. A hard link is another name for the member that `link` names; its metadata is that one's from now on. */
export interface TarMember {
  readonly path: Latin1;
  readonly isHardLink: boolean;
  readonly meta: NodeMetadata;
  /** Target of a symlink or hard link, else empty. */
  readonly link: Latin1;
  /** Bytes that follow the header, without padding. */
  readonly storedBytes: number;
  /** How a sparse member of the pax formats lists its parts: in the header, or before the content. Else null. */
  readonly sparse: { readonly kind: 'listed'; readonly map: string } | { readonly kind: 'leading' } | null;
}

/** The 512 bytes before a member, numbers decoded, nothing interpreted. */
export interface RawHeader {
  readonly path: Latin1;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly flag: string;
  readonly link: Latin1;
  readonly major: number;
  readonly minor: number;
  /** Type `S` only: the length with the holes. */
  readonly realSize: number | null;
}

/** A tar that cannot be read: damaged, cut off, or with a kind of member that we would get wrong. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

const TYPES: Readonly<Record<string, NodeType | 'hardlink'>> = {
  S: 'file',
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
const XATTR = 'SCHILY.xattr.';

/** @returns null for the block of zeros that ends an archive. @throws TarError when the checksum is wrong. */
export function decodeHeader(block: Buffer): RawHeader | null {
  let sum = 8 * 32;
  for (let i = 0; i < TAR_BLOCK; i += 1) if (i < 148 || i >= 156) sum += block[i] ?? 0;
  if (sum === 8 * 32) return null;
  if (sum !== readNumber(block, 148, 8)) throw new TarError('a header has a wrong checksum');
  const prefix = text(block, 257, 6) === 'ustar' && block[345] !== 0 ? `${text(block, 345, 155)}/` : '';
  return {
    path: prefix + text(block, 0, 100),
    mode: readNumber(block, 100, 8) & 0o7777,
    uid: readNumber(block, 108, 8),
    gid: readNumber(block, 116, 8),
    size: readNumber(block, 124, 12),
    mtime: readNumber(block, 136, 12),
    flag: String.fromCharCode(block[156] ?? 0),
    link: text(block, 157, 100),
    major: readNumber(block, 329, 8),
    minor: readNumber(block, 337, 8),
    realSize: block[156] === 0x53 ? readNumber(block, 483, 12) : null,
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
    const key = record.slice(0, equals);
    const value = record.slice(equals + 1);
    // On a disk a zero ends a name; only the values of xattrs may hold one.
    if (key.includes('\0') || (NAMES.has(key) && value.includes('\0')))
      throw new TarError('a pax header has a name with a zero byte in it');
    // Sparse format 0.0 repeats two keys, once for each part; 0.1 joins them under a name of its own.
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
      const map = records.get('GNU.sparse.map');
      records.set('GNU.sparse.map', map === undefined ? value : `${map},${value}`);
    } else records.set(key, value);
    at = end;
  }
  return records;
}

const NAMES: ReadonlySet<string> = new Set(['path', 'linkpath', 'GNU.sparse.name']);

/** What stands before a member and overrides its header: GNU `L` and `K` members, pax records. */
export interface Overrides {
  readonly path?: Latin1 | undefined;
  readonly link?: Latin1 | undefined;
  readonly pax?: ReadonlyMap<Latin1, Latin1> | undefined;
}

/** Joins a header with what stood before it. @throws TarError for a type that cannot be kept */
export function resolveEntry(header: RawHeader, before: Overrides): TarMember {
  const pax = before.pax ?? new Map<Latin1, Latin1>();
  // A record without a value stands for the header's own field. Source: POSIX pax(1), "pax Extended Header".
  const path = pax.get('GNU.sparse.name') || pax.get('path') || before.path || header.path;
  let type = TYPES[header.flag];
  if (!type) throw new TarError(`${path}: members of type ${JSON.stringify(header.flag)} cannot be read`);
  // Archives older than ustar mark a directory by a slash only.
  if (type === 'file' && path.endsWith('/')) type = 'directory';
  const storedBytes = type === 'file' ? natural(path, 'size', paxNumber(pax.get('size')) ?? header.size) : 0;
  const link =
    type === 'hardlink' || type === 'symlink' ? pax.get('linkpath') || before.link || header.link : '';
  const isHardLink = type === 'hardlink';
  const sparse = isHardLink ? null : sparseKind(pax);
  const realSize = paxNumber(pax.get('GNU.sparse.realsize') ?? pax.get('GNU.sparse.size')) ?? header.realSize;
  const device = type === 'character' || type === 'block';
  const { seconds, nanos } = paxTime(pax.get('mtime')) ?? { seconds: header.mtime, nanos: 0 };
  const meta: NodeMetadata = {
    type: type === 'hardlink' ? 'file' : type,
    // Tars say various things of a symlink's mode; Linux makes them all alike.
    mode: type === 'symlink' ? 0o777 : header.mode,
    uid: owner(path, paxNumber(pax.get('uid')) ?? header.uid),
    gid: owner(path, paxNumber(pax.get('gid')) ?? header.gid),
    mtime: seconds,
    mtimeNanos: nanos,
    size: type === 'file' ? natural(path, 'size', realSize ?? storedBytes) : 0,
    link: type === 'symlink' ? link : '',
    major: device ? natural(path, 'device number', header.major) : 0,
    minor: device ? natural(path, 'device number', header.minor) : 0,
    xattrs: xattrsOf(pax),
  };
  return { path, isHardLink, meta, link, storedBytes, sparse };
}

/** @throws TarError */
function natural(path: Latin1, what: string, value: number): number {
  if (value >= 0) return value;
  throw new TarError(`${path}: its ${what} is ${value}`);
}

/** A user or group. Linux has 32 bits for it; -1 and its like are what those bits mean with a sign. @throws TarError */
function owner(path: Latin1, id: number): number {
  if (id < -(2 ** 31) || id >= 2 ** 32)
    throw new TarError(`${path}: its owner or group is ${id}, beyond 32 bits`);
  return id >>> 0;
}

const NO_XATTRS: ReadonlyMap<Latin1, Latin1> = new Map();

/** Of hundreds of thousands of files most have none, or just what the file before them had: then all share one map. */
let latest = NO_XATTRS;

function xattrsOf(pax: ReadonlyMap<Latin1, Latin1>): ReadonlyMap<Latin1, Latin1> {
  let found: Map<Latin1, Latin1> | null = null;
  for (const [key, value] of pax)
    if (key.startsWith(XATTR)) {
      found ??= new Map();
      found.set(key.slice(XATTR.length), value);
    }
  if (found === null) return NO_XATTRS;
  if (!isSame(found, latest)) latest = found;
  return latest;
}

function isSame(a: ReadonlyMap<Latin1, Latin1>, b: ReadonlyMap<Latin1, Latin1>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

function sparseKind(pax: ReadonlyMap<Latin1, Latin1>): TarMember['sparse'] {
  const map = pax.get('GNU.sparse.map');
  if (map !== undefined) return { kind: 'listed', map };
  if (pax.get('GNU.sparse.major') === '1') return { kind: 'leading' };
  return null;
}

/** Bytes of zeros that follow a member's content. */
export function paddingAfter(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

function text(block: Buffer, offset: number, length: number): Latin1 {
  const end = block.subarray(offset, offset + length).indexOf(0);
  return block.toString('latin1', offset, offset + (end === -1 ? length : end));
}

/** Octal digits, or GNU's base-256: a first byte of 0x80 (positive) or 0xff (negative), then big-endian bytes. */
export function readNumber(block: Buffer, offset: number, length: number): number {
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

function paxNumber(value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number))
    throw new TarError(`a pax header holds ${JSON.stringify(value)} as a number`);
  return number;
}

/** Seconds with any number of decimals, maybe negative: -1.25 is 750,000,000 ns after second -2. */
function paxTime(value: string | undefined): { seconds: number; nanos: number } | undefined {
  if (value === undefined || value === '') return undefined;
  const [, sign, whole, decimals = ''] = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(value) ?? [];
  if (whole === undefined) throw new TarError(`a pax header holds ${JSON.stringify(value)} as a time`);
  const nanos = Number(decimals.padEnd(9, '0').slice(0, 9));
  if (sign !== '-') return { seconds: Number(whole), nanos };
  return nanos === 0
    ? { seconds: 0 - Number(whole), nanos: 0 }
    : { seconds: -Number(whole) - 1, nanos: 1_000_000_000 - nanos };
}
