import type { ByteSource } from '../core/ports.ts';
import { made, part, repeated, type Segment } from '../core/segments.ts';

/**
 * Zstandard frames made without compressing (RFC 8878, 3.1.1): raw blocks for what is packed already, RLE blocks for zeros. So
 * their lengths follow from arithmetic, and the same disk gives the same bytes with any version of zstd. The window is 128 KiB
 * in all of them: what unpacks them needs next to no memory.
 */

const MAGIC = 0xfd2fb528;
/** The largest block that a window of 128 KiB allows. */
const BLOCK_BYTES = 128 * 1024;
/** Window_Descriptor of 128 KiB: exponent 7, mantissa 0. */
const WINDOW = 7 << 3;
/** Frame_Header_Descriptor: a content size of 8 bytes, nothing else. */
const DESCRIPTOR = 3 << 6;
const HEADER_BYTES = 14;
const BLOCK_HEADER_BYTES = 3;
const BLOCK = { raw: 0, rle: 1 } as const;
/** A run of zeros is cut into frames of so much, which are all one and the same. */
const ZERO_FRAME_BYTES = 8 * 1024 * 1024;

/** Bytes at hand as one frame. */
export function rawFrame(data: Uint8Array): Segment {
  return made(Buffer.concat([frameHeader(data.length), ...rawBlocks(data)]));
}

/** A file as one frame that is made as it is sent. */
export function rawFrameOf(source: ByteSource, bytes: number): Segment[] {
  const segments = [made(frameHeader(bytes))];
  for (let at = 0; at < bytes || at === 0; at += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, bytes - at);
    segments.push(made(blockHeader(BLOCK.raw, length, at + length >= bytes)), part(source, at, length));
  }
  return segments;
}

/** So many zeros, as frames. */
export function zeroFrames(bytes: number): Segment[] {
  const whole = Math.floor(bytes / ZERO_FRAME_BYTES);
  const rest = bytes % ZERO_FRAME_BYTES;
  const segments: Segment[] = [];
  if (whole > 0) segments.push(repeated(FULL_ZERO_FRAME, whole));
  if (rest > 0) segments.push(made(zeroFrame(rest)));
  return segments;
}

function zeroFrame(bytes: number): Buffer {
  const parts = [frameHeader(bytes)];
  for (let at = 0; at < bytes; at += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, bytes - at);
    parts.push(blockHeader(BLOCK.rle, length, at + length >= bytes), Buffer.alloc(1));
  }
  return Buffer.concat(parts);
}

const FULL_ZERO_FRAME = zeroFrame(ZERO_FRAME_BYTES);

function frameHeader(contentBytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt8(DESCRIPTOR, 4);
  header.writeUInt8(WINDOW, 5);
  header.writeBigUInt64LE(BigInt(contentBytes), 6);
  return header;
}

/** @param bytes what the block decompresses to */
function blockHeader(type: number, bytes: number, isLast: boolean): Buffer {
  const header = Buffer.alloc(BLOCK_HEADER_BYTES);
  header.writeUIntLE((isLast ? 1 : 0) | (type << 1) | (bytes << 3), 0, BLOCK_HEADER_BYTES);
  return header;
}

function rawBlocks(data: Uint8Array): Uint8Array[] {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < data.length || at === 0; at += BLOCK_BYTES) {
    const block = data.subarray(at, at + BLOCK_BYTES);
    blocks.push(blockHeader(BLOCK.raw, block.length, at + block.length >= data.length), block);
  }
  return blocks;
}
