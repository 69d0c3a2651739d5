import { WarmbootError } from './errors.ts';

/** What a disk refuses is nobody's mistake in this program: it is told in a sentence. It is known by the codes of Node and SQLite. */

/** Of the filesystem, of a quota, of SQLite. */
const FULL: readonly string[] = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'];
const DAMAGED = /^SQLITE_(NOTADB|CORRUPT)/;

/**
 * @param then what to do when there is room again
 * @returns what to throw instead of `error` where the disk is full; any other error as it is
 */
export function explained(error: unknown, then: string): unknown {
  if (!FULL.includes(codeOf(error) ?? '')) return error;
  return new WarmbootError(
    'unavailable',
    `The disk of the data folder is full. Remove images, or give it more room, then ${then}.`,
  );
}

/** @returns what to throw instead of an error met while a data folder was opened; an error without a code as it is */
export function unusableFolder(dataDir: string, error: unknown): unknown {
  const code = codeOf(error);
  const full = explained(error, 'start again');
  if (error instanceof WarmbootError || code === null || full !== error) return full;
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
