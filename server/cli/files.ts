import { open } from 'node:fs/promises';
import type { ReadableFile } from './world.ts';

/** A large file of the user, for `main.ts` to hand in. */
export async function openFile(path: string): Promise<ReadableFile> {
  const file = await open(path, 'r');
  const { size } = await file.stat();
  return {
    sizeBytes: size,
    async read(start, end) {
      const bytes = new Uint8Array(end - start);
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    },
    close: () => file.close(),
  };
}
