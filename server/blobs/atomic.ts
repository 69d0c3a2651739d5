import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Writing so that a crash at any moment leaves the old state or the new one: temp name → write → fsync → rename →
 * fsync of the folder. A rename that is not synced can be lost while the data is kept, hence the last step.
 */

/** Makes the content of a file durable that somebody else wrote. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the names in a folder durable. */
export function syncFolder(path: string): Promise<void> {
  return syncFile(path);
}

/** Writes a new file and syncs it; its name becomes durable with its folder. Fails when the file exists. */
export async function writeSynced(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(data);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The same for what comes in pieces. What was written stays when a piece fails to come. */
export async function writeStream(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  mode = 0o644,
): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    for await (const piece of pieces)
      for (let at = 0; at < piece.length; )
        at += (await file.write(piece, at, piece.length - at)).bytesWritten;
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Replaces a file's content in one step. The temporary name lies beside it and ends in `.tmp`. */
export async function writeAtomic(path: string, data: string | Uint8Array, mode = 0o644): Promise<void> {
  const temp = `${path}.tmp`;
  await rm(temp, { force: true });
  try {
    await writeSynced(temp, data, mode);
    await publish(temp, path);
  } catch (error) {
    await rm(temp, { force: true });
    throw error;
  }
}

/** Gives a synced file or folder its final name. Both must lie on one filesystem. */
export async function publish(temp: string, path: string): Promise<void> {
  await rename(temp, path);
  await syncFolder(dirname(path));
}

/**
 * Makes a folder and what is missing above it, and makes their names durable: what is synced into a folder that a power
 * cut takes away is gone with it. The folder's own name is synced even if it was there: who made it may not have yet.
 */
export async function ensureFolder(path: string, mode = 0o777): Promise<void> {
  const lowest = resolve(path);
  const highest = (await mkdir(lowest, { recursive: true, mode })) ?? lowest;
  for (let made = lowest; ; made = dirname(made)) {
    await syncFolder(dirname(made)).catch(passOverUnreadable);
    if (made.length <= highest.length) return;
  }
}

/** One that may be entered but not read cannot be opened, and is no folder of ours. */
function passOverUnreadable(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES') throw error;
}
