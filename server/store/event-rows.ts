import type { EventQuery, LogBounds, LogLimits } from '../core/event-port.ts';
import type { Event, EventKind, NewEvent } from '../core/events.ts';
import type { Db } from './database.ts';
import type { Gap } from './restore-rows.ts';

/**
 * A clock that was set back by less than this shows in no event: their times never fall, so that a time names a place in the
 * log. One that was wrong by more is believed as it is.
 */
const CLOCK_STEP_MS = 60 * 60_000;

type Row = Omit<Event, 'data' | 'mac'> & { readonly data: string };
type Values = Readonly<Record<string, string | number>>;

const COLUMNS = 'id, at, kind, host_id AS hostId, attempt, actor, by_name AS by, reason, data';

/** The filters that have an index, the one that leaves least first. */
const INDEXED = [
  { name: 'attempt', column: 'attempt', index: 'events_by_attempt' },
  { name: 'hostId', column: 'host_id', index: 'events_by_host' },
  { name: 'by', column: 'by_name', index: 'events_by_token' },
  { name: 'kind', column: 'kind', index: 'events_by_kind' },
  { name: 'actor', column: 'actor', index: 'events_by_actor' },
] as const;

/** The append-only event log. */
export function eventRows(db: Db, now: () => number) {
  const put = db.prepare(
    'INSERT INTO events (at, kind, host_id, attempt, actor, by_name, reason, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const bounds = db.prepare(
    'SELECT pruned_to + 1 AS first, coalesce((SELECT max(id) FROM events), pruned_to) AS last FROM event_log',
  );
  const firstAt = db.prepare(FIRST_AT).pluck();
  const lastAt = db.prepare(LAST_AT).pluck();
  const oldest = db.prepare('SELECT id, at FROM events ORDER BY id LIMIT ?');
  const giveUp = db.prepare('UPDATE event_log SET pruned_to = ?');
  const gaps = db.prepare('SELECT last_event AS lastEvent, next_event AS nextEvent FROM restores');
  const macOf = db.prepare('SELECT mac FROM host_macs WHERE host_id = ? ORDER BY position LIMIT 1').pluck();
  const remove = db.prepare('DELETE FROM events WHERE id <= ?');
  const statements = new Map<string, ReturnType<Db['prepare']>>();
  let latest = (db.prepare('SELECT at FROM events ORDER BY id DESC LIMIT 1').pluck().get() as number) ?? 0;
  let hasNews = false;

  function rows(values: Values, isNewest: boolean): Row[] {
    const text = selection(Object.keys(values), isNewest);
    const statement = statements.get(text) ?? db.prepare(text);
    statements.set(text, statement);
    return statement.all(values) as Row[];
  }

  return {
    add({ kind, hostId, attempt, actor, by, reason, data }: NewEvent): void {
      const time = now();
      latest = latest - time < CLOCK_STEP_MS ? Math.max(latest, time) : time;
      put.run(latest, kind, hostId, attempt, actor, by, reason, JSON.stringify(data));
      hasNews = true;
    },

    /** Whether any were added since it was asked last. */
    takeNews(): boolean {
      const had = hasNews;
      hasNews = false;
      return had;
    },

    bounds: () => bounds.get() as LogBounds,

    list({
      afterId = 0,
      beforeId = Number.MAX_SAFE_INTEGER,
      newest = false,
      limit,
      kinds,
      since,
      until,
      ...filter
    }: EventQuery): Event[] {
      const from = since === undefined ? 0 : (firstAt.get(since) as number | undefined);
      const to = until === undefined ? Number.MAX_SAFE_INTEGER : (lastAt.get(until) as number | undefined);
      if (from === undefined || to === undefined || kinds?.length === 0) return [];
      const range = { from: Math.max(from, afterId + 1), to: Math.min(to, beforeId - 1) };
      const values: Record<string, string | number> = { ...range, limit };
      for (const [name, value] of Object.entries({ since, until, ...filter }))
        if (value !== undefined) values[name] = value;
      // Each kind has a place of its own in the index: one look for each, and the first of all of them are meant.
      const found =
        kinds === undefined
          ? rows(values, newest)
          : [...new Set<EventKind>(kinds)].flatMap((kind) => rows({ ...values, kind }, newest));
      const inOrder = found.sort((one, other) => one.id - other.id);
      const wanted = newest ? inOrder.slice(-limit) : inOrder.slice(0, limit);
      return wanted.map((row) => ({
        ...row,
        data: JSON.parse(row.data),
        mac: row.hostId === null ? null : ((macOf.get(row.hostId) as string | undefined) ?? null),
      }));
    },

    /** @returns up to which event they went; null where none did */
    prune(
      { before, count }: LogLimits,
      most: number,
    ): { readonly upTo: number; readonly gone: number } | null {
      const { last } = bounds.get() as LogBounds;
      const old = oldest.all(most) as { readonly id: number; readonly at: number }[];
      const lost = gaps.all() as Gap[];
      /** Events that came later. Ids without one lie where the database came back from a backup. */
      const later = (id: number) =>
        lost.reduce(
          (sum, { lastEvent, nextEvent }) => sum - (id <= lastEvent ? nextEvent - lastEvent - 1 : 0),
          last - id,
        );
      const kept = old.findIndex(({ id, at }) => id >= last || (at >= before && later(id) < count));
      const going = kept < 0 ? old : old.slice(0, kept);
      const upTo = going.at(-1)?.id;
      if (upTo === undefined) return null;
      giveUp.run(upTo);
      return { upTo, gone: remove.run(upTo).changes };
    },
  };
}

export const FIRST_AT =
  'SELECT id FROM events INDEXED BY events_by_time WHERE at >= ? ORDER BY at, id LIMIT 1';
export const LAST_AT =
  'SELECT id FROM events INDEXED BY events_by_time WHERE at < ? ORDER BY at DESC, id DESC LIMIT 1';

/** Reads along one index, or along the ids where no filter has one. @param given names of the values */
export function selection(given: readonly string[], isNewest: boolean): string {
  const has = (name: string) => given.includes(name);
  const along = INDEXED.find(({ name }) => has(name));
  const terms = [
    'id BETWEEN :from AND :to',
    ...INDEXED.filter(({ name }) => has(name)).map(({ name, column }) => `${column} = :${name}`),
    ...(has('since') ? ['at >= :since'] : []),
    ...(has('until') ? ['at < :until'] : []),
  ];
  const order = isNewest ? 'DESC' : 'ASC';
  return `SELECT ${COLUMNS} FROM events ${along ? `INDEXED BY ${along.index}` : 'NOT INDEXED'} WHERE ${terms.join(' AND ')} ORDER BY id ${order} LIMIT :limit`;
}
