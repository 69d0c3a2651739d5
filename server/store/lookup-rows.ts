import type { HostLookups } from '../core/lookup-port.ts';
import type { Db } from './database.ts';

export function lookupRows(db: Db): HostLookups {
  const count = db.prepare("SELECT count(*) FROM hosts WHERE status <> 'retired'").pluck();
  const byToken = db
    .prepare(
      "SELECT id FROM hosts WHERE claim_hash = ? AND claim_standing <> 'released' AND status <> 'retired'",
    )
    .pluck();
  const bySerial = db.prepare('SELECT host_id FROM inventories WHERE instr(serials, ?) > 0').pluck();
  return {
    hostCount: async () => count.get() as number,
    hostOfToken: async (tokenHash) => (byToken.get(tokenHash) as string | undefined) ?? null,
    hostsWithSerial: async (part) => new Set(bySerial.all(part.toLowerCase()) as string[]),
  };
}
