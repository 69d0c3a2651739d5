import { type FileHandle, open } from 'node:fs/promises';
import type { ByteRange } from '../core/byte-range.ts';
import { heldSource } from '../core/held-bytes.ts';
import type { ByteSource } from '../core/ports.ts';

const READ_BYTES = 1024 * 1024;

/**
 * A file that is replaced or removed by name alone, so whoever has it open keeps it.
 * @param gone turns a failure to open it into what the reader is told
 */
export function storedFile(
  path: string,
  facts: Pick<ByteSource, 'sizeBytes' | 'etag'>,
  gone: (error: unknown) => Promise<Error>,
): ByteSource {
  return heldSource(facts, async () => {
    const file = await open(path, 'r').catch(async (error: unknown) => {
      throw await gone(error);
    });
    return { read: (range, signal) => readParts(file, range, signal), release: () => file.close() };
  });
}

async function* readParts(
  file: FileHandle,
  { start, end }: ByteRange,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for (let at = start; at < end; ) {
    signal.throwIfAborted();
    const piece = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at));
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) throw new Error(`a stored file ends at ${at}, before ${end}`);
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}
