import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { CliError, codeOf, message } from './cli-error.ts';

/** A file that is written front to back and gets its name only when it is whole. */
export interface SparseFile {
  /** Zeros take no room on the disk. */
  write(data: Uint8Array): Promise<void>;
  /** Synced, then named. */
  publish(): Promise<void>;
  /** After a failure: nothing of it stays. Does nothing once it is published. */
  discard(): Promise<void>;
}

/** What a filesystem can leave out. */
const BLOCK_BYTES = 4096;

/** @throws CliError when it cannot be made there */
export async function sparseFile(target: string): Promise<SparseFile> {
  const found = await stat(target).catch(() => null);
  if (found && !found.isFile())
    throw new CliError(`${target} is no file, and is not replaced. Write to a file, then copy it there.`);
  const folder = path.dirname(target);
  const temp = path.join(folder, `.${path.basename(target)}.${process.pid}.tmp`);
  await mkdir(folder, { recursive: true }).catch(() => {});
  const file = await open(temp, 'w').catch((error: unknown) => {
    throw new CliError(`${target} cannot be written: ${message(error)}.`);
  });
  let at = 0;
  let isOpen = true;

  const put = async (data: Uint8Array, position: number): Promise<void> => {
    for (let done = 0; done < data.length; )
      done += (await file.write(data, done, data.length - done, position + done)).bytesWritten;
  };
  return {
    async write(data) {
      try {
        for (const { start, end } of contentRuns(data)) await put(data.subarray(start, end), at + start);
      } catch (error) {
        if (codeOf(error) !== 'ENOSPC') throw error;
        throw new CliError(`no space is left for ${target}. Free some, or write elsewhere.`);
      }
      at += data.length;
    },
    async publish() {
      await file.truncate(at);
      await file.sync();
      await file.close();
      isOpen = false;
      await rename(temp, target);
      const directory = await open(folder, 'r');
      await directory.sync();
      await directory.close();
    },
    async discard() {
      if (isOpen) await file.close();
      isOpen = false;
      await rm(temp, { force: true });
    },
  };
}

/** What is not zeros, in whole blocks counted from the start of `data`; a last part of a block counts as one. */
function* contentRuns(data: Uint8Array): Generator<{ start: number; end: number }> {
  let start = -1;
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    const isZero = isAllZero(data, at, Math.min(at + BLOCK_BYTES, data.length));
    if (!isZero && start < 0) start = at;
    if (isZero && start >= 0) {
      yield { start, end: at };
      start = -1;
    }
  }
  if (start >= 0) yield { start, end: data.length };
}

const ZEROS = Buffer.alloc(BLOCK_BYTES);

function isAllZero(data: Uint8Array, start: number, end: number): boolean {
  return ZEROS.compare(data, start, end, 0, end - start) === 0;
}
