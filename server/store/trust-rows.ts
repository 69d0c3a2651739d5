import type { NewEvent } from '../core/events.ts';
import type { HeldTrust, KeyRecord } from '../core/manifest-keys.ts';
import type { TrustStore } from '../core/trust-port.ts';
import type { CommitGroup } from './commit-group.ts';
import type { Db } from './database.ts';

/** Keys of manifests, the trust document that was given out last, and what hosts hold. */
export function trustRows(db: Db, group: CommitGroup, addEvent: (event: NewEvent) => void): TrustStore {
  const keys = db.prepare('SELECT * FROM manifest_keys ORDER BY created_at, id');
  const putKey = db.prepare(`
    INSERT INTO manifest_keys VALUES (:id, :publicPem, :state, :createdAt, :since, :switchAt)
    ON CONFLICT (id) DO UPDATE SET state = :state, since = :since, switch_at = :switchAt`);
  const edition = db.prepare('SELECT edition, content FROM trust_edition');
  const putEdition = db.prepare('INSERT OR REPLACE INTO trust_edition VALUES (1, ?, ?)');
  const held = db.prepare(`
    SELECT m.mac, t.keys, t.secure, t.at FROM hosts h JOIN host_macs m ON m.host_id = h.id AND m.position = 0
    LEFT JOIN host_trust t ON t.host_id = h.id WHERE h.claim_hash IS NOT NULL AND h.status <> 'retired'
    ORDER BY h.created_at, h.id`);
  const heldBy = db
    .prepare('SELECT t.keys FROM host_macs m JOIN host_trust t ON t.host_id = m.host_id WHERE m.mac = ?')
    .pluck();
  const note = db.prepare(`
    INSERT INTO host_trust SELECT h.id, :keys, :secure, :at FROM hosts h JOIN host_macs m ON m.host_id = h.id
      WHERE m.mac = :mac AND h.claim_hash = :tokenHash
    ON CONFLICT (host_id) DO UPDATE SET keys = excluded.keys, secure = excluded.secure, at = excluded.at`);
  return {
    keys: async () => (keys.all() as KeyRow[]).map(keyOf),
    putKeys: (records, events) =>
      group.run(() => {
        // One may be active at a time: the one that was makes room first.
        const last = (state: string) => (state === 'active' ? 1 : 0);
        for (const record of [...records].sort((one, other) => last(one.state) - last(other.state)))
          putKey.run(record);
        for (const event of events) addEvent(event);
      }),
    edition: async () => (edition.get() as { edition: number; content: string } | undefined) ?? null,
    putEdition: (number, content) => group.run(() => void putEdition.run(number, content)),
    held: async () => (held.all() as HeldRow[]).map(heldOf),
    heldBy: async (mac) => {
      const found = heldBy.get(mac) as string | undefined;
      return found === undefined ? null : found.split(',');
    },
    note: (all) =>
      group.run(() => {
        for (const { keys: ids, secure, ...one } of all)
          note.run({ ...one, keys: ids.join(), secure: Number(secure) });
      }),
  };
}

type KeyRow = {
  id: string;
  public_pem: string;
  state: KeyRecord['state'];
  created_at: number;
  since: number;
  switch_at: number | null;
};
type HeldRow = { mac: string; keys: string | null; secure: number | null; at: number | null };

function keyOf(row: KeyRow): KeyRecord {
  const { id, state, since } = row;
  return { id, publicPem: row.public_pem, state, createdAt: row.created_at, since, switchAt: row.switch_at };
}

function heldOf({ mac, keys, secure, at }: HeldRow): HeldTrust {
  return { mac, keys: keys === null ? null : keys.split(','), secure: secure === 1, at };
}
