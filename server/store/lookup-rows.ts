import type { Digest } from '../core/digest.ts';
import type { HostLookups } from '../core/lookup-port.ts';
import type { Db } from './database.ts';

export function lookupRows(db: Db): HostLookups {
  const count = db.prepare("SELECT count(*) FROM hosts WHERE status <> 'retired'").pluck();
  const byToken = db
    .prepare(
      "SELECT id FROM hosts WHERE claim_hash = ? AND claim_standing <> 'released' AND status <> 'retired'",
    )
    .pluck();
  // Left to itself SQLite reads the inventories, and makes the words of each anew: ten times as long.
  const byWords = db
    .prepare(
      'SELECT host_id FROM inventories INDEXED BY inventories_by_words WHERE instr(words, lower(?)) > 0',
    )
    .pluck();
  const named = db
    .prepare("SELECT DISTINCT digest FROM tags WHERE instr(lower(name || ':' || tag), lower(?)) > 0")
    .pluck();
  return {
    hostCount: async () => count.get() as number,
    hostOfToken: async (tokenHash) => (byToken.get(tokenHash) as string | undefined) ?? null,
    hostsDescribedBy: async (part) => new Set(byWords.all(part) as string[]),
    imagesNamed: async (part) => new Set(named.all(part) as Digest[]),
  };
}
