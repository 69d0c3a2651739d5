import { AsyncLocalStorage } from 'node:async_hooks';
import type { OnceKey, OnceRecord, OnceStore } from '../core/once-port.ts';
import type { Clock } from '../core/ports.ts';
import type { CommitGroup } from './commit-group.ts';
import type { Db } from './database.ts';

type Row = { request: string; state: OnceRecord['state']; status: number; headers: string; body: string };

/** Refusals begin here. */
const REFUSED = 400;

/**
 * Keys of requests that are done once. Which request a transaction belongs to is carried beside the calls: every use case is
 * covered, also one that knows nothing of keys.
 */
export function onceRows(
  db: Db,
  group: CommitGroup,
  clock: Clock,
): OnceStore & { mark(): (() => void) | null } {
  const present = new AsyncLocalStorage<OnceKey>();
  const get = db.prepare(
    'SELECT request, state, status, headers, body FROM idempotency_keys WHERE token = :token AND key = :key',
  );
  const begin = db.prepare(
    "INSERT INTO idempotency_keys (token, key, request, state, created_at) VALUES (:token, :key, :request, 'begun', :at)",
  );
  const apply = db.prepare(
    "UPDATE idempotency_keys SET state = 'applied' WHERE token = :token AND key = :key AND state = 'begun'",
  );
  const answer = db.prepare(`
    UPDATE idempotency_keys SET state = 'answered', status = :status, headers = :headers, body = :body
    WHERE token = :token AND key = :key`);
  const drop = db.prepare(
    "DELETE FROM idempotency_keys WHERE token = :token AND key = :key AND state = 'begun'",
  );
  const expire = db.prepare('DELETE FROM idempotency_keys WHERE created_at <= ?');
  const trim = db.prepare(`
    DELETE FROM idempotency_keys WHERE created_at <=
      (SELECT created_at FROM idempotency_keys ORDER BY created_at DESC LIMIT 1 OFFSET ?)`);

  function record(key: OnceKey): OnceRecord | null {
    const row = get.get(key) as Row | undefined;
    if (!row) return null;
    const { request, state, status, headers, body } = row;
    return {
      request,
      state,
      answer: state === 'answered' ? { status, headers: JSON.parse(headers), body } : null,
    };
  }

  return {
    begin: (key, request) =>
      present.exit(() =>
        group.run(() => {
          const known = record(key);
          if (known === null) begin.run({ ...key, request, at: clock() });
          return known;
        }),
      ),
    within: (key, task) => present.run(key, task),
    towards: (steps) => present.exit(steps),
    settle: (key, told) =>
      present.exit(() =>
        group.run(() => {
          if (told === null || (told.status >= REFUSED && record(key)?.state === 'begun')) drop.run(key);
          else answer.run({ ...key, ...told, headers: JSON.stringify(told.headers) });
        }),
      ),
    collect: (before, keep) =>
      group.run(() => {
        expire.run(before);
        trim.run(keep);
      }),
    /** To be called as a transaction is asked for. @returns what marks its request, within that transaction */
    mark: () => {
      const key = present.getStore();
      return key ? () => void apply.run(key) : null;
    },
  };
}
