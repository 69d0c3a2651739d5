import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Host } from '../core/host.ts';
import type { Amount, Rollout } from '../core/rollout.ts';
import type { RolloutRecords, RolloutWrites, StoreRollouts } from '../core/rollout-port.ts';
import type { Db } from './database.ts';
import { BEGINNING, type HostRows } from './host-rows.ts';
import { choiceOf } from './rollout-choices.ts';
import { assignmentOf, memberRows } from './rollout-members.ts';

type Row = Record<string, string | number | null>;

/** Read at once; then others get their turn. */
const PART = 500;

/** Rollouts, their members, and what is asked of both. */
export function rolloutRows(
  db: Db,
  hosts: HostRows,
): {
  readonly store: StoreRollouts;
  readonly records: RolloutRecords;
  write(writes: RolloutWrites): void;
} {
  const members = memberRows(db, hosts);
  const byId = db.prepare('SELECT * FROM rollouts WHERE id = ?');
  const open = db.prepare('SELECT * FROM rollouts WHERE ended_at IS NULL ORDER BY created_at, id');
  const page = db.prepare(`
    SELECT * FROM rollouts WHERE :createdAt IS NULL OR (created_at, id) < (:createdAt, :id)
    ORDER BY created_at DESC, id DESC LIMIT :limit`);
  const put = db.prepare(`
    INSERT INTO rollouts VALUES (:id, :name, :ref, :digest, :rollbackOf, :fresh, :waves, :maxUnavailable,
      :failureThreshold, :soakMs, :skipAfterMs, :status, :statusReason, :why, :wave, :soakAt, :countedFrom, :retryFrom,
      :acceptedWave, :result, :createdAt, :endedAt)
    ON CONFLICT (id) DO UPDATE SET status = :status, status_reason = :statusReason, wave = :wave, soak_at = :soakAt,
      counted_from = :countedFrom, retry_from = :retryFrom, accepted_wave = :acceptedWave, result = :result,
      ended_at = :endedAt`);
  const failures = db
    .prepare(`
    SELECT count(*) FROM attempts
    WHERE rollout_id = ? AND outcome IN ('failed', 'rolled-back') AND ended_at > ?`)
    .pluck();

  const find = (id: string): Rollout | null => {
    const row = byId.get(id) as Row | undefined;
    return row ? rolloutOf(row) : null;
  };

  return {
    store: {
      find: async (id) => find(id),
      list: async (after, limit) =>
        (page.all({ createdAt: after?.createdAt ?? null, id: after?.id ?? null, limit }) as Row[]).map(
          rolloutOf,
        ),
      open: async () => (open.all() as Row[]).map(rolloutOf),
      members: (id) =>
        inParts((last: { position: number } | undefined) => members.page(id, last?.position ?? -1, PART)),
      memberPage: async (id, after, limit) => members.page(id, after, limit),
      choices: async () =>
        (await inParts((last: Host | undefined) => hosts.following(last?.enrolment ?? BEGINNING, PART))).map(
          choiceOf,
        ),
    },
    records: {
      find,
      failures: (id, after) => failures.get(id, after) as number,
      taken: members.taken,
    },
    write({ rollouts = [], members: added, ordered }) {
      for (const { image, waves, result, fresh, ...columns } of rollouts)
        put.run({
          ...columns,
          ref: image?.ref ?? null,
          digest: image?.digest ?? null,
          fresh: Number(fresh),
          waves: JSON.stringify(waves),
          maxUnavailable: String(columns.maxUnavailable),
          failureThreshold: String(columns.failureThreshold),
          result: result && JSON.stringify(result),
        });
      if (added) members.add(added.rolloutId, added.members);
      for (const { hostId, before } of ordered?.hosts ?? [])
        if (ordered && before) members.note(ordered.rolloutId, hostId, before);
    },
  };
}

async function inParts<Item>(read: (last: Item | undefined) => Item[]): Promise<Item[]> {
  const all: Item[] = [];
  for (;;) {
    const part = read(all.at(-1));
    all.push(...part);
    if (part.length < PART) return all;
    await nextTurn();
  }
}

function rolloutOf(row: Row): Rollout {
  return {
    id: row.id as string,
    name: row.name as string | null,
    image: assignmentOf(row.ref, row.digest),
    rollbackOf: row.rollback_of as string | null,
    fresh: row.fresh === 1,
    waves: JSON.parse(row.waves as string),
    maxUnavailable: amountOf(row.max_unavailable as string),
    failureThreshold: amountOf(row.failure_threshold as string),
    soakMs: row.soak_ms as number,
    skipAfterMs: row.skip_after_ms as number,
    status: row.status as Rollout['status'],
    statusReason: row.status_reason as string,
    why: row.why as string,
    wave: row.wave as number,
    soakAt: row.soak_at as number | null,
    countedFrom: row.counted_from as number,
    retryFrom: row.retry_from as number | null,
    acceptedWave: row.accepted_wave as number,
    result: row.result === null ? null : JSON.parse(row.result as string),
    createdAt: row.created_at as number,
    endedAt: row.ended_at as number | null,
  };
}

function amountOf(text: string): Amount {
  return text.endsWith('%') ? (text as Amount) : Number(text);
}
