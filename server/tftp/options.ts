import type { TftpLimits } from './limits.ts';
import type { TftpOptions } from './packet.ts';

/** What server and client agreed on, and the options to confirm. An empty `accepted` means: no OACK, RFC 1350 as it was. */
export type Agreement = {
  readonly blockBytes: number;
  readonly windowBlocks: number;
  /** How long the client wants us to wait before a retransmission (RFC 2349), milliseconds; null: it did not say. */
  readonly timeoutMs: number | null;
  readonly accepted: TftpOptions;
};

/** RFC 2348: 8 to 65464. RFC 7440: 1 to 65535. RFC 2349: 1 to 255 seconds, of which we take 30. */
const MIN_BLOCK_BYTES = 8;
const MAX_BLOCK_BYTES = 65464;
const MAX_WINDOW_BLOCKS = 65535;
/** More than half of the 16-bit block numbers in flight, and an old ACK could not be told from a new one. */
const OUR_WINDOW_BLOCKS = 32767;
const MAX_TIMEOUT_SECONDS = 30;
const RFC_1350_BLOCK_BYTES = 512;

/**
 * Answers the options of a read request. A value that breaks its RFC, and every unknown option, is left out of the answer,
 * which tells the client that it does not hold (RFC 2347).
 * @param bytes size of the file as it will be sent
 */
export function negotiate(asked: TftpOptions, bytes: number, limits: TftpLimits): Agreement {
  let blockBytes = RFC_1350_BLOCK_BYTES;
  let windowBlocks = 1;
  let timeoutMs: number | null = null;
  const accepted: [string, string][] = [];
  for (const [name, text] of asked) {
    const value = decimal(text);
    if (value === null) continue;
    if (name === 'blksize' && value >= MIN_BLOCK_BYTES && value <= MAX_BLOCK_BYTES) {
      blockBytes = Math.min(value, limits.blockBytes);
      accepted.push([name, String(blockBytes)]);
    } else if (name === 'windowsize' && value >= 1 && value <= MAX_WINDOW_BLOCKS) {
      windowBlocks = Math.min(value, limits.windowBlocks, OUR_WINDOW_BLOCKS);
      accepted.push([name, String(windowBlocks)]);
    } else if (name === 'timeout' && value >= 1 && value <= MAX_TIMEOUT_SECONDS) {
      timeoutMs = value * 1000;
      accepted.push([name, text]);
    } else if (name === 'tsize') {
      accepted.push([name, String(bytes)]);
    }
  }
  return { blockBytes, windowBlocks, timeoutMs, accepted };
}

function decimal(text: string): number | null {
  return /^[0-9]{1,9}$/.test(text) ? Number(text) : null;
}
