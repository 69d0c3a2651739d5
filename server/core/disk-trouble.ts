import { WarmbootError } from './errors.ts';

/** What a disk refuses is nobody's mistake in this program: it is told in a sentence. It is known by the codes of Node and SQLite. */

/** Of the filesystem, of a quota, of SQLite. */
const FULL: readonly string[] = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'];
/** Of a filesystem that the kernel made read only after an error, of a disk that fails. */
const FAILING = /^(EROFS|SQLITE_READONLY|SQLITE_IOERR)/;
const DAMAGED = /^SQLITE_(NOTADB|CORRUPT)/;

/**
 * @param then what to do when there is room again
 * @returns what to throw instead of `error` where the disk is full or cannot be written; any other error as it is
 */
export function explained(error: unknown, then: string): unknown {
  const code = codeOf(error) ?? '';
  if (FAILING.test(code))
    return new WarmbootError(
      'unavailable',
      `The disk of the data folder cannot be written (${code}: ${(error as Error).message}). Look at it and at the kernel's log (dmesg), then ${then}.`,
    );
  if (!FULL.includes(code)) return error;
  return new WarmbootError(
    'unavailable',
    `The disk of the data folder is full. Remove images, or give it more room, then ${then}.`,
  );
}

/** @returns in one sentence why nothing can be written, by what Node or SQLite said of it */
export function unwritable(error: unknown): string {
  const told = explained(error, 'look again');
  return told instanceof Error ? told.message : String(told);
}

/** Below this nothing is promised any more: the log of the database alone may take some MiB. */
const LEAST_FREE_BYTES = 64 * 1024 * 1024;

/** @returns what is wrong when the data folder has so much left; null where it is enough */
export function noRoom(freeBytes: number): string | null {
  if (freeBytes >= LEAST_FREE_BYTES) return null;
  return `The disk of the data folder has ${Math.floor(freeBytes / 1024 ** 2)} MiB left. Remove images, or give it more room.`;
}

/** @returns what to throw instead of an error met while a data folder was opened; an error without a code as it is */
export function unusableFolder(dataDir: string, error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof WarmbootError || code === null) return error;
  if (FULL.includes(code)) return explained(error, 'start again');
  const { message } = error as Error;
  return new WarmbootError(
    'unavailable',
    DAMAGED.test(code)
      ? `The database in ${dataDir} is damaged (${message}). Restore it from a backup, or choose another --data.`
      : `The data folder ${dataDir} cannot be used: ${message}. Mend that, or choose another --data.`,
  );
}

function codeOf(error: unknown): string | null {
  const code = error instanceof Error ? (error as Error & { code?: unknown }).code : null;
  return typeof code === 'string' ? code : null;
}
