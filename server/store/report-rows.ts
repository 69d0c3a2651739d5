import type { Records, ReportKey } from '../core/ports.ts';
import type { Db } from './database.ts';

/** Repetitions of the newest ones are answered as what they are; an older number is stale by being older. */
const KEPT_NUMBERS = 64;

/** Which reports were taken: their numbers and the hashes of their bodies. */
export function reportRows(db: Db): Records['reports'] & {
  add(key: ReportKey): void;
  prune(after: string | null, hosts: number): string | null;
} {
  const hash = db
    .prepare('SELECT body_hash FROM reports WHERE host_id = :hostId AND boot_id = :bootId AND seq = :seq')
    .pluck();
  const any = db.prepare('SELECT 1 FROM reports WHERE host_id = ? AND boot_id = ? LIMIT 1').pluck();
  const put = db.prepare('INSERT OR IGNORE INTO reports VALUES (:hostId, :bootId, :seq, :bodyHash)');
  const someHosts = db.prepare(
    `SELECT host_id AS hostId, boot_id AS bootId, seq - ${KEPT_NUMBERS} AS upTo FROM observations WHERE host_id > ? ORDER BY host_id LIMIT ?`,
  );
  const dropPresent = db.prepare(
    'DELETE FROM reports WHERE host_id = :hostId AND boot_id = :bootId AND seq <= :upTo',
  );
  // What is left of an earlier boot is its last number: that there was such a boot is known by it.
  const dropEarlier = db.prepare(`
    DELETE FROM reports WHERE host_id = :hostId AND boot_id <> :bootId AND EXISTS (SELECT 1 FROM reports AS later
      WHERE later.host_id = reports.host_id AND later.boot_id = reports.boot_id AND later.seq > reports.seq)`);
  return {
    prune(after, hosts) {
      const found = someHosts.all(after ?? '', hosts) as { hostId: string; bootId: string; upTo: number }[];
      for (const host of found) {
        dropPresent.run(host);
        dropEarlier.run(host);
      }
      return found.length < hosts ? null : (found.at(-1)?.hostId ?? null);
    },
    bodyHash: (key) => (hash.get(key) as string | undefined) ?? null,
    bootKnown: (hostId, bootId) => any.get(hostId, bootId) !== undefined,
    add: (key) => void put.run(key),
  };
}
