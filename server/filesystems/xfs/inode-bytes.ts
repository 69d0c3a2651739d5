import type { NodeMetadata, NodeType } from '../node.ts';
import { NULL32, put64, seal, type Volume } from './encode.ts';
import { INODE_BYTES } from './geometry.ts';

/** Bytes before an inode's forks, version 3. */
const CORE = 176;
/** Room for the data fork and the attribute fork together. */
export const FORK_BYTES = INODE_BYTES - CORE;

/** 2000-01-01: a time of creation is asked for by nobody, but must be the same in every build. */
const CREATED = 946_684_800;

/** `di_format`: where a fork's content is. */
export const FORMAT = { device: 0, local: 1, extents: 2, btree: 3 } as const;
export type Format = (typeof FORMAT)[keyof typeof FORMAT];

/** `S_IFMT` in the mode, and the type that a directory entry carries (`ftype`). */
export const TYPES: Readonly<Record<NodeType, { readonly mode: number; readonly entry: number }>> = {
  file: { mode: 0o100000, entry: 1 },
  directory: { mode: 0o040000, entry: 2 },
  character: { mode: 0o020000, entry: 3 },
  block: { mode: 0o060000, entry: 4 },
  fifo: { mode: 0o010000, entry: 5 },
  symlink: { mode: 0o120000, entry: 7 },
};

export interface Fork {
  readonly format: Format;
  readonly bytes: Buffer;
  /** Extents, where the format has them. */
  readonly extents: number;
}

export interface InodeFields {
  readonly ino: number;
  readonly meta: Pick<NodeMetadata, 'type' | 'mode' | 'uid' | 'gid' | 'mtime' | 'mtimeNanos'>;
  readonly links: number;
  readonly size: number;
  /** Blocks of both forks, trees included. */
  readonly blocks: number;
  readonly flags: number;
  readonly data: Fork;
  readonly attributes: Fork | null;
  /** Where the attribute fork begins behind the core, in bytes, a multiple of 8; unused without one. */
  readonly attributesAt: number;
}

/** Seconds are 32 bits with a sign (1901 to 2038) for old kernels; what is outside is moved to the nearest end. */
const EARLIEST = -(2 ** 31);
const LATEST = 2 ** 31 - 1;

/** An inode that nobody uses yet, in a chunk that was made. Fills `into`, which is zero. */
export function putFreeInode({ uuid }: Volume, into: Buffer, ino: number): void {
  putCommon(into, ino, uuid);
  seal(into, 100);
}

/** Fills `into`, 512 zero bytes. */
export function putInode({ uuid }: Volume, into: Buffer, fields: InodeFields): void {
  const { meta, data, attributes } = fields;
  putCommon(into, fields.ino, uuid);
  into.writeUInt16BE(TYPES[meta.type].mode | (meta.mode & 0o7777), 2);
  into[5] = data.format;
  into.writeUInt32BE(meta.uid, 8);
  into.writeUInt32BE(meta.gid, 12);
  into.writeUInt32BE(fields.links, 16);
  for (const at of [32, 40, 48]) {
    into.writeInt32BE(Math.min(LATEST, Math.max(EARLIEST, meta.mtime)), at);
    into.writeUInt32BE(meta.mtimeNanos, at + 4);
  }
  put64(into, 56, fields.size);
  put64(into, 64, fields.blocks);
  into.writeUInt32BE(data.extents, 76);
  into.writeUInt16BE(attributes?.extents ?? 0, 80);
  into[82] = attributes ? fields.attributesAt / 8 : 0;
  into[83] = attributes?.format ?? FORMAT.extents;
  into.writeUInt16BE(fields.flags, 90);
  put64(into, 104, 1);
  into.writeUInt32BE(CREATED, 144);
  data.bytes.copy(into, CORE);
  attributes?.bytes.copy(into, CORE + fields.attributesAt);
  seal(into, 100);
}

function putCommon(into: Buffer, ino: number, uuid: Buffer): void {
  into.write('IN', 0, 'latin1');
  into[4] = 3;
  into.writeUInt32BE(NULL32, 96);
  put64(into, 152, ino);
  uuid.copy(into, 160);
}
