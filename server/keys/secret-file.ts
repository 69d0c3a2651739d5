import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

/**
 * Reads a secret, or makes it at first start: mode 0600 from its first byte on, synced, then renamed into place.
 * @returns the text, and whether it was made now
 */
export function secretFile(
  file: string,
  make: () => string,
): { readonly text: string; readonly isNew: boolean } {
  try {
    return { text: readFileSync(file, 'utf8'), isNew: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const text = make();
  const temp = `${file}.tmp`;
  // The rest of a crash would keep its own mode.
  rmSync(temp, { force: true });
  const handle = openSync(temp, 'wx', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temp, file);
  // A rename is in the folder: without this a power cut could take the secret that was already told.
  const folder = openSync(path.dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
  return { text, isNew: true };
}
