import { MAX_CHUNK_BYTES } from './chunks.ts';

/**
 * How frames are sent to a server: for each the sha256 of its chunk (32 bytes), the frame's length (4 bytes, big-endian)
 * and the frame, one behind the other.
 */
const FRAME_HEADER_BYTES = 36;

/** No frame of so many bytes is longer. Source: zstd.h, ZSTD_COMPRESSBOUND, and room for other encoders. */
export function maxFrameBytes(rawBytes: number): number {
  return rawBytes + (rawBytes >>> 8) + 1024;
}
const MAX_FRAME_BYTES = maxFrameBytes(MAX_CHUNK_BYTES);

export type SentFrame = { readonly sha256: string; readonly frame: Uint8Array };

/** Reads frames from pieces of any length. */
export interface FrameReader {
  /** @returns the frames that this piece completed; null when a length is impossible, and then nothing more is read */
  push(piece: Uint8Array): SentFrame[] | null;
  /** True between two frames. */
  isWhole(): boolean;
}

export function frameReader(): FrameReader {
  let held = new Uint8Array(0);
  return {
    push(piece) {
      const all = new Uint8Array(held.length + piece.length);
      all.set(held);
      all.set(piece, held.length);
      const frames: SentFrame[] = [];
      let at = 0;
      while (all.length - at >= FRAME_HEADER_BYTES) {
        const bytes = new DataView(all.buffer, at + 32, 4).getUint32(0);
        if (bytes === 0 || bytes > MAX_FRAME_BYTES) return null;
        const begin = at + FRAME_HEADER_BYTES;
        if (all.length - begin < bytes) break;
        frames.push({
          sha256: hex(all.subarray(at, at + 32)),
          frame: all.subarray(begin, begin + bytes),
        });
        at = begin + bytes;
      }
      held = all.slice(at);
      return frames;
    },
    isWhole: () => held.length === 0,
  };
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
