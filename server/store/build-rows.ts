import type { BuildRecord } from '../core/build-ports.ts';
import type { Db } from './database.ts';

type Row = Omit<BuildRecord, 'checks'> & { readonly checks: string | null };

/** Builds: waiting, running and ended. */
export function buildRows(db: Db, now: () => number) {
  const put = db.prepare(`
    INSERT INTO builds (id, name, tag, status, digest, error, started_at, ended_at, checks)
    VALUES (:id, :name, :tag, :status, :digest, :error, :startedAt, :endedAt, :checks)
    ON CONFLICT (id) DO UPDATE
    SET status = :status, digest = :digest, error = :error, checks = :checks, started_at = :startedAt, ended_at = :endedAt`);
  const columns =
    'id, name, tag, status, digest, error, checks, started_at AS startedAt, ended_at AS endedAt';
  const get = db.prepare(`SELECT ${columns} FROM builds WHERE id = ?`);
  const newest = db.prepare(`SELECT ${columns} FROM builds ORDER BY rowid DESC LIMIT ?`);
  // Where that one was forgotten, so were all before it.
  const older = db.prepare(`
    SELECT ${columns} FROM builds WHERE rowid < (SELECT rowid FROM builds WHERE id = ?) ORDER BY rowid DESC LIMIT ?`);
  const forget = db.prepare(`
    DELETE FROM builds
    WHERE ended_at IS NOT NULL AND rowid NOT IN (SELECT rowid FROM builds ORDER BY rowid DESC LIMIT ?)`);
  const interrupt = db.prepare(`
    UPDATE builds SET status = 'interrupted', ended_at = ?, error = CASE status
      WHEN 'queued' THEN 'The server ended before it began. Start it again.'
      ELSE 'The server ended while it ran. Start it again.' END
    WHERE ended_at IS NULL RETURNING id`);
  return {
    put: (build: BuildRecord): void =>
      void put.run({ ...build, checks: build.checks && JSON.stringify(build.checks) }),
    get(id: string): BuildRecord | null {
      const row = get.get(id) as Row | undefined;
      return row ? recordOf(row) : null;
    },
    newest: (limit: number, before?: string): BuildRecord[] =>
      ((before === undefined ? newest.all(limit) : older.all(before, limit)) as Row[])
        .reverse()
        .map(recordOf),
    forget: (keep: number): void => void forget.run(keep),
    interrupt: (): string[] => (interrupt.all(now()) as { id: string }[]).map(({ id }) => id),
  };
}

function recordOf({ checks, ...row }: Row): BuildRecord {
  return { ...row, checks: checks === null ? null : JSON.parse(checks) };
}
