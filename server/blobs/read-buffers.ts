/**
 * The memory that files are read into on their way out, used again and again: fresh memory for each piece costs more than the
 * reading itself (docs/decisions/0004-image-bytes.md). A taker has it to itself until it gives it back.
 */
export type ReadBuffers = {
  /** At most so many bytes as are wanted, fewer when many others are reading; never none. */
  take(wantedBytes: number): Buffer;
  /** Nobody may still read or write it: neither the disk nor a socket. */
  give(buffer: Buffer): void;
};

/** Half of it costs a third more time of the processor, twice as much gains nothing. */
const LARGE_BYTES = 512 * 1024;
/** 32 MiB together. */
const MAX_LARGE = 64;
/** What each of those gets that come when all large ones are in use: a client that reads slowly keeps its own for long. */
const SMALL_BYTES = 128 * 1024;

export function readBuffers(): ReadBuffers {
  const idle: Buffer[] = [];
  let made = 0;
  return {
    take(wantedBytes) {
      if (wantedBytes <= SMALL_BYTES) return Buffer.allocUnsafe(wantedBytes);
      const large = idle.pop();
      if (large) return large;
      if (made === MAX_LARGE) return Buffer.allocUnsafeSlow(SMALL_BYTES);
      made += 1;
      return Buffer.allocUnsafeSlow(LARGE_BYTES);
    },
    give(buffer) {
      if (buffer.length === LARGE_BYTES) idle.push(buffer);
    },
  };
}

/** One for all readers of this process: what they hold together is bounded. */
export const sharedBuffers = readBuffers();
