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
  const kept = readSecret(file);
  if (kept !== null) return { text: kept, isNew: false };
  const text = make();
  writeSecret(file, text);
  return { text, isNew: true };
}

/** @returns null when there is none; @throws for one that cannot be read: it is not replaced */
export function readSecret(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return null;
  }
}

/** Writes a secret, in the place of one that is there; the disk has it when this returns. */
export function writeSecret(file: string, text: string, mode = 0o600): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temp = `${file}.tmp`;
  // The rest of a crash would keep its own mode.
  rmSync(temp, { force: true });
  const handle = openSync(temp, 'wx', mode);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(temp, file);
  syncFolder(path.dirname(file));
}

/** Takes a secret away, for good. */
export function removeSecret(file: string): void {
  rmSync(file, { force: true });
  syncFolder(path.dirname(file));
}

/** A rename is in the folder: without this a power cut could take the secret that was already told. */
function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
