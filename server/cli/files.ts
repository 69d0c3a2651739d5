import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { NewFile, ReadableFile } from './world.ts';

/** Large files of the user, for `main.ts` to hand in. */

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

/** Written beside its name, synced and renamed: who finds the name finds the whole. */
export async function createFile(path: string): Promise<NewFile> {
  if (path === '-') return standardOutput();
  const temp = `${path}.part`;
  const file = await open(temp, 'w');
  return {
    async write(bytes) {
      for (let done = 0; done < bytes.length; )
        done += (await file.write(bytes, done, bytes.length - done)).bytesWritten;
    },
    async finish() {
      await file.sync();
      await file.close();
      await rename(temp, path);
      const folder = await open(dirname(path), 'r');
      await folder.sync().finally(() => folder.close());
    },
    async discard() {
      await file.close().catch(() => {});
      await rm(temp, { force: true });
    },
  };
}

function standardOutput(): NewFile {
  const write = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  return { write, finish: async () => {}, discard: async () => {} };
}
