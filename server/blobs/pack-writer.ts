import { open, rm } from 'node:fs/promises';
import { ensureFolder } from './atomic.ts';
import { packFolder, packPath } from './places.ts';

const BUFFER_BYTES = 1024 * 1024;

/** Writes one pack: frames one after the other, nothing between them, under a temporary name. */
export interface PackWriter {
  /** @returns where the frame begins in the pack */
  append(frame: Uint8Array): Promise<number>;
  /** Syncs it. @returns its length; 0 when nothing was appended, and then there is no pack */
  seal(): Promise<number>;
  /** Ends it as it is; its temporary file stays. */
  close(): Promise<void>;
}

export async function createPackWriter(dataDir: string, id: string): Promise<PackWriter> {
  const temp = `${packPath(dataDir, id)}.tmp`;
  await ensureFolder(packFolder(dataDir));
  const file = await open(temp, 'w');
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  let held = 0;
  let bytes = 0;
  let isOpen = true;

  const write = async (data: Uint8Array): Promise<void> => {
    for (let at = 0; at < data.length; ) at += (await file.write(data, at, data.length - at)).bytesWritten;
  };
  const flush = async (): Promise<void> => {
    await write(buffer.subarray(0, held));
    held = 0;
  };
  const close = async (): Promise<void> => {
    if (isOpen) await file.close();
    isOpen = false;
  };

  return {
    async append(frame) {
      const offset = bytes;
      if (held + frame.length > BUFFER_BYTES) await flush();
      if (frame.length > BUFFER_BYTES) await write(frame);
      else {
        buffer.set(frame, held);
        held += frame.length;
      }
      bytes += frame.length;
      return offset;
    },
    async seal() {
      await flush();
      await file.sync();
      await close();
      if (bytes === 0) await rm(temp);
      return bytes;
    },
    close,
  };
}
