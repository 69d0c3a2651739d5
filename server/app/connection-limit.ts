import { readFile } from 'node:fs/promises';

/** One that is silent costs some 10 KiB. */
const MOST = 20_000;
const LEAST = 128;
/** Files that are left for images, the database, commands and the admin plane, where there are so many. */
const OTHER_FILES = 4_096;

/**
 * How many connections each listener of the boot plane may hold, by the files that this process may open. Node has raised its
 * own limit to the highest that it may have.
 */
export async function connectionLimit(listeners: number, limitsFile = '/proc/self/limits'): Promise<number> {
  const text = await readFile(limitsFile, 'utf8').catch(() => '');
  const soft = /^Max open files +(\S+)/m.exec(text)?.[1];
  if (soft === 'unlimited') return MOST;
  const files = Number(soft ?? 0);
  const connections = Math.max(files / 2, files - OTHER_FILES);
  return Math.min(MOST, Math.max(LEAST, Math.floor(connections / listeners)));
}
