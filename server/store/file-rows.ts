import type { PackedSet } from '../core/file-set.ts';
import type { Clock } from '../core/ports.ts';
import type { Db } from './database.ts';

/** The files of single hosts, a tar a set. */
export function fileRows(db: Db, clock: Clock) {
  const get = db.prepare('SELECT tar FROM file_sets WHERE sha256 = ?').pluck();
  const put = db.prepare('INSERT INTO file_sets VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const drop = db.prepare(`
    DELETE FROM file_sets WHERE sha256 = :sha256 AND NOT EXISTS (SELECT 1 FROM hosts WHERE files_sha256 = :sha256)`);

  return {
    get: (sha256: string): Uint8Array | null => (get.get(sha256) as Buffer | undefined) ?? null,
    put({ sha256, tar }: PackedSet): void {
      put.run(sha256, tar, clock());
    },
    /** It may hold a secret that somebody took away for good: its pages are overwritten, not only free. */
    dropUnnamed(sha256: string): void {
      db.pragma('secure_delete = ON');
      try {
        drop.run({ sha256 });
      } finally {
        db.pragma('secure_delete = OFF');
      }
    },
  };
}
