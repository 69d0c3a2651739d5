import type { NewEvent } from '../core/events.ts';
import type { Restored, RestoreStore } from '../core/restore.ts';
import type { CommitGroup } from './commit-group.ts';
import type { Db } from './database.ts';

/** Ids that were given by a database that was lost. */
export type Gap = Pick<Restored, 'lastEvent' | 'nextEvent'>;

/** When the database came back from a backup. */
export function restoreRows(db: Db, group: CommitGroup, addEvent: (event: NewEvent) => void): RestoreStore {
  const put = db.prepare('INSERT INTO restores VALUES (NULL, :at, :madeAt, :lastEvent, :nextEvent)');
  const last = db.prepare(
    'SELECT at, made_at AS madeAt, last_event AS lastEvent, next_event AS nextEvent FROM restores ORDER BY id DESC LIMIT 1',
  );
  const goOn = db.prepare("UPDATE sqlite_sequence SET seq = :next - 1 WHERE name = 'events'");
  const begin = db.prepare("INSERT INTO sqlite_sequence VALUES ('events', :next - 1)");
  // An ETag that somebody holds must not fit what it was not made of.
  const versions = [
    'UPDATE discovery_policy SET version = max(version + 1, ?)',
    'UPDATE mirrors SET version = max(version + 1, ?)',
    'UPDATE profiles SET revision = max(revision + 1, ?)',
  ].map((sql) => db.prepare(sql));
  return {
    note: (restored, event) =>
      group.run(() => {
        put.run(restored);
        const next = { next: restored.nextEvent };
        if (goOn.run(next).changes === 0) begin.run(next);
        for (const version of versions) version.run(restored.at);
        addEvent(event);
      }),
    last: async () => (last.get() as Restored | undefined) ?? null,
  };
}
