import type { Records, ReportKey } from '../core/ports.ts';
import type { Db } from './database.ts';

/** Which reports were taken: their numbers and the hashes of their bodies. */
export function reportRows(db: Db): Records['reports'] & { add(key: ReportKey): void } {
  const hash = db
    .prepare('SELECT body_hash FROM reports WHERE host_id = :hostId AND boot_id = :bootId AND seq = :seq')
    .pluck();
  const any = db.prepare('SELECT 1 FROM reports WHERE host_id = ? AND boot_id = ? LIMIT 1').pluck();
  const put = db.prepare('INSERT OR IGNORE INTO reports VALUES (:hostId, :bootId, :seq, :bodyHash)');
  return {
    bodyHash: (key) => (hash.get(key) as string | undefined) ?? null,
    bootKnown: (hostId, bootId) => any.get(hostId, bootId) !== undefined,
    add: (key) => void put.run(key),
  };
}
