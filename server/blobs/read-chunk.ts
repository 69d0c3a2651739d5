import { hash } from 'node:crypto';
import { Decompressor } from 'zstd-napi';
import type { ChunkPlace } from '../core/ports.ts';
import { DamageError } from './damage.ts';
import type { PackFiles } from './pack-files.ts';

const decompressor = new Decompressor();

/**
 * The raw bytes of a chunk, verified.
 * @throws DamageError when the frame does not decompress to that chunk
 */
export async function readChunk(packs: PackFiles, sha256: string, place: ChunkPlace): Promise<Buffer> {
  return (await readFrame(packs, sha256, place)).raw;
}

/** The same with the frame that it was decompressed from. */
export async function readFrame(
  packs: PackFiles,
  sha256: string,
  place: ChunkPlace,
): Promise<{ readonly frame: Buffer; readonly raw: Buffer }> {
  const frame = Buffer.allocUnsafe(place.bytes);
  await packs.read(place.packId, place.offset, frame);
  const where = `chunk ${sha256} at ${place.offset} of pack ${place.packId}`;
  if (contentSize(frame) !== place.rawBytes) throw new DamageError(place.packId, `${where} is damaged`);
  let raw: Buffer;
  try {
    raw = decompressor.decompress(frame);
  } catch {
    throw new DamageError(place.packId, `${where} does not decompress`);
  }
  if (raw.length !== place.rawBytes || hash('sha256', raw) !== sha256)
    throw new DamageError(place.packId, `${where} is damaged`);
  return { frame, raw };
}

/**
 * What a frame says it decompresses to, read before memory is given to it: a damaged header may say anything.
 * Null when it does not say. Source: RFC 8878, 3.1.1.1 (frame header).
 */
export function contentSize(frame: Buffer): number | null {
  if (frame.length < 6 || frame.readUInt32LE(0) !== 0xfd2fb528) return null;
  const descriptor = frame.readUInt8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const at = 5 + (singleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const width = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6] ?? 0;
  if (width === 0 || at + width > frame.length) return null;
  if (width === 8) return Number(frame.readBigUInt64LE(at));
  return frame.readUIntLE(at, width) + (width === 2 ? 256 : 0);
}
