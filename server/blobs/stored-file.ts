import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { ByteRange } from '../core/byte-range.ts';
import { heldSource } from '../core/held-bytes.ts';
import type { ByteSource } from '../core/ports.ts';
import { sharedBuffers } from './read-buffers.ts';

/** What a file must be when it is read as a whole, and what to throw where it is not. */
export type WholeCheck = { readonly sha256: string; damaged(): Error };

/**
 * A file that is replaced or removed by name alone, so whoever has it open keeps it.
 * @param gone turns a failure to open it into what the reader is told
 * @param check null: the reader looks at it himself
 */
export function storedFile(
  path: string,
  facts: Pick<ByteSource, 'sizeBytes' | 'etag'>,
  gone: (error: unknown) => Promise<Error>,
  check: WholeCheck | null = null,
): ByteSource {
  return heldSource(facts, async () => {
    const file = await open(path, 'r').catch(async (error: unknown) => {
      throw await gone(error);
    });
    const read = (range: ByteRange, signal: AbortSignal) => {
      const parts = readParts(file, range, signal);
      const isWhole = range.start === 0 && range.end === facts.sizeBytes;
      return check && isWhole ? checkedParts(parts, check) : parts;
    };
    return { read, release: () => file.close() };
  });
}

/** The last part is held back until all of them are known to be right: a wrong file never arrives whole. */
async function* checkedParts(
  parts: AsyncIterable<Buffer>,
  { sha256, damaged }: WholeCheck,
): AsyncGenerator<Buffer> {
  const sum = createHash('sha256');
  let last: Buffer | null = null;
  for await (const part of parts) {
    sum.update(part);
    if (last) yield last;
    last = Buffer.from(part);
  }
  if (sum.digest('hex') !== sha256) throw damaged();
  if (last) yield last;
}

/** Each part is overwritten by the next. */
async function* readParts(
  file: FileHandle,
  { start, end }: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const buffer = sharedBuffers.take(end - start);
  try {
    for (let at = start; at < end; ) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0) throw new Error(`a stored file ends at ${at}, before ${end}`);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  } finally {
    sharedBuffers.give(buffer);
  }
}
