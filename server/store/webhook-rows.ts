import type { NewEvent } from '../core/events.ts';
import type { Webhook } from '../core/webhook.ts';
import type { WebhookStore } from '../core/webhook-port.ts';
import type { CommitGroup } from './commit-group.ts';
import type { Db } from './database.ts';

type Row = Omit<Webhook, 'kinds'> & { readonly kinds: string | null };

const COLUMNS = `id, url, kinds, selector, secret, status, reason, created_at AS createdAt, cursor, delivered, failures,
  next_at AS nextAt, last_at AS lastAt, last_status AS lastStatus, last_error AS lastError, lost`;

/** How often it is written down that a hook loses events. */
const TOLD_EVERY_MS = 86_400_000;

/** Those who are told of events. */
export function webhookRows(
  db: Db,
  group: CommitGroup,
  addEvent: (event: NewEvent) => void,
): WebhookStore & {
  /** Events up to this one are removed: hooks that have not got them go on behind it. Within a transaction. */
  passOver(upTo: number, now: number): readonly NewEvent[];
} {
  const all = db.prepare(`SELECT ${COLUMNS} FROM webhooks ORDER BY created_at, id`);
  const byId = db.prepare(`SELECT ${COLUMNS} FROM webhooks WHERE id = ?`);
  const count = db.prepare('SELECT count(*) FROM webhooks').pluck();
  const put = db.prepare(`
    INSERT INTO webhooks VALUES (:id, :url, :kinds, :selector, :secret, :status, :reason, :createdAt, :cursor,
      :delivered, :failures, :nextAt, :lastAt, :lastStatus, :lastError, :lost, NULL)
    ON CONFLICT (id) DO UPDATE SET url = :url, kinds = :kinds, selector = :selector, secret = :secret, status = :status,
      reason = :reason, cursor = :cursor, delivered = :delivered, failures = :failures, next_at = :nextAt,
      last_at = :lastAt, last_status = :lastStatus, last_error = :lastError`);
  const settle = db.prepare(`
    UPDATE webhooks SET status = :status, reason = :reason, cursor = :cursor, delivered = :delivered,
      failures = :failures, next_at = :nextAt, last_at = :lastAt, last_status = :lastStatus, last_error = :lastError
    WHERE id = :id AND cursor = :before AND status = 'enabled'`);
  const drop = db.prepare('DELETE FROM webhooks WHERE id = ?');
  const behind = db.prepare(
    "SELECT id, url, cursor, lost_at AS lostAt FROM webhooks WHERE cursor < ? AND status = 'enabled'",
  );
  const lose = db.prepare(
    'UPDATE webhooks SET lost = lost + :count, cursor = :upTo, failures = 0, lost_at = :lostAt WHERE id = :id',
  );
  const skip = db.prepare('UPDATE webhooks SET cursor = :upTo WHERE cursor < :upTo');

  const read = (row: unknown): Webhook => {
    const { kinds, ...rest } = row as Row;
    return { ...rest, kinds: kinds === null ? null : JSON.parse(kinds) };
  };
  const find = (id: string): Webhook | null => {
    const row = byId.get(id);
    return row ? read(row) : null;
  };
  const write = ({ kinds, ...hook }: Webhook) =>
    put.run({ ...hook, kinds: kinds === null ? null : JSON.stringify(kinds) });
  const addAll = (events: readonly NewEvent[]) => {
    for (const event of events) addEvent(event);
  };

  return {
    all: async () => all.all().map(read),
    find: async (id) => find(id),
    add: (hook, most, events) =>
      group.run(() => {
        if ((count.get() as number) >= most) return false;
        write(hook);
        addAll(events);
        return true;
      }),
    change: (id, decide) =>
      group.run(() => {
        const before = find(id);
        if (!before) return null;
        const { hook, events } = decide(before);
        write(hook);
        addAll(events);
        return hook;
      }),
    settle: ({ id, cursor }, after, events) =>
      group.run(() => {
        if (settle.run({ ...after, id, before: cursor }).changes > 0) addAll(events);
      }),
    remove: (id, events) =>
      group.run(() => {
        if (drop.run(id).changes === 0) return false;
        addAll(events);
        return true;
      }),
    passOver(upTo, now) {
      const told: NewEvent[] = [];
      const late = behind.all(upTo) as { id: string; url: string; cursor: number; lostAt: number | null }[];
      for (const { id, url, cursor, lostAt } of late) {
        const isNews = lostAt === null || now - lostAt >= TOLD_EVERY_MS;
        lose.run({ id, upTo, count: upTo - cursor, lostAt: isNews ? now : lostAt });
        if (isNews)
          told.push({
            kind: 'webhook-lost',
            hostId: null,
            attempt: null,
            actor: 'server',
            by: null,
            reason: 'events were removed, as the server was told, before the receiver took them',
            data: { webhook: id, receiver: new URL(url).origin, after: cursor, upTo },
          });
      }
      skip.run({ upTo });
      return told;
    },
  };
}
