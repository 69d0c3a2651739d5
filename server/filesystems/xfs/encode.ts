import { crc32c } from '../crc32c.ts';
import type { Geometry } from './geometry.ts';

/** What every block of metadata says about where it belongs. */
export interface Volume {
  readonly geometry: Geometry;
  /** 16 bytes. */
  readonly uuid: Buffer;
}

/** "No block", "no inode", in 32 bits. */
export const NULL32 = 0xffffffff;

/** Big-endian; exact up to 2^53. */
export function put64(block: Buffer, at: number, value: number): void {
  block.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  block.writeUInt32BE(value % 2 ** 32, at + 4);
}

/** "No block" in 64 bits. */
export function putNull64(block: Buffer, at: number): void {
  block.fill(0xff, at, at + 8);
}

/** Writes the checksum of the whole block, little-endian, taken while its own field is zero. */
export function seal(block: Buffer, crcAt: number): Buffer {
  block.writeUInt32LE(0, crcAt);
  block.writeUInt32LE(~crc32c(block) >>> 0, crcAt);
  return block;
}

export function parseUuid(text: string): Buffer {
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}

export function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
