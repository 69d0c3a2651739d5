import { WarmbootError } from '../core/errors.ts';

/** Of the filesystem, of a quota, of SQLite. */
const CODES: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'];

/**
 * A full disk is nobody's mistake here: it is said in a sentence, which ends with what to do.
 * @returns what to throw instead of `error`; any other error as it is
 */
export function explained(error: unknown, then: string): unknown {
  if (!CODES.includes((error as { code?: unknown } | null)?.code)) return error;
  return new WarmbootError(
    'unavailable',
    `The disk of the data folder is full. Remove images, or give it more room, then ${then}.`,
  );
}
