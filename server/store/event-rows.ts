import type { Event, NewEvent } from '../core/events.ts';
import type { Db } from './database.ts';

/** The append-only event log. */
export function eventRows(db: Db, now: () => number) {
  const put = db.prepare(
    'INSERT INTO events (at, kind, host_id, attempt, actor, reason, data) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const columns = 'id, at, kind, host_id AS hostId, attempt, actor, reason, data';
  const forward = db.prepare(
    `SELECT ${columns} FROM events WHERE id > :afterId AND (:hostId IS NULL OR host_id = :hostId) ORDER BY id LIMIT :limit`,
  );
  const backward = db.prepare(
    `SELECT ${columns} FROM events WHERE id > :afterId AND (:hostId IS NULL OR host_id = :hostId) ORDER BY id DESC LIMIT :limit`,
  );
  return {
    add({ kind, hostId, attempt, actor, reason, data }: NewEvent): void {
      put.run(now(), kind, hostId, attempt, actor, reason, JSON.stringify(data));
    },
    list(query: { afterId?: number; newest?: boolean; hostId?: string; limit: number }): Event[] {
      const statement = query.newest ? backward : forward;
      const rows = statement.all({
        afterId: query.afterId ?? 0,
        hostId: query.hostId ?? null,
        limit: query.limit,
      }) as (Omit<Event, 'data'> & { data: string })[];
      const events = rows.map((row) => ({ ...row, data: JSON.parse(row.data) }));
      return query.newest ? events.reverse() : events;
    },
  };
}
