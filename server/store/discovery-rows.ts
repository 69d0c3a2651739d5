import { type DiscoveryPolicy, FIRST_POLICY, type PolicyEdition } from '../core/discovery.ts';
import type { InventoryRecord } from '../core/ports.ts';
import type { Db } from './database.ts';

/** What machines said of themselves, the rules for those that nobody enrolled, and who of them is to be forgotten. */
export function discoveryRows(db: Db) {
  const read = db.prepare('SELECT facts, address, at, decision FROM inventories WHERE host_id = ?');
  const put = db.prepare(
    'INSERT OR REPLACE INTO inventories VALUES (:hostId, :facts, :address, :at, :decision)',
  );
  const policy = db.prepare('SELECT version, policy FROM discovery_policy');
  const putPolicy = db.prepare(`
    INSERT INTO discovery_policy VALUES (1, 1, :policy)
    ON CONFLICT (id) DO UPDATE SET version = version + 1, policy = :policy`);
  const waiting = db.prepare('SELECT count(*) FROM hosts WHERE forget_at IS NOT NULL').pluck();
  const forgettable = db
    .prepare('SELECT id FROM hosts WHERE forget_at <= ? ORDER BY forget_at LIMIT ?')
    .pluck();
  const undecided = db.prepare("SELECT id FROM hosts WHERE status = 'discovered' AND by_hand = 0").pluck();
  return {
    inventory(hostId: string): InventoryRecord | null {
      const row = read.get(hostId) as
        | { facts: string; address: string; at: number; decision: string | null }
        | undefined;
      if (!row) return null;
      return {
        ...row,
        facts: JSON.parse(row.facts),
        decision: row.decision === null ? null : JSON.parse(row.decision),
      };
    },
    put({
      hostId,
      record: { facts, address, at, decision },
    }: {
      hostId: string;
      record: InventoryRecord;
    }): void {
      put.run({
        hostId,
        facts: JSON.stringify(facts),
        address,
        at,
        decision: decision && JSON.stringify(decision),
      });
    },
    policy(): PolicyEdition {
      const row = policy.get() as { version: number; policy: string } | undefined;
      return row ? { version: row.version, policy: JSON.parse(row.policy) } : FIRST_POLICY;
    },
    putPolicy: (next: DiscoveryPolicy): void => void putPolicy.run({ policy: JSON.stringify(next) }),
    waiting: () => waiting.get() as number,
    forgettable: (now: number, limit: number) => forgettable.all(now, limit) as string[],
    undecided: () => undecided.all() as string[],
  };
}
