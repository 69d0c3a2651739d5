import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import Database from 'better-sqlite3';

export type SnapshotFacts = {
  readonly bytes: number;
  readonly sha256: string;
  readonly schema: number;
  readonly lastEvent: number;
  readonly hosts: number;
  readonly packIds: readonly string[];
  readonly digests: readonly string[];
};

/**
 * Copies one state of a database that others write into a file of its own: by SQLite's online backup, within a read transaction, so
 * that it neither waits for writers nor begins again because of them. To be run in a process of its own: pages are copied and
 * hashed without a pause.
 * @throws Error when the copy is damaged, which is to say that the original is
 */
export async function copyDatabase(from: string, to: string): Promise<SnapshotFacts> {
  const source = new Database(from, { readonly: true, fileMustExist: true });
  try {
    source.exec('BEGIN');
    source.prepare('SELECT count(*) FROM sqlite_master').get();
    await source.backup(to, { progress: () => PAGES });
  } finally {
    source.close();
  }
  const copy = new Database(to);
  let facts: Omit<SnapshotFacts, 'bytes' | 'sha256'>;
  try {
    // One file, without a log beside it.
    copy.pragma('journal_mode = DELETE');
    const found = copy.pragma('quick_check(1)', { simple: true });
    if (found !== 'ok') throw new Error(`The database is damaged: ${found}`);
    const column = (sql: string) => copy.prepare(sql).pluck();
    facts = {
      schema: Number(copy.pragma('user_version', { simple: true })),
      lastEvent: column('SELECT coalesce(max(id), 0) FROM events').get() as number,
      hosts: column('SELECT count(*) FROM hosts').get() as number,
      packIds: column('SELECT id FROM packs ORDER BY id').all() as string[],
      digests: column('SELECT digest FROM images ORDER BY digest').all() as string[],
    };
  } finally {
    copy.close();
  }
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of createReadStream(to, { highWaterMark: 1024 * 1024 })) {
    hash.update(part);
    bytes += part.length;
  }
  return { ...facts, bytes, sha256: hash.digest('hex') };
}

const PAGES = 4_096;
