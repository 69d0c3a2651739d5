import type { Latin1 } from '../node.ts';
import { parsePosixAcl } from '../posix-acl.ts';
import { aclOnDisk } from './acl.ts';
import { BLOCK, EXTRA_ISIZE, INODE_BYTES, viewOf } from './format.ts';

const MAGIC = 0xea020000;
const BLOCK_HEADER = 32;
const ENTRY_HEADER = 16;
/** Room behind an inode's fields and the magic number. */
const INODE_ROOM = INODE_BYTES - 128 - EXTRA_ISIZE - 4;
/** Four zero bytes end the entries. */
const END = 4;

/** Prefixes that ext4 keeps as a number. Source: fs/ext4/xattr.h */
const PREFIXES: readonly (readonly [Latin1, number])[] = [
  ['user.', 1],
  ['trusted.', 4],
  ['security.', 6],
  ['system.', 7],
];

interface Attribute {
  readonly index: number;
  /** Without its prefix. */
  readonly name: Latin1;
  readonly value: Latin1;
}

/** Xattrs in their two places, ready to be copied there. */
export interface EncodedXattrs {
  /** What follows the inode's fields, from the magic number on; null when nothing does. */
  readonly inInode: Uint8Array | null;
  /** The block of its own, with a reference count of 1 and without checksum; null when there is none. */
  readonly inBlock: Uint8Array | null;
}

/**
 * In the inode what fits there, the rest in one block.
 * @returns a clause for people when ext4 can't hold them
 */
export function encodeXattrs(xattrs: ReadonlyMap<Latin1, Latin1>): EncodedXattrs | string {
  if (xattrs.size === 0) return NONE;
  const all: Attribute[] = [];
  for (const [name, value] of xattrs) {
    const attribute = toAttribute(name, value);
    if (typeof attribute === 'string') return attribute;
    if (attribute) all.push(attribute);
  }
  // The order in which the kernel searches a block.
  all.sort(
    (a, b) =>
      a.index - b.index || a.name.length - b.name.length || (a.name < b.name ? -1 : Number(a.name > b.name)),
  );
  const inside: Attribute[] = [];
  const outside: Attribute[] = [];
  let room = INODE_ROOM - END;
  for (const attribute of all) {
    const bytes = bytesOf(attribute);
    if (bytes > room) outside.push(attribute);
    else {
      inside.push(attribute);
      room -= bytes;
    }
  }
  const outsideBytes = outside.reduce((sum, each) => sum + bytesOf(each), 0);
  if (outsideBytes > BLOCK - BLOCK_HEADER - END)
    return `extended attributes of ${outsideBytes} bytes, and ext4 has room for ${BLOCK - BLOCK_HEADER - END}`;
  return {
    inInode: inside.length > 0 ? encodeInside(inside) : null,
    inBlock: outside.length > 0 ? encodeOutside(outside) : null,
  };
}

const NONE: EncodedXattrs = { inInode: null, inBlock: null };

/** Where a block keeps how many inodes refer to it, and its checksum. */
export const REFERENCES_AT = 4;
export const BLOCK_CHECKSUM_AT = 16;

/** @returns null for an empty access control list, which is none; a clause for what ext4 can't hold */
function toAttribute(name: Latin1, value: Latin1): Attribute | string | null {
  if (name === 'system.posix_acl_access' || name === 'system.posix_acl_default') {
    const acl = parsePosixAcl(value);
    if (acl === null) return 'an access control list that is malformed';
    if (acl.length === 0) return null;
    return { index: name.endsWith('access') ? 2 : 3, name: '', value: aclOnDisk(acl) };
  }
  const [prefix, index] = PREFIXES.find(([each]) => name.startsWith(each)) ?? ['', 0];
  const rest = name.slice(prefix.length);
  // `system.data` is where ext4 keeps the content of small files that lie in the inode.
  if (index === 0 || rest === '' || rest.length > 255 || name === 'system.data')
    return `an extended attribute "${name}", which ext4 does not keep`;
  return { index, name: rest, value };
}

function bytesOf({ name, value }: Attribute): number {
  return ENTRY_HEADER + padded(name.length) + padded(value.length);
}

function padded(bytes: number): number {
  return (bytes + 3) & ~3;
}

/** Entries in an inode have no hash: e2fsck 1.42 wants 0. */
function encodeInside(attributes: readonly Attribute[]): Uint8Array {
  const bytes = new Uint8Array(4 + INODE_ROOM);
  viewOf(bytes).setUint32(0, MAGIC, true);
  writeEntries(bytes.subarray(4), 0, attributes);
  return bytes;
}

function encodeOutside(attributes: readonly Attribute[]): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint32(REFERENCES_AT, 1, true);
  view.setUint32(8, 1, true);
  const entries = writeEntries(bytes, BLOCK_HEADER, attributes);
  let blockHash = 0;
  for (const { at, hash } of entries) {
    view.setUint32(at + 12, hash, true);
    blockHash = (blockHash << 16) ^ (blockHash >>> 16) ^ hash;
  }
  view.setUint32(12, blockHash >>> 0, true);
  return bytes;
}

/** Entries from the front, values from the back. Offsets of values count from the start of `bytes`. */
function writeEntries(
  bytes: Uint8Array,
  start: number,
  attributes: readonly Attribute[],
): { readonly at: number; readonly hash: number }[] {
  const view = viewOf(bytes);
  let at = start;
  let valueAt = bytes.length;
  return attributes.map((attribute) => {
    const { index, name, value } = attribute;
    if (value.length > 0) {
      valueAt -= padded(value.length);
      bytes.set(Buffer.from(value, 'latin1'), valueAt);
      view.setUint16(at + 2, valueAt, true);
    }
    view.setUint8(at, name.length);
    view.setUint8(at + 1, index);
    view.setUint32(at + 8, value.length, true);
    bytes.set(Buffer.from(name, 'latin1'), at + ENTRY_HEADER);
    const written = { at, hash: entryHash(attribute) };
    at += ENTRY_HEADER + padded(name.length);
    return written;
  });
}

/** Source: fs/ext4/xattr.c, `ext4_xattr_hash_entry`, with the bytes of the name unsigned. */
function entryHash({ name, value }: Attribute): number {
  let hash = 0;
  for (let i = 0; i < name.length; i += 1) hash = (hash << 5) ^ (hash >>> 27) ^ name.charCodeAt(i);
  const words = Buffer.alloc(padded(value.length));
  words.write(value, 'latin1');
  for (let at = 0; at < words.length; at += 4) hash = (hash << 16) ^ (hash >>> 16) ^ words.readUInt32LE(at);
  return hash >>> 0;
}
